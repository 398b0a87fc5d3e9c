"""Consoles that can't show every character: what they can't show is escaped instead of ending the program."""

from __future__ import annotations

import io
import sys


def accept_any_console() -> None:
    """Let standard output and standard error print everything, whatever their code page."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def shows_unicode() -> bool:
    """Whether standard output can hold every character as it is."""
    return (getattr(sys.stdout, "encoding", None) or "").lower().startswith("utf")
