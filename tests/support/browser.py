"""Debian's Chromium, headless, on the sandbox page of a loopback Discord."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from playwright.async_api import Page, async_playwright, expect

from sandbox.page.server import PageServer
from sandbox.server import LoopbackDiscord
from sandbox.world.world import default_world

CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
PATIENCE_MS = 120_000  # a busy machine may take its time
NEEDS_CHROMIUM = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium; .ci/run installs it")
expect.set_options(timeout=PATIENCE_MS)


@dataclass(slots=True)
class Opened:
    """The page, and what went wrong in it."""

    page: Page
    errors: list[str]


@asynccontextmanager
async def opened_page(url: str) -> AsyncGenerator[Opened]:
    """A browser window of a desk's size; nothing may go wrong in its scripts."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            page = await browser.new_page(viewport={"width": 1280, "height": 860})
            errors: list[str] = []
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.set_default_timeout(PATIENCE_MS)
            await page.goto(url)
            yield Opened(page, errors)
            assert errors == []
        finally:
            await browser.close()


@asynccontextmanager
async def server_with_page() -> AsyncGenerator[LoopbackDiscord]:
    """A loopback Discord with its page, for ana, ben and mira; at the end nothing may have broken Discord's rules."""
    server = LoopbackDiscord(default_world())
    people = {user.name: user.id for user in server.world.users.values()}
    PageServer(server, [people["ana"], people["ben"], people["mira"]], "tiny model").mount()
    async with server:
        yield server
    assert not server.violations, "\n".join(server.violations)


@pytest.fixture
async def discord_server() -> AsyncGenerator[LoopbackDiscord]:
    """For modules that import it: their loopback Discord has its page."""
    async with server_with_page() as server:
        yield server


@pytest.fixture
async def page(discord_server: LoopbackDiscord, bot: object) -> AsyncGenerator[Page]:
    """The page of that server in a browser, with the bot of tests/sandbox logged in."""
    async with opened_page(discord_server.base_url) as opened:
        yield opened.page
