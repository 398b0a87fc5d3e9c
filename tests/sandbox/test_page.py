"""The sandbox page in a real browser: from typing /imagine to the picture and its buttons."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.async_api import Locator, Page, expect

from engine.safety import SafetyChecker
from engine.sampling.model import LoadedModel
from engine.worker.local_backend import LocalBackend
from sandbox.page.server import PageServer
from sandbox.people.script import set_up
from sandbox.server import LoopbackDiscord
from sandbox.world.world import default_world
from settings import Settings
from tests.support.browser import NEEDS_CHROMIUM, PATIENCE_MS, Opened, opened_page
from tests.support.stage import running_bot

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    NEEDS_CHROMIUM,
]


@pytest.fixture
async def opened(tmp_path: Path, tiny_model: LoadedModel, checker: SafetyChecker) -> AsyncGenerator[Opened]:
    async with AsyncExitStack() as stack:
        server = LoopbackDiscord(default_world())
        people = {user.name: user.id for user in server.world.users.values()}
        PageServer(server, [people["ana"], people["ben"], people["mira"]], "tiny model").mount()
        await stack.enter_async_context(server)
        stack.enter_context(server.attached())
        values: dict[str, Any] = {"_env_file": None, "message_content_intent": True}
        settings = Settings(**values, database=tmp_path / "bot.sqlite3")
        await stack.enter_async_context(running_bot(server, settings, LocalBackend(tiny_model, checker)))
        await set_up(server)
        yield await stack.enter_async_context(opened_page(server.base_url))
        assert server.violations == []


async def ask(page: Page, prompt: str) -> None:
    """Type a command as a newcomer would: pick it from the list, type the prompt, press Enter."""
    await choose_imagine(page)
    await page.keyboard.type(prompt)
    await page.keyboard.press("Enter")


async def choose_imagine(page: Page) -> None:
    await page.locator("#input").press_sequentially("/im")
    await page.locator("#picker li", has_text="/imagine").wait_for()
    await page.keyboard.press("Enter")


async def first_picture(page: Page) -> Locator:
    """Ask, agree, wait; the message with the picture."""
    await ask(page, "1girl, smile")
    await page.locator(".message.private").get_by_role("button", name="I agree").click()
    await page.locator(".files img").wait_for(timeout=PATIENCE_MS)
    return page.locator(".message", has=page.locator(".files img"))


async def be(page: Page, name: str, channel: str) -> None:
    await page.locator(f"#people button[data-name={name}]").click()
    await page.locator(f"#channels button[data-channel={channel}]").click()


async def test_from_typing_imagine_to_the_picture_with_its_buttons(opened: Opened) -> None:
    page = opened.page
    await expect(page.locator("aside")).to_contain_text("not Discord")
    await ask(page, "1girl, pink hair, smile")
    consent = page.locator(".message.private")
    await expect(consent).to_contain_text("Only you can see this")
    await consent.get_by_role("button", name="I agree").click()
    picture = page.locator(".files img")
    await picture.wait_for(timeout=PATIENCE_MS)
    message = page.locator(".message", has=picture)
    await expect(message).to_contain_text("1girl, pink hair, smile")
    await expect(consent).to_contain_text("You agreed to the rules")  # the terms have folded to one line
    for label in ("Again", "Vary", "Edit", "Delete"):
        await expect(message.get_by_role("button", name=re.compile(f"{label}$"))).to_be_visible()
    await message.get_by_role("button", name=re.compile("Edit$")).click()
    dialog = page.locator("dialog[open]")
    await dialog.locator("textarea").first.fill("1boy, glasses")
    await dialog.get_by_role("button", name="Submit").click()
    await expect(page.locator(".files img")).to_have_count(2, timeout=PATIENCE_MS)
    await message.first.get_by_role("button", name="Delete").click()
    await expect(page.locator(".files img")).to_have_count(1)


async def test_people_see_what_discord_would_show_them(opened: Opened) -> None:
    page = opened.page
    await expect(page.locator("#channels button", has_text="mod-review")).to_have_count(0)
    await expect(page.locator("#channels button", has_text="after-dark")).to_contain_text("18+")
    await page.locator("#input").press_sequentially("/setup")
    await expect(page.locator("#picker li")).to_have_count(0)
    await page.locator("#input").fill("")
    await page.locator("#people button[data-name=mira]").click()
    await expect(page.locator("#channels button", has_text="mod-review")).to_have_count(1)
    await page.locator("#input").press_sequentially("/setup")
    await expect(page.locator("#picker li")).to_have_count(1)


async def test_a_moderator_uses_the_settings_form_and_nothing_chosen_before_is_lost(opened: Opened) -> None:
    page = opened.page
    await page.locator("#people button[data-name=mira]").click()
    await page.locator("#input").press_sequentially("/settings panel")
    await page.locator("#picker li", has_text="/settings panel").wait_for()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    panel = page.locator(".message.private")
    form = page.locator("dialog[open]")
    await panel.get_by_role("button", name="Audit, review, language").click()
    await form.get_by_label("Review channel").select_option("#mod-review")
    await form.get_by_role("button", name="Submit").click()
    await expect(panel).to_contain_text("#mod-review")
    await panel.get_by_role("button", name="Audit, review, language").click()
    await form.get_by_label("Language").select_option("Deutsch")
    await form.get_by_role("button", name="Submit").click()
    await expect(panel).to_contain_text("Deutsch")
    await expect(panel).to_contain_text("#mod-review")
    await panel.get_by_role("button", name="Policy of a channel").click()
    await form.get_by_label("How strictly it is judged").select_option("Strict")
    await form.get_by_role("button", name="Submit").click()
    await expect(panel).to_contain_text("Strict: as careful")


async def test_a_mistake_is_answered_privately(opened: Opened) -> None:
    page = opened.page
    await first_picture(page)
    await choose_imagine(page)
    await page.keyboard.type("1girl --steps 500")
    await page.locator("#input").press("Enter")
    mistake = page.locator(".message.private").last
    await expect(mistake).to_contain_text("from 1 to 100")
    await mistake.get_by_role("button", name="Dismiss").click()
    await expect(page.locator(".message", has_text="from 1 to 100")).to_have_count(0)


async def test_options_say_what_they_are_and_offer_their_values(opened: Opened) -> None:
    page = opened.page
    await choose_imagine(page)
    for name in ("steps", "scheduler"):
        await page.get_by_role("button", name=f"+ {name}", exact=True).click()
    await expect(page.locator("#options label")).to_contain_text(["steps", "scheduler"])
    await page.locator("[data-option=steps]").focus()
    await expect(page.locator("#hint")).to_contain_text("(1 to 100)")
    scheduler = page.locator("[data-option=scheduler]")
    await expect(scheduler.locator("option", has_text="DPM++")).to_have_text(["DPM++ 2M", "DPM++ 2M Karras"])
    await scheduler.select_option("DPM++ 2M Karras")
    await expect(scheduler).to_have_value('"dpm++2m_karras"')


async def test_every_message_in_the_prompt_channel_becomes_a_picture(opened: Opened) -> None:
    page = opened.page
    await first_picture(page)
    await page.locator("#channels button[data-channel=prompts]").click()
    await page.locator("#input").fill("1girl, hat")
    await page.keyboard.press("Enter")
    await page.locator(".message", has_text="ana 1girl, hat").locator(".files img").wait_for(timeout=PATIENCE_MS)


async def test_a_report_reaches_the_moderators_who_change_settings_in_forms(opened: Opened) -> None:
    page = opened.page
    await (await first_picture(page)).get_by_role("button", name="Report").click()
    await page.locator("dialog[open] textarea").fill("The hat is missing")
    await page.locator("dialog[open]").get_by_role("button", name="Submit").click()
    await be(page, "mira", "mod-review")
    await expect(page.locator(".message", has_text="The hat is missing")).to_contain_text("Keep the picture")
    panel = page.locator(".message", has_text="Settings of this server")
    await expect(panel).to_contain_text("#mod-review")
    await panel.get_by_role("button", name="Start pictures").click()
    await page.locator("dialog[open] select[name=who]").select_option(label="Moderators and the roles chosen below")
    await page.locator("dialog[open] select[name=roles]").select_option(label="@moderators")
    await page.locator("dialog[open]").get_by_role("button", name="Submit").click()
    await expect(panel).to_contain_text("moderators and @moderators")


async def test_it_fits_a_phone(opened: Opened) -> None:
    page = opened.page
    await page.set_viewport_size({"width": 390, "height": 780})
    await first_picture(page)
    await choose_imagine(page)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    send = page.get_by_role("button", name="Send", exact=True)
    box = await send.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 390


async def test_both_pages_of_the_form_are_filled_in_by_keyboard(opened: Opened, tmp_path: Path) -> None:
    page = opened.page
    dialog = page.get_by_role("dialog")
    await ask(page, "1girl, smile")
    await page.locator(".message.private").get_by_role("button", name="I agree").click()
    await page.get_by_role("button", name="Edit", exact=True).last.press("Enter")
    await expect(dialog.get_by_role("textbox", name="Prompt", exact=True)).to_be_focused()
    await page.keyboard.press("End")
    await page.keyboard.type(", crown")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await expect(dialog.get_by_role("combobox", name="Shape")).to_be_focused()
    await page.keyboard.type("Portrait")
    await page.keyboard.press("Tab")
    pictures = dialog.get_by_role("group", name="Pictures")
    await expect(pictures.get_by_role("radio", name="1 picture")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await expect(pictures.get_by_role("radio", name="2 pictures")).to_be_checked()
    await page.keyboard.press("Tab")
    await page.keyboard.press("ArrowDown")
    await expect(dialog.get_by_role("radio", name="More settings first")).to_be_checked()
    await page.keyboard.press("Enter")
    await expect(dialog).to_have_count(0)
    kept = page.locator(".message.private").last
    await expect(kept.locator("code.block")).to_contain_text(", crown")
    await expect(kept).to_contain_text("2 pictures")
    await kept.get_by_role("button", name="More settings").press("Enter")
    await expect(dialog.get_by_role("combobox", name="Preset")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await kept.get_by_role("button", name="More settings").press("Enter")
    await expect(dialog.get_by_role("combobox", name="Preset")).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.type("Euler")
    await expect(dialog.get_by_role("combobox", name="Scheduler")).to_have_value("euler")
    await dialog.get_by_role("textbox", name="Numbers").fill("Steps: 3, Seed: 4, Strength: 0.5")
    start = tmp_path / "start.png"
    Image.new("RGB", (64, 64), "white").save(start)
    await dialog.get_by_label("Start picture").set_input_files(start)
    await dialog.get_by_role("button", name="Submit").press("Enter")
    await expect(page.get_by_role("group", name="2 pictures").locator("img")).to_have_count(2)
    card = page.locator(".message", has=page.get_by_role("group", name="2 pictures"))
    await expect(card).to_contain_text("1: 4, 2: 5")
    await expect(card).to_contain_text("strength 0.5")


async def test_words_in_a_block_are_shown_as_they_are_copied(opened: Opened) -> None:
    page = opened.page
    await ask(page, r"1girl, miku \(vocaloid\) --seed many")
    shown = page.locator(".message.private").last.locator("code.block")
    await expect(shown).to_have_text(r"1girl, miku \(vocaloid\) --seed many")
    assert await shown.evaluate("block => block.textContent.includes('\\n')") is False
