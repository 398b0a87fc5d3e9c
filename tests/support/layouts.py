"""Messages and forms of the new components, as a bot would post them, to look at on the sandbox page."""

from __future__ import annotations

import io
from typing import Any

import discord
from discord import ui
from PIL import Image

COLOURS = ("#e8a0b4", "#86b6d9", "#9ccf9c", "#e6c77a")


def picture(name: str, number: int = 0, side: int = 64) -> discord.File:
    """A file with a plain coloured picture."""
    out = io.BytesIO()
    Image.new("RGB", (side, side), COLOURS[number % len(COLOURS)]).save(out, "PNG")
    return discord.File(io.BytesIO(out.getvalue()), name)


def pictures(count: int) -> list[discord.File]:
    return [picture(f"{number}.png", number) for number in range(count)]


def layout(*items: ui.Item[Any]) -> ui.LayoutView:
    view = ui.LayoutView(timeout=None)
    for one in items:
        view.add_item(one)
    return view


def gallery(count: int, *, spoiler: bool = False) -> ui.MediaGallery[Any]:
    """Pictures `0.png` and so on with a description each; the first one may be a spoiler."""
    return ui.MediaGallery(
        *(
            discord.MediaGalleryItem(
                f"attachment://{number}.png", description=f"hat {number}", spoiler=spoiler and number == 0
            )
            for number in range(count)
        )
    )


def card() -> ui.LayoutView:
    """A container with one of everything; its files are `pictures(4)` and `words.txt`."""
    inner: ui.Container[Any] = ui.Container(accent_color=0xC2513F)
    thumbnail = ui.Thumbnail[Any]("attachment://3.png", description="start picture")
    inner.add_item(ui.Section("### A heading", "-# small words", accessory=thumbnail))
    inner.add_item(ui.Separator())
    inner.add_item(gallery(3, spoiler=True))
    inner.add_item(ui.TextDisplay("**bold** and ||hidden|| <t:1800000000:D>"))
    inner.add_item(ui.File("attachment://words.txt"))
    inner.add_item(ui.ActionRow(ui.Button(label="Again", custom_id="again", style=discord.ButtonStyle.primary)))
    options = [discord.SelectOption(label=one) for one in ("first", "second")]
    inner.add_item(ui.ActionRow(ui.Select(custom_id="pick", placeholder="Pick one", options=options)))
    return layout(inner)


def card_files() -> list[discord.File]:
    return [*pictures(4), discord.File(io.BytesIO(b"words"), "words.txt")]


class Form(ui.Modal, title="Everything"):
    """One of each field; `got` is what arrived."""

    words = ui.Label[Any](text="Words", component=ui.TextInput(custom_id="words", default="hat"))
    start = ui.Label[Any](text="Start picture", component=ui.FileUpload(custom_id="start", required=False))
    size = ui.Label[Any](
        text="Size",
        component=ui.RadioGroup(
            custom_id="size",
            options=[
                discord.RadioGroupOption(label="Small", value="s", default=True),
                discord.RadioGroupOption(label="Large", value="l", description="takes longer"),
            ],
        ),
    )
    extras = ui.Label[Any](
        text="Extras",
        component=ui.CheckboxGroup(
            custom_id="extras",
            required=False,
            options=[discord.CheckboxGroupOption(label=one, value=one.lower()) for one in ("Hat", "Glasses")],
        ),
    )
    private = ui.Label[Any](text="Private", component=ui.Checkbox(custom_id="private"))

    def __init__(self) -> None:
        super().__init__()
        self.got: dict[str, Any] = {}

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        fields: dict[str, Any] = {
            name: getattr(self, name).component for name in ("words", "start", "size", "extras", "private")
        }
        self.got = {"words": fields["words"].value, "size": fields["size"].value, "extras": fields["extras"].values}
        self.got |= {"private": fields["private"].value, "start": [one.filename for one in fields["start"].values]}
        await interaction.response.send_message("thanks", ephemeral=True)
