"""What a server's moderators choose, for the server and for single channels."""

from __future__ import annotations

from typing import Any

from db import appeals, guild_settings
from domain import InvalidRequest
from domain.settings import BOUNDS, CHOICES, ChannelSettings, GuildSettings, ServerPanel
from service.context import Context, Topic

MAX_MODERATOR_ROLES = 10


class ServerSettings:
    """Every change is checked, and written together with its line in the audit log."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def fetch(self, guild_id: int) -> GuildSettings:
        """The server's settings, as last committed."""
        return await guild_settings.load(self._context.database, guild_id)

    async def fetch_channel(self, guild_id: int, channel_id: int) -> ChannelSettings:
        """A channel's settings; for a thread, ask for the channel that it belongs to."""
        return await guild_settings.load_channel(self._context.database, guild_id, channel_id)

    async def needs_approval(self, *channel_ids: int) -> bool:
        """Whether pictures wait for a moderator's yes in one of the channels (a thread and its parent)."""
        return await appeals.needs_approval(self._context.database, channel_ids)

    async def fetch_panel(self, guild_id: int, channel_id: int) -> ServerPanel:
        """What the settings panel shows when it is opened in this channel (for a thread: its parent)."""
        settings, channel = await guild_settings.load_both(self._context.database, guild_id, channel_id)
        return ServerPanel(settings=settings, channel=channel, needs_approval=await self.needs_approval(channel_id))

    async def change_in_panel(
        self, guild_id: int, actor_id: int, panel_channel_id: int, *, channel_id: int = 0, **values: Any
    ) -> ServerPanel:
        """Save what a form of the panel says, and give what the panel shows from now on. Raises InvalidRequest."""
        await self.change(guild_id, actor_id, channel_id=channel_id, **values)
        return await self.fetch_panel(guild_id, panel_channel_id)

    async def change_moderators(self, guild_id: int, actor_id: int, role_id: int, *, remove: bool) -> tuple[int, ...]:
        """Let a role moderate the bot, or no longer; returns all roles that do. Raises InvalidRequest."""
        if role_id == guild_id:  # Discord's @everyone
            raise InvalidRequest("Everyone can't be a moderator. Choose another role.")
        async with self._context.writing(Topic.SETTINGS, Topic.AUDIT) as connection:
            before = (await guild_settings.load_in(connection, guild_id)).moderator_role_ids
            roles = tuple(role for role in before if role != role_id) + (() if remove else (role_id,))
            if len(roles) > MAX_MODERATOR_ROLES:
                raise InvalidRequest(f"At most {MAX_MODERATOR_ROLES} roles can moderate.")
            await guild_settings.change(connection, guild_id, actor_id, self._context.now(), moderator_role_ids=roles)
        return roles

    async def change(self, guild_id: int, actor_id: int, *, channel_id: int = 0, **values: Any) -> None:
        """Set values of the server, or of one channel. Raises InvalidRequest with a sentence for one that can't be."""
        for name, value in values.items():
            require_valid(name, value)
        async with self._context.writing(Topic.SETTINGS, Topic.AUDIT) as connection:
            await guild_settings.change(
                connection, guild_id, actor_id, self._context.now(), channel_id=channel_id, **values
            )


def require_valid(name: str, value: Any) -> None:
    """Raise InvalidRequest if the setting can't have this value."""
    words = name.replace("_", " ")
    if name in BOUNDS and value is not None:
        low, high = BOUNDS[name]
        if not low <= value <= high:
            raise InvalidRequest(f"The setting “{words}” takes a whole number from {low} to {high}.")
    if name in CHOICES and value is not None:
        given: tuple[str, ...] = (value,) if isinstance(value, str) else tuple(value)
        if any(item not in CHOICES[name] for item in given):
            raise InvalidRequest(f"The setting “{words}” takes one of: {', '.join(CHOICES[name])}.")
