"""What a client does not let people do."""

from __future__ import annotations


class Refused(Exception):
    """The client would not let this person do that; the text says why."""
