"""The REST side: every route that the bot may ask for, from the modules of its topics."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.rest.application import ApplicationRoutes
from sandbox.rest.bot_messages import BotMessages
from sandbox.rest.channels import ChannelRoutes
from sandbox.rest.guilds import GuildRoutes
from sandbox.rest.interactions import InteractionRoutes
from sandbox.rest.messages import MessageRoutes
from sandbox.rest.routing import Route
from sandbox.world.world import World


def all_routes(world: World, base_url: Callable[[], str], report: Callable[[str], None]) -> list[Route]:
    """Method, path below `/api/v10`, handler. Literal paths stand before those with placeholders.

    `report` hears of requests that were taken although something in them is wrong.
    """
    bot_messages = BotMessages(world, base_url, report)
    topics = [
        ApplicationRoutes(bot_messages, base_url),
        InteractionRoutes(bot_messages),
        GuildRoutes(bot_messages),
        ChannelRoutes(bot_messages),
        MessageRoutes(bot_messages),
    ]
    return [route for topic in topics for route in topic.routes()]
