"""What is told about a stored picture: the model that painted it, and what it was made from."""

from __future__ import annotations

from dataclasses import replace

from PIL import Image

from db.database import Database
from domain import ModelIdentity
from engine.images.metadata import write_png
from tests.support.desk import Desk, open_desk
from tests.support.idle_backend import IdleBackend
from tests.support.requests import ORIGIN, PROFILE, USUAL_REQUEST


async def test_details_name_the_model_that_painted_the_picture_not_the_one_of_today(database: Database) -> None:
    of_today = ModelIdentity(name="of today", sha256="1")
    async with open_desk(database, IdleBackend(replace(PROFILE, identity=of_today))) as desk:
        job = await desk.finish()  # by the usual profile's model
        assert (await desk.service.requests.details(job, 1)).model == PROFILE.identity


async def test_details_name_the_picture_that_this_one_was_made_from(desk: Desk) -> None:
    first = await desk.finish()
    second = await desk.finish(origin=replace(ORIGIN, parent_id=first.id, parent_number=1), seed=2)
    assert (await desk.service.requests.details(first, 1)).parent is None
    parent = (await desk.service.requests.details(second, 1)).parent
    assert parent is not None
    assert parent.id == first.id


async def test_details_of_an_upscaled_picture_say_how_it_was_upscaled_not_how_that_is_done_now(desk: Desk) -> None:
    request = replace(USUAL_REQUEST, upscale=1.5, seed=1)
    otherwise = replace(PROFILE.identity, is_demo=True)  # whose pictures are upscaled in another way
    png = write_png(Image.new("RGB", (8, 8)), request, 1, otherwise)
    told = (await desk.service.requests.details(await desk.finish(png, request=request), 1)).parameters
    assert told.endswith("Hires upscaler: Lanczos, Hires strength: 0")
    untold = await desk.finish(request=request)
    assert "Hires strength: 0.35" in (await desk.service.requests.details(untold, 1)).parameters


async def test_what_was_left_out_of_the_prompt_is_not_told_again_beside_pictures_made_from_the_first(
    desk: Desk,
) -> None:
    job = await desk.finish()
    told = replace(job, request=replace(job.request, left_out=("--q 2",)))
    requests = desk.service.requests
    made = [
        await requests.again(told),
        await requests.upscaled(told, 1, 2.0),
        await requests.upscaled_all(told, 2.0),
        await requests.started(told, 1),
        await requests.varied(told, 1),
    ]
    assert [request.left_out for request in made] == [()] * 5
