"""Requests that were not accepted: what was typed is kept for its member, unless clause b forbids to keep it."""

from __future__ import annotations

import asyncio

from db import drafts, guild_settings
from domain import ModelProfile, NotAllowed, NotFound, Origin, Request, RequestOptions
from domain.refusals import Draft
from engine.policy import is_too_long, judge
from engine.prepare import as_far_as_possible
from engine.request.settings_text import write_settings
from service.context import Context
from service.jobs import Jobs


class Drafts:
    """What a member may go on with after a sentence such as "this costs more than you have"."""

    def __init__(self, context: Context, jobs: Jobs, profile: ModelProfile) -> None:
        self._context = context
        self._jobs = jobs
        self._profile = profile

    async def keep(
        self,
        wanted: Request | RequestOptions,
        origin: Origin,
        settings: str | None = None,
        *,
        is_approved: bool = False,
    ) -> int | None:
        """Keep it for a day; the draft's id. None if these words may neither be kept nor repeated.

        `settings` is the line as typed, where that could not be read. Many errors come before the policy has judged;
        after its yes (`is_approved`) it is not asked again.
        """
        request = await self._complete(wanted, origin)
        if not is_approved and not await asyncio.to_thread(_may_be_kept, request, origin):
            return None
        async with self._context.writing() as connection:
            line = write_settings(request) if settings is None else settings
            return await drafts.keep(connection, request, line, origin, self._context.now())

    async def fetch(self, draft_id: int, user_id: int, guild_id: int | None, channel_id: int) -> Draft:
        """What the form opens with. Raises NotFound or NotAllowed."""
        kept = await drafts.fetch(self._context.database, draft_id)
        if kept is None:
            raise NotFound("This request is not stored any more; its words still stand in the message above.")
        request, settings, origin = kept
        if origin.user_id != user_id:
            raise NotAllowed("Only the member whose request this was can change it.")
        return await open_draft(self._jobs, request, settings, origin, guild_id, channel_id)

    async def _complete(self, wanted: Request | RequestOptions, origin: Origin) -> Request:
        if not isinstance(wanted, RequestOptions):
            return wanted
        settings = await guild_settings.load(self._context.database, origin.place.guild_id or 0)
        return as_far_as_possible(wanted, self._profile, settings)


def _may_be_kept(request: Request, origin: Origin) -> bool:
    return not is_too_long(request) and judge(request, origin.place).clause != "b"


async def open_draft(
    jobs: Jobs, request: Request, settings: str, origin: Origin, guild_id: int | None, channel_id: int
) -> Draft:
    """What was kept, for its form. Raises NotAllowed where it may not be opened.

    That is another server, and for a start picture another channel: it may be from one for adults.
    """
    place = origin.place
    if place.guild_id != guild_id:
        raise NotAllowed("This works in the server where you asked.")
    if request.init_image is not None and channel_id not in (place.channel_id, origin.parent_channel_id):
        raise NotAllowed(f"This has a start picture, so it opens only where you asked: in <#{place.channel_id}>.")
    parent = await jobs.find(origin.parent_id) if origin.parent_id is not None else None
    return Draft(request, settings, parent.id if parent else None, origin.parent_number if parent else None)
