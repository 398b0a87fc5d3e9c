"""From any interaction (slash command, button, modal) to an accepted job: the one way in for Discord's people."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from cogs.core.answers import LOST
from cogs.core.bot import Interaction
from cogs.core.channels import origin_of, require_permissions
from cogs.imagine.progress import Progress
from domain import ConsentRequired, InvalidRequest, JobSource, Origin, PromptRefused, Request, RequestOptions, UserError

log = logging.getLogger(__name__)

Done = TypeVar("Done")
Wanted = Request | RequestOptions
Built = TypeVar("Built", bound=Wanted)

# Discord forgets an interaction that is not answered within 3 seconds; past this we say "thinking" first.
PATIENCE_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Typed:
    """What a member typed; `settings` is the form's text of settings, where that could not be read."""

    wanted: Wanted
    settings: str | None = None


class Unpainted(UserError):
    """What could not be painted, with its words; `draft_id` is where they are kept."""

    def __init__(self, error: UserError, wanted: Wanted, draft_id: int) -> None:
        super().__init__(str(error))
        self.wanted, self.draft_id = wanted, draft_id


async def submit(
    interaction: Interaction,
    wanted: Wanted | Coroutine[Any, Any, Wanted],
    *,
    source: JobSource,
    parent_id: int | None = None,
    parent_number: int | None = None,
    typed: Typed | None = None,
) -> None:
    """Submit a request and show its message. Raises UserError, mostly as Unpainted, which keeps the words.

    A request that takes time to put together (a download, a look into the database) is given as a coroutine: Discord's
    patience has begun already; `typed` is what it is put together from, for where that fails.
    """
    origin = origin_of(interaction, source, parent_id, parent_number)

    async def go_on(built: Wanted) -> None:
        require_permissions(interaction)
        await _submit(interaction, built, origin)

    await in_time(interaction, _or_keep_words(interaction, wanted, go_on, typed, origin))


async def keep(
    interaction: Interaction, wanted: Coroutine[Any, Any, Request], origin: Origin, typed: Typed
) -> tuple[int, Request]:
    """Keep a form's request for its second page; the draft's id. Raises UserError as `submit` does."""
    built = await _or_keep_words(interaction, wanted, _as_it_is, typed, origin)
    draft_id = await interaction.client.service.drafts.keep(built, origin)
    if draft_id is None:
        raise InvalidRequest("I may not keep these words for a second page, so nothing was kept or painted.")
    return draft_id, built


async def _as_it_is(built: Request) -> Request:
    return built


async def _or_keep_words(
    interaction: Interaction,
    wanted: Built | Coroutine[Any, Any, Built],
    go_on: Callable[[Built], Coroutine[Any, Any, Done]],
    typed: Typed | None,
    origin: Origin,
) -> Done:
    """Put together what is wanted and go on with it; where either fails, the error comes with the words kept."""
    kept = typed
    try:
        built = await wanted if isinstance(wanted, Coroutine) else wanted
        kept = Typed(built)
        return await go_on(built)
    except (ConsentRequired, PromptRefused):
        raise  # these keep the request themselves
    except UserError as error:
        raise await _keeping(interaction, error, kept, origin) from error


async def _keeping(interaction: Interaction, error: UserError, typed: Typed | None, origin: Origin) -> UserError:
    """The error with the words kept; as it is where there are none, none that may be repeated, or no room for them."""
    if typed is None or not typed.wanted.prompt.strip():
        return error
    drafts = interaction.client.service.drafts
    try:
        draft_id = await drafts.keep(typed.wanted, origin, typed.settings, is_approved=error.is_approved)
    except Exception:  # what went wrong first is what the member must hear
        log.exception("what user %d typed can't be kept", interaction.user.id)
        return error
    return error if draft_id is None else Unpainted(error, typed.wanted, draft_id)


async def submit_kept(interaction: Interaction, request: Request, origin: Origin) -> None:
    """Submit a request whose origin is known already: it waited for its member's agreement."""
    await in_time(interaction, _submit(interaction, request, origin))


async def _submit(interaction: Interaction, wanted: Wanted, origin: Origin) -> None:
    # Before anything is paid for: while the bot stops there may be none any more.
    progress = interaction.client.cog(Progress)
    job = await interaction.client.service.submit(wanted, origin)
    await progress.show(interaction, job)


async def in_time(interaction: Interaction, work: Coroutine[Any, Any, Done]) -> Done:
    """Do the work, and let Discord say "thinking" if it takes longer than an unanswered interaction lives."""
    working = asyncio.create_task(work)
    await asyncio.wait({working}, timeout=PATIENCE_SECONDS)
    if not working.done() and not interaction.response.is_done():
        try:
            await interaction.response.defer(thinking=True)
        except LOST as error:  # the work goes on, and may be paid for: it alone decides what is said
            log.info("interaction %d could not be told to wait: %s", interaction.id, error)
    return await working
