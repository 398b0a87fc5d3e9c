"""Refusals as their own member reads them again, and requests that wait for their member to change them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.cases import Case, Grounds
from domain.frozen import frozen
from domain.requests import Request
from domain.settings import GuildSettings


@frozen
class Refused:
    """One refusal, for its member alone. `text` is what they read; the words are None where nothing may be shown again.

    `marks` are (start, end) of what met the rule, in `prompt`. `is_editable`: the request is kept, so that a form can
    open with it. `case` is the member's appeal, if there is one.
    """

    id: int
    text: str
    decided_at: datetime
    prompt: str | None = None
    negative_prompt: str | None = None
    marks: tuple[tuple[int, int], ...] = ()
    is_appealable: bool = False
    is_editable: bool = False
    case: Case | None = None


@frozen
class StoredRefusal:
    """What is stored about a refusal. `is_kept`: the request is there, too, so that a form can open with it.

    `case` is the member's appeal. `struck_at` are the times of the live strikes up to the one that it became, oldest
    first; empty if it is none (any more). `settings` are its server's.
    """

    grounds: Grounds
    case: Case | None
    is_kept: bool
    struck_at: tuple[datetime, ...]
    settings: GuildSettings


@dataclass(frozen=True, slots=True)
class Draft:
    """What a form opens with: a request that is not painted yet, and its settings as text (menus, then numbers).

    `parent_id` and `parent_number` name the picture that it was made from.
    """

    request: Request
    settings: str
    parent_id: int | None = None
    parent_number: int | None = None
