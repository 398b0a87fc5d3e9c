"""The colours of our cards."""

from __future__ import annotations

BLUE = 0x5B8DEF
GREEN = 0x57A773
GREY = 0x8A8F98
RED = 0xC8553D
GOLD = 0xD4A017
AMBER = 0xE0A030
