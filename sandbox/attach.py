"""Point discord.py at a loopback Discord: in this process, or for a whole program.

    python -m sandbox.attach --port 8765 -- bot.py --env-file /tmp/x/.env

runs `bot.py` as `python bot.py …` would, only that its Discord is the one on that port of this machine. There is no
setting for this in the bot: a bot that runs for real can't be led elsewhere by its environment.
"""

from __future__ import annotations

import argparse
import runpy
import sys

from sandbox.endpoints import point_discord_at


def main(arguments: list[str] | None = None) -> None:
    """Run a program with its Discord on a port of this machine."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.attach", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("program", help="a Python file")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    sys.argv = [options.program, *options.arguments]
    sys.path.insert(0, ".")
    with point_discord_at(options.port):
        runpy.run_path(options.program, run_name="__main__")


if __name__ == "__main__":
    main()
