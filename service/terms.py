"""The licence's side: the terms, who agreed to them, and requests that wait for an agreement."""

from __future__ import annotations

from db import agreements
from domain import NotAllowed, NotFound, Origin, Request
from domain.terms import Terms as TermsText
from engine.policy.licence import (
    ATTRIBUTION,
    LICENCE_NAME,
    PLAIN_RESTRICTIONS,
    TERMS_NOTICE,
    TERMS_VERSION,
    licence_text,
)
from service.context import Context


class Terms:
    """Members agree each for themselves; somebody who manages a server agrees for it."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @property
    def text(self) -> TermsText:
        """The terms as they are today."""
        return TermsText(
            version=TERMS_VERSION,
            notice=TERMS_NOTICE,
            restrictions=PLAIN_RESTRICTIONS,
            licence_name=LICENCE_NAME,
            attribution=ATTRIBUTION,
        )

    def licence_text(self) -> str:
        """The licence in full, as everybody must be able to get it."""
        return licence_text()

    async def has_agreed(self, user_id: int) -> bool:
        return await agreements.has_agreed(self._context.database, user_id, TERMS_VERSION)

    async def agree(self, user_id: int, pending_id: int | None = None) -> tuple[Request, Origin] | None:
        """Record the member's agreement and hand back the request that was waiting for it, if there is one."""
        async with self._context.writing() as connection:
            await agreements.agree(connection, user_id, TERMS_VERSION, self._context.now())
            if pending_id is None:
                return None
            return await agreements.take_request(connection, pending_id, user_id)

    async def agree_for_guild(self, guild_id: int, user_id: int) -> None:
        """Record that somebody who manages the server agreed to the terms for it."""
        async with self._context.writing() as connection:
            await agreements.agree_for_guild(connection, guild_id, user_id, TERMS_VERSION, self._context.now())

    async def keep_request(self, request: Request, origin: Origin) -> int:
        """Keep a request while its member reads the terms; returns the id for the "I agree" button."""
        async with self._context.writing() as connection:
            return await agreements.keep_request(connection, request, origin, self._context.now())

    async def require_pending(self, pending_id: int, user_id: int) -> None:
        """Raise NotFound if the kept request is gone, NotAllowed if it is somebody else's."""
        owner_id = await agreements.fetch_owner(self._context.database, pending_id)
        if owner_id is None:
            raise NotFound("This request does not wait any more; please write it again.")
        if owner_id != user_id:
            raise NotAllowed("Only the author of the message can do this; your own first message asks you, too.")
