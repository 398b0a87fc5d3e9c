"""Whether Discord takes the token, and gives the bot what it needs: its intents, and its permissions in each server.

Asks by REST alone; the bot appears nowhere while it is checked.
"""

from __future__ import annotations

import asyncio

import discord
from discord.http import HTTPClient

from cogs.core.answers import LOST
from cogs.core.channels import NEEDED, NEEDED_IN_THREADS, names_of_missing
from domain.findings import Finding, Health

PAGE = 200
MAX_SERVERS = 1_000
# What README's invite link asks for: prompt channels read back, open threads, and take away what is no prompt.
INVITED = (
    NEEDED
    | NEEDED_IN_THREADS
    | discord.Permissions(read_message_history=True, create_public_threads=True, manage_messages=True)
)


async def check_discord(token: str, *, message_content: bool) -> list[Finding]:
    """The account, its intents and its servers."""
    client = HTTPClient(asyncio.get_running_loop())
    try:
        user = await client.static_login(token)
        account = Finding(name="Discord", words=f"logged in as {user['username']}")
        flags = discord.ApplicationFlags._from_value(int((await client.application_info()).get("flags", 0)))
        return [account, _intents(flags, message_content), *await _servers(client)]
    except discord.LoginFailure:
        words = "does not accept DISCORD_TOKEN; copy it again from your application's Bot page"
    except (*LOST, ValueError) as error:
        words = f"can't be reached ({error})"
    finally:
        await client.close()
    return [Finding(name="Discord", words=words, health=Health.FAIL)]


def _intents(flags: discord.ApplicationFlags, wanted: bool) -> Finding:
    allowed = flags.gateway_message_content or flags.gateway_message_content_limited
    if wanted and not allowed:
        words = (
            "MESSAGE_CONTENT_INTENT is true, but Message Content Intent is off on the Bot page: switch it on there, "
            "or set MESSAGE_CONTENT_INTENT=false"
        )
        return Finding(name="intents", words=words, health=Health.FAIL)
    if wanted:
        return Finding(name="intents", words="message content: on, as MESSAGE_CONTENT_INTENT says")
    hint = "; it is allowed, so MESSAGE_CONTENT_INTENT=true would do" if allowed else ""
    return Finding(name="intents", words=f"message content: not asked for (prompt channels need a mention){hint}")


async def _servers(client: HTTPClient) -> list[Finding]:
    """One line about all servers, and one for each in which a permission of the invite link is missing."""
    missing: list[Finding] = []
    count, after = 0, None
    while count < MAX_SERVERS:
        page = await client.get_guilds(limit=PAGE, after=after)
        count += len(page)
        for guild in page:
            if names := names_of_missing(INVITED, _held(int(guild.get("permissions", 0)))):
                words = f"{guild['name']} ({guild['id']}) doesn't give the bot: {names}"
                missing.append(Finding(name="permissions", words=words, health=Health.WARN))
        if len(page) < PAGE:
            break
        after = int(page[-1]["id"])
    words = f"{count}, {count - len(missing)} of them with all permissions of the invite link"
    return [Finding(name="servers", words=words), *missing]


def _held(value: int) -> discord.Permissions:
    held = discord.Permissions(value)
    return discord.Permissions.all() if held.administrator else held
