"""/imagine: a prompt and, if one likes, everything else about the picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import discord
from discord import app_commands
from discord.app_commands import Choice, Range

from cogs.core.bot import Cog, Interaction
from cogs.core.checks import matching
from cogs.imagine.attachments import read_attachment
from cogs.imagine.submit import Typed, submit
from domain import SEED_LIMIT, JobSource, RequestOptions

MAX_PROMPT_CHARACTERS = 1000


class Imagine(Cog):
    """Asking for pictures."""

    @app_commands.command()
    @app_commands.allowed_installs(guilds=True, users=False)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
    @app_commands.describe(
        prompt="What to paint, best as tags: 1girl, pink hair, smile, blue background",
        negative_prompt="What to leave out",
        shape="Portrait, square or landscape, in the size this model likes best",
        width="Width in pixels, instead of a shape",
        height="Height in pixels, instead of a shape",
        steps="How many steps the painting takes; more is finer and slower",
        guidance_scale="How closely to follow the prompt",
        scheduler="How noise becomes a picture",
        seed="The same seed and words give the same picture; empty for a new one",
        images="How many pictures, each with its own seed",
        preset="A named set of steps, scheduler and guidance",
        start_picture="Paint on from this picture",
        mask="Only with a start picture: paint where the mask is white",
        strength="Only with a start picture: how much may change, from 0.1 to 1",
        upscale="Make the picture larger, up to twice: most models paint a second pass over it",
    )
    async def imagine(
        self,
        interaction: Interaction,
        prompt: Range[str, 1, MAX_PROMPT_CHARACTERS],
        negative_prompt: Range[str, 0, MAX_PROMPT_CHARACTERS] = "",
        shape: Literal["portrait", "square", "landscape"] | None = None,
        width: Range[int, 8, 2048] | None = None,
        height: Range[int, 8, 2048] | None = None,
        steps: Range[int, 1, 150] | None = None,
        guidance_scale: Range[float, 1.0, 30.0] | None = None,
        scheduler: str | None = None,
        seed: Range[int, 0, SEED_LIMIT - 1] | None = None,
        images: Range[int, 1, 4] = 1,
        preset: str | None = None,
        start_picture: discord.Attachment | None = None,
        mask: discord.Attachment | None = None,
        strength: Range[float, 0.1, 1.0] | None = None,
        upscale: Range[float, 1.0, 2.0] = 1.0,
    ) -> None:
        """Paint a picture from words"""

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

        async def read() -> RequestOptions:
            files = [await read_attachment(one) for one in (start_picture, mask)]
            return replace(typed, init_image=files[0], mask_image=files[1])

        await submit(interaction, read(), source=JobSource.SLASH, typed=Typed(typed))

    @imagine.autocomplete("scheduler")
    async def suggest_scheduler(self, _: Interaction, current: str) -> list[Choice[str]]:
        return matching(self.bot.service.queue.profile.schedulers, current)

    @imagine.autocomplete("preset")
    async def suggest_preset(self, _: Interaction, current: str) -> list[Choice[str]]:
        return matching(self.bot.service.queue.presets, current)
