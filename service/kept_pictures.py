"""Keeping pictures: a member's own mark on any picture that they may see."""

from __future__ import annotations

from collections.abc import Sequence

from db import kept_pictures
from domain import NotFound
from service.context import Context


class KeptPictures:
    """A mark delays nothing: it goes when the picture is deleted, withheld or not stored any longer."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def toggle(self, user_id: int, job_id: int, numbers: Sequence[int]) -> bool:
        """Keep these pictures of a job (counted from 1), or no longer if all of them are kept; whether they are now.

        Raises NotFound if none of them is stored.
        """
        positions = [number - 1 for number in numbers]
        async with self._context.writing() as connection:
            if await kept_pictures.keep(connection, user_id, job_id, positions, self._context.now()):
                return True
            if not await kept_pictures.count(connection, user_id, job_id, positions):
                raise NotFound("This picture is not stored any more.")
            await kept_pictures.give_back(connection, user_id, job_id, positions)
        return False
