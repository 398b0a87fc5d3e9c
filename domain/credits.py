"""Picture credits in words."""

from __future__ import annotations

from typing import overload

MILLICREDITS = 1000


def credits_in_digits(millicredits: int) -> str:
    """`1`, `1.6`, `1,200`, `0.25`: as fine as people care, never rounded to nothing."""
    digits = 1 if millicredits >= MILLICREDITS else 2
    amount = f"{millicredits / MILLICREDITS:,.{digits}f}".rstrip("0").rstrip(".") if millicredits else "0"
    return "0.01" if amount == "0" and millicredits > 0 else amount


def credits_in_words(millicredits: int) -> str:
    """`1 credit`, `1.6 credits`."""
    amount = credits_in_digits(millicredits)
    return f"{amount} credit" if amount == "1" else f"{amount} credits"


@overload
def to_millicredits(credits: float) -> int: ...
@overload
def to_millicredits(credits: float | None) -> int | None: ...
def to_millicredits(credits: float | None) -> int | None:
    """Credits as people type them, in thousandths; None stays None."""
    return None if credits is None else round(credits * MILLICREDITS)
