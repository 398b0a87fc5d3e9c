"""The sandbox page with messages of the new components, in a real browser: seen, pressed, by mouse and by keyboard."""

from __future__ import annotations

from typing import Any

import discord
import pytest
from discord import ui
from playwright.async_api import Locator, Page, expect

from sandbox.people import Person
from sandbox.world.things import Channel
from tests.support.browser import NEEDS_CHROMIUM, discord_server, page
from tests.support.layouts import Form, card, card_files, gallery, layout, pictures
from tests.support.sandbox_bot import SandboxBot

__all__ = ["discord_server", "page"]  # fixtures of this module
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600), NEEDS_CHROMIUM]


@pytest.fixture
def place(bot: SandboxBot, paintings: Channel) -> discord.PartialMessageable:
    return bot.get_partial_messageable(paintings.id)


async def focused(page: Page) -> str:
    """The name of what has the focus."""
    return await page.evaluate(
        "(document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent).trim()"
    )


def newest(page: Page) -> Locator:
    return page.locator(".message").last


# ---- what a message looks like ----


async def test_a_container_shows_all_that_is_in_it(
    bot: SandboxBot, page: Page, place: discord.PartialMessageable
) -> None:
    await place.send(view=card(), files=card_files())
    box = newest(page).locator(".card")
    await expect(box).to_have_css("border-left-color", "rgb(194, 81, 63)")
    await expect(box.get_by_role("heading", name="A heading")).to_be_visible()
    await expect(box.locator("small.sub")).to_have_text("small words")
    await expect(box.locator("hr")).to_be_visible()
    await expect(box.locator("b", has_text="bold")).to_be_visible()
    await expect(box.get_by_role("link", name="words.txt (1 kB)")).to_be_visible()
    await expect(box.get_by_role("group", name="3 pictures").locator("img")).to_have_count(3)
    await expect(box.get_by_role("button", name="Open picture: start picture")).to_be_visible()
    said = newest(page).get_by_role("button", name="Spoiler", exact=True)
    await said.press("Enter")
    await expect(box.locator(".spoiler.open")).to_have_text("hidden")


async def test_an_answer_names_the_words_of_its_message_without_their_markup(
    bot: SandboxBot, page: Page, place: discord.PartialMessageable
) -> None:
    shown = await place.send(view=layout(ui.TextDisplay("**A** hat"), ui.TextDisplay("-# small")))
    await place.send("ready", reference=shown)
    await expect(newest(page).locator(".origin")).to_have_text("↩ painter A hat · small")


async def test_buttons_and_menus_in_a_container_work(
    bot: SandboxBot, page: Page, ana: Person, place: discord.PartialMessageable
) -> None:
    pressed = list[str]()

    async def note(interaction: discord.Interaction[Any]) -> None:
        if interaction.data and interaction.type is discord.InteractionType.component:
            pressed.append(f"{interaction.data.get('custom_id')} {interaction.data.get('values')}")
            await interaction.response.send_message("noted", ephemeral=True)

    bot.add_listener(note, "on_interaction")
    await place.send(view=card(), files=card_files())
    await page.get_by_role("button", name="Again").click()
    await expect(page.locator(".message.private")).to_have_count(1)
    await page.get_by_label("Pick one").select_option("second")
    await expect(page.locator(".message.private")).to_have_count(2)
    assert pressed == ["again None", "pick ['second']"]


async def test_galleries_of_every_size_lie_side_by_side(
    page: Page, place: discord.PartialMessageable, bot: SandboxBot
) -> None:
    for count in (1, 2, 3, 4, 6):
        await place.send(view=layout(gallery(count)), files=pictures(count))
        shots = page.locator(".message").nth(-1).locator(".shot")
        await expect(shots).to_have_count(count)
        boxes = [await shots.nth(number).bounding_box() for number in range(count)]
        assert all(boxes)
        columns = {round(box["x"]) for box in boxes if box}
        assert len(columns) == {1: 1, 2: 2, 3: 2, 4: 2, 6: 3}[count]


async def test_a_spoiler_opens_first_and_is_enlarged_then(
    page: Page, place: discord.PartialMessageable, bot: SandboxBot
) -> None:
    message = await place.send(view=layout(gallery(2, spoiler=True)), files=pictures(2))
    closed = page.get_by_role("button", name="Spoiler: show this picture")
    await closed.press("Enter")
    await expect(closed).to_have_count(0)
    await expect(page.locator("#viewer")).to_be_hidden()
    await message.edit(view=layout(discord.ui.TextDisplay("changed"), gallery(2, spoiler=True)))
    await expect(newest(page)).to_contain_text("changed")
    first = page.get_by_role("button", name="Open picture: hat 0")  # what is open stays open when the message changes
    await first.press("Enter")
    await expect(page.locator("#viewer img")).to_have_attribute("alt", "hat 0")
    await expect(page.locator("#viewer figcaption")).to_have_text("hat 0")
    await page.keyboard.press("Escape")
    await expect(page.locator("#viewer")).to_be_hidden()
    assert await focused(page) == "Open picture: hat 0"


async def test_files_named_spoiler_and_closed_containers_show_nothing_before(
    page: Page, ana: Person, paintings: Channel, place: discord.PartialMessageable, bot: SandboxBot
) -> None:
    await ana.say(paintings, "careful", ("SPOILER_a.txt", b"x"))
    await page.get_by_role("button", name="Spoiler: show this file").click()
    await expect(page.get_by_role("link", name="SPOILER_a.txt")).to_be_visible()
    await place.send(view=layout(discord.ui.Container(discord.ui.TextDisplay("the end"), spoiler=True)))
    assert "the end" not in (await newest(page).get_attribute("aria-label") or "")
    await page.get_by_role("button", name="Spoiler: show this", exact=True).click()
    await expect(newest(page).locator(".card")).to_have_text("the end")


async def test_files_that_no_component_shows_are_not_on_the_page(
    page: Page, place: discord.PartialMessageable, bot: SandboxBot
) -> None:
    await place.send(view=layout(discord.ui.TextDisplay("words only")), files=pictures(1))
    await expect(newest(page)).to_contain_text("words only")
    await expect(page.locator("#messages img")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_is_wider_than_the_window(
    page: Page, place: discord.PartialMessageable, bot: SandboxBot, scheme: Any
) -> None:
    await page.emulate_media(color_scheme=scheme)
    await place.send(view=card(), files=card_files())
    await place.send(view=layout(discord.ui.TextDisplay("long" * 200), gallery(6)), files=pictures(6))
    await expect(page.locator(".message")).to_have_count(2)
    for width in (390, 800, 1280):
        await page.set_viewport_size({"width": width, "height": 800})
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        assert await page.evaluate("(({scrollWidth, clientWidth}) => scrollWidth - clientWidth)(messages)") <= 0


# ---- forms ----


async def test_a_form_is_filled_in_with_the_keyboard(page: Page, bot: SandboxBot) -> None:
    form = Form()

    async def body(interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_modal(form)

    bot.to_run = body
    await page.locator("#input").fill("/run")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Everything")
    await expect(dialog.get_by_label("Words")).to_be_focused()
    await page.keyboard.press("ControlOrMeta+a")
    await page.keyboard.type("hats")
    await dialog.get_by_label("Start picture").set_input_files(
        files=[{"name": "start.png", "mimeType": "image/png", "buffer": b"x"}]
    )
    await dialog.get_by_role("radio", name="Small").focus()
    await page.keyboard.press("ArrowDown")
    await expect(dialog.get_by_role("radio", name="Large")).to_be_checked()
    await page.keyboard.press("Tab")
    await expect(dialog.get_by_role("checkbox", name="Hat")).to_be_focused()
    await page.keyboard.press("Space")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Space")
    await dialog.get_by_role("button", name="Submit").press("Enter")
    await expect(page.locator(".message.private")).to_contain_text("thanks")
    assert form.got == {"words": "hats", "size": "l", "extras": ["hat"], "private": True, "start": ["start.png"]}
