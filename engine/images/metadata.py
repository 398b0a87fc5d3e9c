"""What a picture says about itself: parameters, model, licence, and that a machine made it.

Written as PNG text: `parameters` in the common style that other tools read, `request` as JSON that we read back,
`Licence`, `Software`, and an XMP packet whose IPTC digital source type is "trained algorithmic media"
(cv.iptc.org/newscodes/digitalsourcetype).

    python -m engine.images.metadata FILE…
"""

from __future__ import annotations

import io
import json
import struct
import sys
import zlib
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from PIL import Image, PngImagePlugin

from domain import ModelIdentity, Request
from domain.frozen import frozen
from engine.console import accept_any_console
from engine.request.passes import upscale_strength
from engine.request.schedulers import label_of

SOFTWARE = "Waifu Diffusion bot"
LICENCE_NAME = "CreativeML Open RAIL-M"
LICENCE_LINK = "https://huggingface.co/spaces/CompVis/stable-diffusion-license"
LICENCE = f"{LICENCE_NAME}, {LICENCE_LINK}"
DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_NOT_TOLD = ("init_image", "mask_image", "left_out")
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXT_LIMIT = 2**20  # bytes of one text chunk; ours have a few thousand
XMP = "XML:com.adobe.xmp"
"""The PNG keyword of an XMP packet (XMP specification part 3, 1.1.5)."""


@frozen
class PictureInfo:
    """What one of our pictures says; `seed` is the picture's own, the request's seed is its first picture's."""

    parameters: str
    request: dict[str, Any]
    seed: int
    model: ModelIdentity
    licence: str
    digital_source_type: str
    software: str
    job_id: int | None = None


def write_png(
    image: Image.Image, request: Request, seed: int, model: ModelIdentity, job_id: int | None = None
) -> bytes:
    """The picture as a PNG file with everything above in it; files and what was left out of the prompt are not."""
    kept = {field.name: getattr(request, field.name) for field in fields(request) if field.name not in _NOT_TOLD}
    info = PngImagePlugin.PngInfo()
    info.add_itxt("parameters", parameters(request, seed, model))
    info.add_itxt("request", json.dumps({"request": kept, "seed": seed, "model": asdict(model), "job_id": job_id}))
    info.add_itxt("Licence", LICENCE)
    info.add_itxt("Software", SOFTWARE)
    info.add_itxt(XMP, _xmp(model))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def read_png(data: bytes) -> PictureInfo | None:
    """What one of our pictures says, or None for any other file, however damaged. No pixel is decoded."""
    try:
        text = dict(_texts(data))
        stored: dict[str, Any] = json.loads(text["request"])
        seed, job_id, named = stored["seed"], stored["job_id"], stored["model"]
        request: dict[str, Any] = stored["request"]
        _require(isinstance(seed, int) and isinstance(job_id, int | None) and isinstance(stored["request"], dict))
        _require(isinstance(named["name"], str) and isinstance(named["sha256"], str))
        model = ModelIdentity(**named)
        return PictureInfo(
            parameters=text["parameters"],
            request=request,
            seed=seed,
            model=model,
            licence=text["Licence"],
            digital_source_type=DIGITAL_SOURCE_TYPE if DIGITAL_SOURCE_TYPE in text[XMP] else "",
            software=text["Software"],
            job_id=job_id,
        )
    except (KeyError, TypeError, ValueError, RecursionError, struct.error):
        return None


def parameters(request: Request, seed: int, model: ModelIdentity) -> str:
    """Prompt, negative prompt and settings as A1111's web UI writes them under `parameters`."""
    lines = [request.prompt]
    if request.negative_prompt:
        lines.append(f"Negative prompt: {request.negative_prompt}")
    settings = {
        "Steps": request.num_inference_steps,
        "Sampler": label_of(request.scheduler),
        "CFG scale": f"{request.guidance_scale:g}",
        "Seed": seed,
        "Size": f"{request.width}x{request.height}",
        "Model hash": model.sha256[:10],
        "Model": model.name,
    }
    if request.preset is not None:
        settings["Preset"] = request.preset
    if request.init_image is not None:
        settings["Denoising strength"] = f"{request.strength:g}"
    if request.clip_skip > 1:
        settings["Clip skip"] = request.clip_skip
    if request.upscale > 1:
        settings |= {"Hires upscale": f"{request.upscale:g}", "Hires upscaler": "Lanczos"}
        settings["Hires strength"] = f"{upscale_strength(model):g}"
    lines.append(", ".join(f"{name}: {value}" for name, value in settings.items()))
    return "\n".join(lines)


def _require(condition: bool) -> None:
    if not condition:
        raise ValueError("not written by this bot")


def _texts(data: bytes) -> Iterator[tuple[str, str]]:
    """Keyword and text of every uncompressed iTXt chunk whose checksum is right (PNG specification, 11.3.3.4)."""
    _require(data.startswith(_SIGNATURE))
    position = len(_SIGNATURE)
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind = data[position + 4 : position + 8]
        if kind == b"iTXt" and length <= _TEXT_LIMIT:
            body = data[position + 8 : position + 8 + length]
            (checksum,) = struct.unpack_from(">I", data, position + 8 + length)
            _require(zlib.crc32(kind + body) == checksum)
            keyword, rest = body.split(b"\0", 1)
            if rest[:1] == b"\0":
                _language, _translated, text = rest[2:].split(b"\0", 2)
                yield keyword.decode("latin-1"), text.decode("utf-8")
        position += 12 + length


def _xmp(model: ModelIdentity) -> str:
    """An XMP packet (ISO 16684-1): source type, tool, licence."""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        'xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/">'
        f"<Iptc4xmpExt:DigitalSourceType>{DIGITAL_SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>"
        f"<xmp:CreatorTool>{escape(f'{SOFTWARE}, {model.name}')}</xmp:CreatorTool>"
        f"<xmpRights:WebStatement>{LICENCE_LINK}</xmpRights:WebStatement>"
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    )


def main(paths: list[str]) -> int:
    """Print what each file says, as JSON, one line a file; 1 if one of them can't be read or isn't ours."""
    accept_any_console()
    worst = 0
    for path in paths:
        try:
            info = read_png(Path(path).read_bytes())
        except OSError as error:
            sys.stderr.write(f"{path}: {error.strerror}\n")
            worst = 1
            continue
        sys.stdout.write(json.dumps(asdict(info) if info else None, ensure_ascii=False) + "\n")
        worst = worst if info else 1
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
