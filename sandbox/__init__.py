"""A loopback Discord: the bot's tests run on it, and newcomers try the bot in it.

Rooms, each of which imports only from those after it: `page` (the sandbox page) and `people` (what people do), `server`
and `gateway` (what discord.py talks to), `rest` (the routes and what they refuse), `world` (the state and its rules).
"""

from sandbox.rest.limits import Fault
from sandbox.server import LoopbackDiscord
from sandbox.world.world import default_world

__all__ = ["Fault", "LoopbackDiscord", "default_world"]
