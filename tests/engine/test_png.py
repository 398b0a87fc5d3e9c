"""A picture's metadata come back as they were written, and no foreign file makes the reader stumble."""

from __future__ import annotations

import io
import json
from dataclasses import fields, replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from domain import ModelIdentity, Request, RequestOptions
from engine.images.metadata import DIGITAL_SOURCE_TYPE, LICENCE, main, parameters, read_png, write_png
from engine.request.inline_options import read_inline

MODEL = ModelIdentity(name="model & <friends>", sha256="ab" * 32, weights="ema", dtype="float16")
PICTURE = Image.new("RGB", (8, 8), "pink")
REQUEST = Request(
    prompt="1girl", width=8, height=8, num_inference_steps=20, guidance_scale=7.5, scheduler="euler_a", seed=5
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
requests = st.builds(
    Request,
    prompt=texts,
    negative_prompt=texts,
    width=st.integers(1, 4096),
    height=st.integers(1, 4096),
    num_inference_steps=st.integers(1, 100),
    guidance_scale=st.floats(1, 30),
    scheduler=st.sampled_from(["ddim", "euler_a", "another"]),
    seed=st.integers(0, 2**32 - 1),
    images=st.integers(1, 4),
    clip_skip=st.integers(1, 2),
    preset=st.none() | texts,
    init_image=st.none() | st.binary(max_size=9),
    upscale=st.floats(1, 2),
)


@settings(max_examples=60, deadline=None)
@given(request=requests, seed=st.integers(0, 2**32 - 1), name=texts, job_id=st.none() | st.integers(1, 2**63))
def test_everything_comes_back_as_it_was_written(request: Request, seed: int, name: str, job_id: int | None):
    model = ModelIdentity(name=name, sha256="0" * 64)
    info = read_png(write_png(PICTURE, request, seed, model, job_id))
    assert info is not None
    assert (info.seed, info.model, info.job_id) == (seed, model, job_id)
    for field in fields(Request):
        if field.name in ("init_image", "mask_image", "left_out"):
            assert field.name not in info.request
        elif field.name == "guidance_interval":
            assert tuple(info.request[field.name]) == request.guidance_interval
        else:
            assert info.request[field.name] == getattr(request, field.name)


def test_the_pixels_are_untouched():
    data = write_png(PICTURE, REQUEST, 5, MODEL)
    with Image.open(io.BytesIO(data)) as image:
        assert image.tobytes() == PICTURE.tobytes()


def test_other_tools_find_the_parameters_where_they_look():
    with Image.open(io.BytesIO(write_png(PICTURE, REQUEST, 7, MODEL))) as image:
        text = image.info["parameters"]
    assert text.startswith(
        "1girl\nSteps: 20, Sampler: Euler a, CFG scale: 7.5, Seed: 7, Size: 8x8, Model hash: ababababab"
    )


def test_the_xmp_packet_says_that_a_machine_made_it():
    with Image.open(io.BytesIO(write_png(PICTURE, REQUEST, 7, MODEL))) as image:
        packet = image.info["XML:com.adobe.xmp"]
    found = ElementTree.fromstring(packet).iter("{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType")
    assert [element.text for element in found] == [DIGITAL_SOURCE_TYPE]


def test_licence_and_source_type_are_read_back():
    info = read_png(write_png(PICTURE, REQUEST, 7, MODEL))
    assert info is not None
    assert info.licence == LICENCE
    assert info.digital_source_type == DIGITAL_SOURCE_TYPE


def test_an_upscaled_picture_says_how_it_was_made_larger():
    upscaled, demo = replace(REQUEST, upscale=1.5), replace(MODEL, is_demo=True)
    assert "Hires upscale: 1.5, Hires upscaler: Lanczos, Hires strength: 0.35" in parameters(upscaled, 7, MODEL)
    assert "Hires upscale: 1.5, Hires upscaler: Lanczos, Hires strength: 0" in parameters(upscaled, 7, demo)
    assert "Hires strength: 0.35" not in parameters(upscaled, 7, demo)
    assert "Hires" not in parameters(REQUEST, 7, MODEL)


def test_what_it_says_gives_the_same_request_when_it_is_pasted():
    upscaled = replace(REQUEST, width=512, height=512, upscale=1.5)
    pasted = read_inline(RequestOptions(prompt=parameters(upscaled, 7, MODEL)))
    assert (pasted.prompt, pasted.upscale, pasted.seed, pasted.strength) == ("1girl", 1.5, 7, None)


def saved(form: str) -> bytes:
    buffer = io.BytesIO()
    PICTURE.save(buffer, form)
    return buffer.getvalue()


@pytest.mark.parametrize("data", [b"", b"hello", saved("PNG"), saved("JPEG"), saved("GIF"), b"\x89PNG\r\n\x1a\n"])
def test_foreign_files_say_nothing(data: bytes):
    assert read_png(data) is None


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damaged_files_are_read_right_or_not_at_all(data: st.DataObject):
    whole = write_png(PICTURE, REQUEST, 7, MODEL, 3)
    position = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[position] ^= data.draw(st.integers(1, 255))
    for candidate in (bytes(damaged), whole[:position]):
        info = read_png(candidate)
        assert info is None or info == read_png(whole)


@pytest.mark.parametrize(
    "change", [{"seed": "7"}, {"request": []}, {"model": {"name": 1, "sha256": 2}}, {"job_id": "x"}]
)
def test_metadata_of_another_form_are_not_ours(change: dict[str, object]):
    from PIL.PngImagePlugin import PngInfo

    stored = {"request": {}, "seed": 7, "model": {"name": "a", "sha256": "b"}, "job_id": None, **change}
    info = PngInfo()
    for key, text in {
        "parameters": "x", "request": json.dumps(stored), "Licence": "", "Software": "", "XML:com.adobe.xmp": "",
    }.items():  # fmt: skip
        info.add_itxt(key, text)
    buffer = io.BytesIO()
    PICTURE.save(buffer, "PNG", pnginfo=info)
    assert read_png(buffer.getvalue()) is None


def test_the_command_prints_one_json_line_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    ours, foreign = tmp_path / "ours.png", tmp_path / "foreign.png"
    ours.write_bytes(write_png(PICTURE, REQUEST, 7, MODEL))
    foreign.write_bytes(saved("PNG"))
    assert main([str(ours)]) == 0
    assert json.loads(capsys.readouterr().out)["seed"] == 7
    assert main([str(foreign), str(tmp_path / "absent.png")]) == 1
    output = capsys.readouterr()
    assert output.out == "null\n"
    assert "No such file" in output.err
