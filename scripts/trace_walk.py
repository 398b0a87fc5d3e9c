"""Count the files that one request enters, by a trace of the real bot on the loopback Discord.

    python scripts/trace_walk.py [--files]

Every call in every thread is heard (`sys.setprofile`); a file counts once for a trip, however often it is entered, and
only functions count: what a module does when it is imported happened before. The loopback Discord, the tests and the
libraries are left out.

`own task` are the files that the interaction's own task enters until it ends, with the threads and tasks that are begun
from it: discord.py begins a task for each interaction, and a context variable that is set at its first call goes along.
`worker` are the files entered in the threads of the GPU and of what follows it, and `all` adds the tasks beside: the
end of the job, its delivery, the posts that a topic wakes.

An entry into the engine is a call of the own task from a file outside of it into one inside; those before the hand-over
to the backend are listed. What the bot does anyway, whatever is asked, is measured beside the trips, for half a second.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)] if str(ROOT) not in sys.path else []

from domain import Place, Request  # noqa: E402  the root must be on the path
from engine.policy import judge  # noqa: E402
from engine.safety import FixedScores  # noqa: E402
from engine.sampling.model import load_model  # noqa: E402
from scripts.random_model import build_random_model  # noqa: E402
from tests.support.refusals import LIFTABLE  # noqa: E402
from tests.support.stage import Stage, make_stage  # noqa: E402

ROOMS = ("cogs", "service", "engine", "db", "domain")
HAND_OVER = ("engine/worker/local_backend.py", "submit")
# Where discord.py begins with an interaction: a command, a button of a view, a lasting button, a form.
BEGINNINGS = {
    ("app_commands/tree.py", "_call"),
    ("ui/view.py", "_scheduled_task"),
    ("ui/view.py", "schedule_dynamic_item_call"),
    ("ui/modal.py", "_scheduled_task"),
}
SETTLE_SECONDS = 0.5

Trip = Callable[[Stage], Awaitable[None]]

# The interaction's task, in it and in what was begun from it.
own_task: ContextVar[asyncio.Task[Any] | None] = ContextVar("own_task", default=None)


@dataclass
class Walk:
    """Where one trip led."""

    own: Counter[str] = field(default_factory=Counter[str])
    worker: Counter[str] = field(default_factory=Counter[str])
    files: Counter[str] = field(default_factory=Counter[str])
    entries: list[str] = field(default_factory=list[str])  # into the engine, before the hand-over
    is_handed_over: bool = False

    def own_in(self, room: str) -> int:
        return sum(file.startswith(f"{room}/") for file in self.own)


class Tracer:
    """Hears every call in threads that begin after `install`, and writes down those of the walk under way."""

    def __init__(self) -> None:
        self.walk: Walk | None = None
        self._names: dict[str, str | None] = {}

    def install(self) -> None:
        threading.setprofile(self._on_event)
        sys.setprofile(self._on_event)

    def remove(self) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def _on_event(self, frame: FrameType, event: str, _: Any) -> None:
        walk = self.walk
        if walk is None or event != "call":
            return
        name = self._name(frame)
        if name is None:
            if self._is_beginning(frame):
                own_task.set(asyncio.current_task())
            return
        if frame.f_code.co_name in ("<module>", "<lambda>"):
            return
        walk.files[name] += 1
        is_main = threading.current_thread() is threading.main_thread()
        task = own_task.get()
        if task is not None and not task.done():
            walk.own[name] += 1
            self._note_entry(walk, name, frame)
        elif not is_main:
            walk.worker[name] += 1

    def _note_entry(self, walk: Walk, name: str, frame: FrameType) -> None:
        walk.is_handed_over |= (name, frame.f_code.co_name) == HAND_OVER
        if not name.startswith("engine/") or walk.is_handed_over:
            return
        caller = self._caller(frame)
        if caller is None or not caller.startswith("engine/"):
            walk.entries.append(f"{caller or 'a thread'} → {name}:{frame.f_code.co_qualname}")

    @staticmethod
    def _is_beginning(frame: FrameType) -> bool:
        code = frame.f_code
        if "/discord/" not in code.co_filename:
            return False
        return ("/".join(code.co_filename.rsplit("/", 2)[1:]), code.co_name) in BEGINNINGS

    def _caller(self, frame: FrameType) -> str | None:
        """The nearest file of ours that this call came from."""
        back = frame.f_back
        while back is not None and self._name(back) is None:
            back = back.f_back
        return None if back is None else self._name(back)

    def _name(self, frame: FrameType) -> str | None:
        """The file's path from the project's root; None where it is not the product's."""
        path = frame.f_code.co_filename
        if path not in self._names:
            inside = path.removeprefix(f"{ROOT}/")
            is_ours = inside != path and inside.startswith((*(f"{room}/" for room in ROOMS), "bot.py", "settings.py"))
            self._names[path] = inside if is_ours else None
        return self._names[path]


async def nothing(_: Stage) -> None:
    """What runs anyway."""


async def imagine(stage: Stage) -> None:
    await stage.picture(stage.ana, steps=4)


async def quota_set(stage: Stage) -> None:
    asked = await stage.mira.slash(stage.paintings, "quota set", member=stage.ana.id, per_hour=50.0)
    assert stage.mira.answer(asked).only_for == stage.mira.id


async def appeal(stage: Stage) -> None:
    (refusal,) = [one for one in stage.ana.sees(stage.paintings) if one.only_for == stage.ana.id]
    form = await stage.ana.click(refusal, "Appeal")
    answer = stage.ana.answer(await stage.ana.submit(form, statement="a café's name"))
    assert answer.only_for == stage.ana.id


async def be_refused(stage: Stage) -> None:
    """The appeal's way begins at the button under a refusal."""
    await stage.ana.slash(stage.paintings, "imagine", prompt=LIFTABLE)


async def be_refused_where_cards_are_shown(stage: Stage) -> None:
    await stage.choose_review_channel()
    await be_refused(stage)


TRIPS: dict[str, tuple[Trip, Trip]] = {
    "nothing": (nothing, nothing),
    "/imagine to the UNet and back": (nothing, imagine),
    "/quota set": (nothing, quota_set),
    "appeal: button and form": (be_refused, appeal),
    "appeal, and its card in the review channel": (be_refused_where_cards_are_shown, appeal),
}


async def take(tracer: Tracer, before: Trip, trip: Trip, model: Any) -> Walk:
    """One trip on a stage of its own."""
    with tempfile.TemporaryDirectory() as folder:
        async with make_stage(Path(folder), model, FixedScores()) as stage:
            await stage.agree(stage.ana)
            await before(stage)
            await asyncio.sleep(SETTLE_SECONDS)
            walk = tracer.walk = Walk()
            await trip(stage)
            await asyncio.sleep(SETTLE_SECONDS)
            tracer.walk = None
    return walk


async def take_all(tracer: Tracer, model: Any) -> dict[str, Walk]:
    return {name: await take(tracer, before, trip, model) for name, (before, trip) in TRIPS.items()}


def table(walks: dict[str, Walk]) -> str:
    """The walks as a Markdown table."""
    heads = ["trip", "own task", *ROOMS, "of these policy", "worker", "all", "entries into the engine"]
    lines = [heads, ["---"] * len(heads)]
    for name, walk in walks.items():
        numbers = [len(walk.own), *(walk.own_in(room) for room in ROOMS), walk.own_in("engine/policy")]
        numbers += [len(walk.worker), len(walk.files), len(walk.entries)]
        lines.append([name, *map(str, numbers)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Count the files that one request enters.")
    parser.add_argument("--files", action="store_true", help="name each file and each entry into the engine, too")
    options = parser.parse_args(arguments)
    usual = Request(
        prompt="1girl", width=64, height=64, num_inference_steps=1, guidance_scale=1.0, scheduler="ddim", seed=0
    )
    judge(usual, Place())  # the rules are read once, before the first request
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # under the trace everything is slow
    tracer = Tracer()
    with tempfile.TemporaryDirectory() as folder:
        model = load_model(str(build_random_model(Path(folder) / "tiny", "tiny")))
        tracer.install()
        try:
            walks = asyncio.run(take_all(tracer, model))
        finally:
            tracer.remove()
    print(table(walks))
    if options.files:
        for name, walk in walks.items():
            print(f"\n{name}:")
            for file in sorted(walk.files):
                who = [word for word, part in (("own task", walk.own), ("worker", walk.worker)) if file in part]
                print(f"  {file}: {', '.join(who) or 'beside'}")
            print(*(f"  entry: {entry}" for entry in walk.entries), sep="\n")


if __name__ == "__main__":
    main()
