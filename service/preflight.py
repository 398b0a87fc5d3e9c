"""What `python bot.py --check` finds out about the machine, the database and the model.

The database is opened as a start opens it: one that is missing is made, and an older one is brought up to date.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from db.database import DatabaseError
from db.integrity import find_damage
from db.opening import opened_alone
from db.picture_folder import find_months
from domain import Place, Request, SafetyLevel, SafetyVerdict, Task, UserError
from domain.findings import Finding, Health
from engine.policy import RULE_SET, approve
from engine.policy.semantic import default_model
from engine.safety import SafetyChecker
from engine.sampling.device import describe_device
from engine.worker.backend import Backend

LOW_DISK_BYTES = 2**30
SHORT_RUN, LONG_RUN = 1, 3


async def check_database(path: Path, now: datetime) -> list[Finding]:
    """Whether the database opens, is whole, and has room to grow."""
    try:
        async with opened_alone(path, now) as database:
            version = await database.fetch_schema_version()
            kept_because = database.pictures.kept_because
            files = [path, *find_months(database.pictures.folder).values()]
    except DatabaseError as error:
        return [Finding(name="database", words=str(error), health=Health.FAIL), check_disk(path.parent)]
    damage = [f"{one.name}: {line}" for one in files for line in await asyncio.to_thread(find_damage, one)]
    older = [Finding(name="pictures", words=kept_because, health=Health.WARN)] if kept_because else []
    opened = Finding(name="database", words=f"{path}, schema {version}")
    return [opened, *older, _integrity(damage), check_disk(path.parent)]


def _integrity(damage: list[str]) -> Finding:
    if not damage:
        return Finding(name="integrity", words="every page, index and reference of the database is whole")
    words = f"the database is damaged ({'; '.join(damage)}). Stop the bot and restore a backup."
    return Finding(name="integrity", words=words, health=Health.FAIL)


def check_disk(folder: Path) -> Finding:
    """The free space where the database grows."""
    place = next((one for one in (folder, *folder.absolute().parents) if one.is_dir()), Path())
    free = shutil.disk_usage(place).free
    words = f"{free / 2**30:.1f} GiB free for the database in {folder}"
    if free < LOW_DISK_BYTES:
        return Finding(name="disk", words=f"{words}; that is soon used up by pictures", health=Health.WARN)
    return Finding(name="disk", words=words)


def check_device(wanted: str) -> Finding:
    """Where the model is put, and why. Raises ModelUnavailable."""
    return Finding(name="device", words=describe_device(wanted))


def check_policy() -> Finding:
    """The rules, and the model that reads what they don't name."""
    if default_model() is None:
        words = f"rule set {RULE_SET}, but its language model is missing, so that rules alone decide"
        return Finding(name="policy", words=words, health=Health.WARN)
    return Finding(name="policy", words=f"rule set {RULE_SET} with its language model")


def check_picture_check(checker: SafetyChecker) -> Finding:
    """Whether pictures can be looked at before they are shown."""
    from PIL import Image

    report = checker.check([Image.new("RGB", (64, 64), "white")], SafetyLevel.STRICT)[0]
    if report.verdict is SafetyVerdict.ERROR:
        words = "its models can't be loaded, so every picture would be withheld"
        return Finding(name="picture check", words=words, health=Health.FAIL)
    return Finding(name="picture check", words="works")


def check_model(backend: Backend) -> list[Finding]:
    """Who the model is, what came with it, and how long a picture takes."""
    profile = backend.profile
    identity = profile.identity
    return [
        Finding(
            name="model",
            words=f"{identity.name}, {identity.weights}, {identity.dtype}, SHA-256 {identity.sha256[:16]}…",
        ),
        Finding(
            name="companions",
            words=f"the model's own VAE, scheduler ({profile.scheduler}) and tokenizer ({profile.token_window} tokens "
            "a window)",
        ),
        _speed(backend),
    ]


def _speed(backend: Backend) -> Finding:
    profile = backend.profile
    width, height = profile.shapes["square"]
    try:
        seconds = estimate_seconds(backend)
    except UserError as error:
        return Finding(name="speed", words=f"a trial picture failed: {error}", health=Health.FAIL)
    what = f"a picture of {width}×{height} in {profile.num_inference_steps} steps"
    return Finding(name="speed", words=f"about {seconds:.2g} s for {what}, from short runs just now")


def estimate_seconds(backend: Backend, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds for one picture of the model's own size and steps, from two short paintings after one to warm up.

    A step's time is the difference of the two; the rest (text, decoding, picture check) is paid once. Raises UserError.
    """
    _paint(backend, SHORT_RUN)
    times: list[float] = []
    for steps in (SHORT_RUN, LONG_RUN):
        started = clock()
        _paint(backend, steps)
        times.append(clock() - started)
    step = max(times[1] - times[0], 0.0) / (LONG_RUN - SHORT_RUN)
    return times[0] + step * (backend.profile.num_inference_steps - SHORT_RUN)


def _paint(backend: Backend, steps: int) -> None:
    profile = backend.profile
    width, height = profile.shapes["square"]
    request = Request(
        prompt="tree",
        width=width,
        height=height,
        num_inference_steps=steps,
        guidance_scale=profile.guidance_scale,
        scheduler=profile.scheduler,
        seed=0,
    )
    backend.submit(Task(job_id=1, user_id=0, approved=approve(request, Place())), lambda _progress: None).result()
