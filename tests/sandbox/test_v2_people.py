"""What people do with the new components: press at any depth, fill in all of a form, read pictures one by one."""

from __future__ import annotations

from typing import Any

import discord
import pytest
from discord import ui

from sandbox.people import Person, Refused, media_of
from sandbox.world.things import Channel
from tests.support.sandbox_bot import SandboxBot

OPTIONS = ("small", "middle", "large")


class Everything(ui.Modal, title="Everything"):
    """A form with one of each field; what arrives is kept in `got`."""

    notice = ui.TextDisplay[Any]("Fill in what you like")
    file = ui.Label[Any](text="File", component=ui.FileUpload(custom_id="file", max_values=2, required=False))
    size = ui.Label[Any](
        text="Size",
        component=ui.RadioGroup(
            custom_id="size",
            options=[discord.RadioGroupOption(label=one, value=one, default=one == "middle") for one in OPTIONS],
        ),
    )
    extras = ui.Label[Any](
        text="Extras",
        component=ui.CheckboxGroup(
            custom_id="extras",
            required=False,
            max_values=2,
            options=[discord.CheckboxGroupOption(label=one, value=one, default=one == "small") for one in OPTIONS],
        ),
    )
    private = ui.Label[Any](text="Private", component=ui.Checkbox(custom_id="private", default=True))

    def __init__(self) -> None:
        super().__init__()
        self.got: dict[str, Any] = {}

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        parts = {name: getattr(self, name).component for name in ("file", "size", "extras", "private")}
        self.got = {"size": parts["size"].value, "extras": parts["extras"].values, "private": parts["private"].value}
        self.got["files"] = [(one.filename, await one.read()) for one in parts["file"].values]
        await interaction.response.send_message("thanks", ephemeral=True)


class Words(ui.Modal, title="Words"):
    words = ui.Label[Any](text="Words", component=ui.TextInput(custom_id="words", max_length=5))
    pick = ui.Label[Any](
        text="Pick", component=ui.Select(custom_id="pick", options=[discord.SelectOption(label=one) for one in OPTIONS])
    )
    who = ui.Label[Any](text="Who", component=ui.UserSelect(custom_id="who", required=False))
    need = ui.Label[Any](text="A file", component=ui.FileUpload(custom_id="need"))

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        who = [one.name for one in self.who.component.values]  # pyright: ignore[reportAttributeAccessIssue]
        picked = self.pick.component.values  # pyright: ignore[reportAttributeAccessIssue]
        await interaction.response.send_message(f"{self.words.component.value} {picked} {who}")  # pyright: ignore[reportAttributeAccessIssue]


async def opened(bot: SandboxBot, ana: Person, paintings: Channel, modal: ui.Modal) -> Any:
    async def body(interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_modal(modal)

    bot.to_run = body
    return await ana.slash(paintings, "run")


# ---- forms ----


async def test_what_is_not_filled_in_stays_as_the_form_shows_it(
    bot: SandboxBot, ana: Person, paintings: Channel
) -> None:
    form = Everything()
    await ana.submit(await opened(bot, ana, paintings, form))
    assert form.got == {"size": "middle", "extras": ["small"], "private": True, "files": []}


async def test_every_field_can_be_filled_in(bot: SandboxBot, ana: Person, paintings: Channel) -> None:
    form = Everything()
    shown = await opened(bot, ana, paintings, form)
    uploads = [("a.txt", b"a"), ("b.txt", b"b")]
    await ana.submit(shown, file=uploads, size="large", extras=["middle", "large"], private=False)
    assert form.got == {"size": "large", "extras": ["middle", "large"], "private": False, "files": uploads}


async def test_menus_texts_and_one_file(bot: SandboxBot, ana: Person, ben: Person, paintings: Channel) -> None:
    shown = await opened(bot, ana, paintings, Words())
    answer = ana.answer(await ana.submit(shown, words="hi", pick="large", who=ben.id, need=("a.png", b"x")))
    assert answer.content == "hi ['large'] ['ben']"


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"size": "huge"}, "offers"),
        ({"extras": list(OPTIONS)}, "at most 2"),
        ({"extras": ["huge"]}, "offers"),
        ({"private": "yes"}, "on or off"),
        ({"file": [("a", b"x")] * 3}, "at most 2"),
        ({"file": ("a", b"x" * 11)}, "larger"),
        ({"nothing": 1}, "has no"),
    ],
)
async def test_the_client_refuses_what_the_form_does_not_offer(
    bot: SandboxBot, ana: Person, paintings: Channel, values: dict[str, Any], why: str
) -> None:
    shown = await opened(bot, ana, paintings, Everything())
    ana.world.upload_limit = 10
    with pytest.raises(Refused, match=why):
        await ana.submit(shown, **values)


async def test_what_is_required_is_asked_for(bot: SandboxBot, ana: Person, paintings: Channel) -> None:
    shown = await opened(bot, ana, paintings, Words())
    for values in ({"words": "hi", "pick": "large"}, {"words": "hi", "need": ("a", b"x")}):
        with pytest.raises(Refused, match="needs a choice"):
            await ana.submit(shown, **values)


# ---- pressing and reading ----


class Deep(ui.LayoutView):
    """Buttons in a section and in a row of a container, a menu beside them."""

    def __init__(self) -> None:
        super().__init__(timeout=None)
        card: ui.Container[Any] = ui.Container(ui.Section("beside", accessory=self._button("Beside")))
        card.add_item(ui.ActionRow(self._button("Inside")))
        menu: ui.Select[Any] = ui.Select(custom_id="menu", options=[discord.SelectOption(label=one) for one in OPTIONS])
        menu.callback = self._say(lambda: f"chose {menu.values[0]}")
        card.add_item(ui.ActionRow(menu))
        self.add_item(card)

    def _button(self, label: str) -> ui.Button[Any]:
        button: ui.Button[Any] = ui.Button(label=label, custom_id=label.lower())
        button.callback = self._say(lambda: f"pressed {label}")
        return button

    @staticmethod
    def _say(words: Any) -> Any:
        async def callback(interaction: discord.Interaction[Any]) -> None:
            await interaction.response.send_message(words(), ephemeral=True)

        return callback


async def test_buttons_and_menus_are_found_wherever_they_stand(
    bot: SandboxBot, ana: Person, paintings: Channel
) -> None:
    await bot.get_partial_messageable(paintings.id).send(view=Deep())
    message = ana.sees(paintings)[-1]
    assert ana.answer(await ana.click(message, "Beside")).content == "pressed Beside"
    assert ana.answer(await ana.click(message, "inside")).content == "pressed Inside"
    assert ana.answer(await ana.select(message, "menu", "large")).content == "chose large"
    with pytest.raises(Refused, match=r"no component 'beside the point' among \['Beside', 'Inside'"):
        await ana.click(message, "beside the point")


async def test_an_old_messages_files_are_read_alike(ana: Person, paintings: Channel) -> None:
    await ana.say(paintings, "look", ("a.txt", b"a"), ("SPOILER_b.txt", b"b"))
    first, second = media_of(ana.sees(paintings)[-1])
    assert (first.number, first.kind, first.data, first.spoiler) == (1, "attachment", b"a", False)
    assert (second.number, second.filename, second.spoiler) == (2, "SPOILER_b.txt", True)
