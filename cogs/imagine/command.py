"""/imagine: a prompt and, if one likes, everything else about the picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import Range

from cogs.core.bot import Cog, Interaction
from cogs.imagine.attachments import read_attachment
from cogs.imagine.form_fields import MAX_PROMPT_CHARACTERS
from cogs.imagine.limits import UNKNOWN, Limits, limits_of
from cogs.imagine.submit import Typed, submit
from domain import SEED_LIMIT, JobSource, RequestOptions

DESCRIPTIONS = {
    "prompt": "What to paint, best as tags: 1girl, pink hair, smile, blue background",
    "negative_prompt": "What to leave out",
    "shape": "Portrait, square or landscape, in the size this model likes best",
    "width": "Width in pixels, instead of a shape",
    "height": "Height in pixels, instead of a shape",
    "steps": "How many steps the painting takes; more is finer and slower",
    "guidance_scale": "How closely to follow the prompt",
    "scheduler": "How noise becomes a picture",
    "seed": "The same seed and words give the same picture; empty for a new one",
    "images": "How many pictures, each with its own seed",
    "preset": "A named set of steps, scheduler and guidance",
    "start_picture": "Paint on from this picture",
    "mask": "Only with a start picture: paint where the mask is white",
    "strength": "Only with a start picture: how much may change, up to 1",
    "upscale": "Make the picture larger, up to twice: most models paint a second pass over it",
}


class Imagine(Cog):
    """Asking for pictures."""

    async def cog_load(self) -> None:
        limits = UNKNOWN
        if self.bot.has_service:
            queue = self.bot.service.queue
            limits = limits_of(queue.profile, queue.schedulers, queue.presets)
        self.bot.tree.add_command(imagine_command(limits))


def imagine_command(limits: Limits) -> app_commands.Command[Any, ..., None]:
    """The command with a model's own choices and ranges. What arrives is checked again before anything is spent."""

    @app_commands.describe(**DESCRIPTIONS)
    async def imagine(
        interaction: Interaction,
        prompt: Range[str, 1, MAX_PROMPT_CHARACTERS],
        negative_prompt: Range[str, 0, MAX_PROMPT_CHARACTERS] = "",
        shape: str | None = None,
        width: int | None = None,
        height: int | None = None,
        steps: int | None = None,
        guidance_scale: float | None = None,
        scheduler: str | None = None,
        seed: Range[int, 0, SEED_LIMIT - 1] | None = None,
        images: int = 1,
        preset: str | None = None,
        start_picture: discord.Attachment | None = None,
        mask: discord.Attachment | None = None,
        strength: Range[float, 0.01, 1.0] | None = None,
        upscale: float = 1.0,
    ) -> None:
        typed = RequestOptions(
            prompt=prompt,
            negative_prompt=negative_prompt,
            shape=shape,
            width=width,
            height=height,
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            scheduler=scheduler,
            seed=seed,
            images=images,
            preset=preset,
            strength=strength,
            upscale=upscale,
        )
        files = (start_picture, mask)
        await submit(interaction, _with_files(typed, *files), source=JobSource.SLASH, typed=Typed(typed))

    imagine.__annotations__ |= limits.types
    app_commands.choices(**limits.choices)(imagine)
    return app_commands.Command(name="imagine", description="Paint a picture from words", callback=imagine)


async def _with_files(
    typed: RequestOptions, start_picture: discord.Attachment | None, mask: discord.Attachment | None
) -> RequestOptions:
    return replace(typed, init_image=await read_attachment(start_picture), mask_image=await read_attachment(mask))
