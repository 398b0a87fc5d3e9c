"""The sandbox page without a mouse, with a screen reader's roles, scrolled up, and with nobody at the other end."""

from __future__ import annotations

from typing import Any

import discord
import pytest
from playwright.async_api import Page, expect

from sandbox.people import Person
from sandbox.world import changes
from sandbox.world.things import Channel
from tests.support.browser import NEEDS_CHROMIUM, discord_server, page
from tests.support.layouts import gallery, layout, picture, pictures
from tests.support.sandbox_bot import SandboxBot

__all__ = ["discord_server", "page"]  # fixtures of this module
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600), NEEDS_CHROMIUM]


async def test_the_first_tab_leads_to_the_message_field(page: Page) -> None:
    await expect(page.locator("#channels button").first).to_be_visible()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the message field")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#input")).to_be_focused()


async def test_commands_are_a_listbox_that_leaves_the_focus_in_the_field(page: Page) -> None:
    field = page.get_by_role("combobox", name="Message")
    await field.press_sequentially("/co")
    options = page.get_by_role("listbox", name="Choices").get_by_role("option")
    await expect(options).to_have_count(2)
    await expect(field).to_have_attribute("aria-expanded", "true")
    await expect(field).to_have_attribute("aria-activedescendant", "choice-0")
    await page.keyboard.press("ArrowDown")
    await expect(field).to_have_attribute("aria-activedescendant", "choice-1")
    await expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    await expect(field).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator("#picker")).to_be_hidden()
    await expect(field).to_have_attribute("aria-expanded", "false")
    await expect(field).to_have_value("/co")


async def test_messages_are_articles_in_a_log_and_their_menu_opens_by_keyboard(
    page: Page, ana: Person, paintings: Channel
) -> None:
    for words in ("one", "two", "three"):
        await ana.say(paintings, words)
    log = page.get_by_role("log", name="Messages in paintings")
    await expect(log.get_by_role("article")).to_have_count(3)
    last = log.get_by_role("article", name="three")
    await last.focus()
    await page.keyboard.press("ArrowUp")
    second = log.get_by_role("article", name="two")
    await expect(second).to_be_focused()
    more = second.get_by_role("button", name="More for the message of ana")
    await more.press("Enter")
    menu = page.get_by_role("menu")
    await expect(menu.get_by_role("menuitem", name="Reply")).to_be_focused()
    await expect(more).to_have_attribute("aria-expanded", "true")
    await page.keyboard.press("End")
    await expect(menu.get_by_role("menuitem", name="Delete message")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await expect(menu.get_by_role("menuitem", name="Reply")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(menu).to_have_count(0)
    await expect(more).to_be_focused()
    await more.press("Enter")
    await page.keyboard.press("Enter")
    await expect(page.locator("#input")).to_be_focused()
    await page.keyboard.type("answer")
    await page.keyboard.press("Enter")
    await expect(log.get_by_role("article").last).to_contain_text("answer")


async def test_people_and_channels_are_chosen_with_arrows(page: Page) -> None:
    await page.get_by_role("radio", name="ana").focus()
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("radio", name="ben")).to_be_checked()
    await expect(page.get_by_role("radio", name="ben")).to_be_focused()
    await page.get_by_role("navigation", name="Channels").get_by_role("button", name="paintings").focus()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.locator("#title")).to_have_text("#after-dark")


async def test_the_focus_stays_where_it_is_when_a_message_changes(
    page: Page, bot: SandboxBot, paintings: Channel
) -> None:
    place = bot.get_partial_messageable(paintings.id)
    button = discord.ui.Button[discord.ui.LayoutView](label="Cancel", custom_id="cancel")
    message = await place.send(view=layout(discord.ui.TextDisplay("one"), discord.ui.ActionRow(button)))
    await page.get_by_role("button", name="Cancel").focus()
    await message.edit(view=layout(discord.ui.TextDisplay("two"), discord.ui.ActionRow(button)))
    await expect(page.locator(".message")).to_contain_text("two")
    await expect(page.get_by_role("button", name="Cancel")).to_be_focused()


async def test_who_has_scrolled_up_is_told_of_the_newest_answer(
    page: Page, bot: SandboxBot, ana: Person, ben: Person, paintings: Channel
) -> None:
    for number in range(40):
        await ana.say(paintings, f"line {number}")
    await expect(page.locator(".message")).to_have_count(40)
    list_ = page.locator("#messages")
    button = page.get_by_role("button", name="New answer below")
    await list_.evaluate("list => { list.scrollTop = 0; }")
    await ben.say(paintings, "hello ana")
    await expect(button).to_contain_text("ben: hello ana")
    place = bot.get_partial_messageable(paintings.id)
    message = await place.send(view=layout(discord.ui.TextDisplay("Painting")))
    await expect(button).to_contain_text("painter: Painting")
    preview = discord.ui.MediaGallery[Any](discord.MediaGalleryItem("attachment://preview.jpg", description="soon"))
    view = layout(discord.ui.TextDisplay("Painting: 50 %"), preview)
    await message.edit(view=view, attachments=[picture("preview.jpg")])
    await expect(page.locator("#messages")).to_contain_text("Painting: 50 %")
    await expect(button).to_contain_text("painter: Painting")
    await expect(button).not_to_contain_text("50 %")  # a preview is no news; the picture in its place is
    view = layout(discord.ui.TextDisplay("Here it is"), gallery(1))
    await message.edit(view=view, attachments=pictures(1))
    await expect(button).to_contain_text("painter: Here it is")
    await expect(page.locator("#said")).to_have_text("painter: Here it is")
    assert await list_.evaluate("list => list.scrollTop") == 0
    changes.edit_channel(ana.world, paintings, topic="another topic")  # the page reads everything again
    await expect(page.locator("#topic")).to_have_text("another topic")
    assert await list_.evaluate("list => list.scrollTop") == 0
    await ben.say(paintings, "and now?")
    await expect(button).to_contain_text("ben: and now?")
    await button.press("Enter")
    await expect(button).to_be_hidden()
    await expect(page.locator(".message").last).to_be_focused()
    await expect(page.locator(".message").last).to_be_in_viewport()


async def test_what_was_typed_is_kept_when_the_sandbox_is_gone_and_sent_when_it_is_back(
    page: Page, ana: Person, paintings: Channel
) -> None:
    await page.locator("#input").fill("important words")
    await page.context.set_offline(True)
    await page.route("**/page-api/**", lambda route: route.abort())
    await page.keyboard.press("Enter")
    await expect(page.locator("#hint")).to_contain_text("Not sent: the sandbox does not answer")
    await expect(page.get_by_role("alert").filter(has_text="does not answer")).to_be_visible()
    await expect(page.locator("#input")).to_have_value("important words")
    await page.unroute("**/page-api/**")
    await page.context.set_offline(False)
    await page.locator("#input").press("Enter")
    await expect(page.locator(".message")).to_contain_text("important words")
    await expect(page.locator("#input")).to_have_value("")
    assert [one.content for one in ana.sees(paintings)] == ["important words"]
    await expect(page.locator("#gone")).to_be_hidden()


async def test_a_command_that_is_not_taken_comes_back_with_its_options(page: Page) -> None:
    field = page.locator("#input")
    await field.fill("/echo ")
    await page.keyboard.type("hi")
    await page.get_by_role("button", name="+ times").click()
    await page.keyboard.type("2")
    await field.fill("x" * 101)
    await page.keyboard.press("Enter")
    await expect(page.locator("#hint")).to_contain_text("text is above 100")
    await expect(field).to_have_value("x" * 101)
    await expect(page.locator("[data-option=times]")).to_have_value("2")
    await field.fill("hi")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message")).to_contain_text("calm: hi hi")
