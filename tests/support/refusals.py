"""Prompts that the policy refuses, one of each kind that matters to moderators."""

from __future__ import annotations

FORBIDDEN = "roadkill"  # a house rule refuses it, alone or among other words
PHRASE = f"{FORBIDDEN} cafe sign"  # a house rule refuses it, and a server may lift that
LIFTABLE = f"1girl, sunset, {PHRASE}"
LICENSED = "a forged passport"  # a clause of the licence refuses it, and no server can lift that
