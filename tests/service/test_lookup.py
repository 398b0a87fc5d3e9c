"""“Who made this?” as a use case: by message, by metadata, by looks; never another server's pictures."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from db import jobs as job_rows
from db import picture_hashes, starboard
from domain import Job
from domain.lookup import FoundBy
from engine.images.fingerprint import SAME_SIMILARITY, fingerprint
from engine.images.metadata import write_png
from service.lookup import Lookup
from tests.support.desk import Desk
from tests.support.forgery import forge
from tests.support.people import CHANNEL, GUILD, MODERATOR, OTHER
from tests.support.requests import NOW, PROFILE

PICTURES = Path(__file__).parents[1] / "support" / "pictures"
MESSAGE, COPY = 77, 88
ELSEWHERE = GUILD + 1
SIDE = 512


@pytest.fixture
def lookup(desk: Desk) -> Lookup:
    return desk.service.lookup


def photo(name: str) -> Image.Image:
    with Image.open(PICTURES / f"{name}.jpg") as image:
        return image.convert("RGB").resize((SIDE, SIDE))


def encode(image: Image.Image, form: str = "PNG", **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


async def painted(desk: Desk, name: str, seed: int = 1) -> tuple[Job, bytes]:
    """A delivered job with its picture file, as the engine writes it, and its fingerprint."""
    job = await desk.finish(message_id=MESSAGE + seed, seed=seed)
    png = write_png(photo(name), job.request, seed, PROFILE.identity, job.id)
    async with desk.database.transaction() as connection:
        await connection.execute("UPDATE pictures SET png = ? WHERE job_id = ?", (png, job.id))
        await picture_hashes.store(connection, job.id, [(0, fingerprint(png))])
    return job, png


async def test_a_message_names_its_job_also_on_the_starboard(desk: Desk, lookup: Lookup) -> None:
    job = await desk.finish(message_id=MESSAGE)
    async with desk.database.transaction() as connection:
        await starboard.save(connection, GUILD, CHANNEL, 1, MODERATOR, NOW)
        await starboard.add_star(connection, job.id, OTHER, NOW)
        await starboard.close(connection, job.id, COPY)
    for message_id in (MESSAGE, COPY):
        found = await lookup.find_by_message(message_id, GUILD)
        assert found is not None
        assert (found.job.id, found.by) == (job.id, FoundBy.MESSAGE)
        assert await lookup.find_by_message(message_id, ELSEWHERE) is None
    assert await lookup.find_by_message(1, GUILD) is None


async def test_a_file_says_whose_it_is(desk: Desk, lookup: Lookup) -> None:
    job, png = await painted(desk, "coffee")
    found = await lookup.find_by_picture(png, GUILD)
    assert found is not None
    assert (found.job.id, found.by) == (job.id, FoundBy.METADATA)
    assert await lookup.find_by_picture(png, ELSEWHERE) is None


async def test_forged_words_in_a_file_name_nobody(desk: Desk, lookup: Lookup) -> None:
    _, png = await painted(desk, "coffee")
    assert await lookup.find_by_picture(forge(png, photo("astronaut")), GUILD) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda image: encode(image, "JPEG", quality=60),
        lambda image: encode(image.resize((SIDE // 2, SIDE // 2)), "WEBP", quality=80),
        lambda image: encode(image.crop((60, 0, SIDE, SIDE - 60))),
    ],
    ids=["re-encoded", "resized", "cropped"],
)
async def test_a_copy_is_known_by_its_looks(desk: Desk, lookup: Lookup, change: Callable[[Image.Image], bytes]) -> None:
    job, _ = await painted(desk, "coffee", seed=1)
    await painted(desk, "chelsea", seed=2)
    copy = change(photo("coffee"))
    found = await lookup.find_by_picture(copy, GUILD)
    assert found is not None
    assert (found.job.id, found.by) == (job.id, FoundBy.LOOKS)
    assert SAME_SIMILARITY <= found.likeness <= 1.0
    assert await lookup.find_by_picture(copy, ELSEWHERE) is None
    assert await lookup.find_by_picture(encode(photo("astronaut"), "JPEG"), GUILD) is None


async def test_of_two_that_are_alike_the_most_alike_is_named(desk: Desk, lookup: Lookup) -> None:
    job, _ = await painted(desk, "coffee", seed=1)
    marked = photo("coffee")
    ImageDraw.Draw(marked).ellipse((200, 200, 290, 290), fill=(20, 20, 30))
    other = await desk.finish(message_id=MESSAGE + 2, seed=2)
    async with desk.database.transaction() as connection:
        png = encode(marked)
        await connection.execute("UPDATE pictures SET png = ? WHERE job_id = ?", (png, other.id))
        await picture_hashes.store(connection, other.id, [(0, fingerprint(png))])
    for image, owner in ((photo("coffee"), job), (marked, other)):
        found = await lookup.find_by_picture(encode(image, "JPEG", quality=80), GUILD)
        assert found is not None
        assert found.job.id == owner.id


async def test_an_erased_picture_is_forgotten(desk: Desk, lookup: Lookup) -> None:
    job, _ = await painted(desk, "coffee")
    async with desk.database.transaction() as connection:
        await job_rows.erase_pictures(connection, job.id)
    assert await lookup.find_by_picture(encode(photo("coffee"), "JPEG"), GUILD) is None


async def test_what_is_no_picture_is_found_nowhere(desk: Desk, lookup: Lookup) -> None:
    await painted(desk, "coffee")
    assert await lookup.find_by_picture(b"not a picture", GUILD) is None
