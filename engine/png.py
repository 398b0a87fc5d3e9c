"""What a picture says about itself: parameters, model, licence, and that a machine made it.

Written as PNG text: `parameters` in the common style that other tools read, `request` as JSON that we read back,
`Licence`, `Software`, and an XMP packet whose IPTC digital source type is "trained algorithmic media"
(cv.iptc.org/newscodes/digitalsourcetype).
"""

from __future__ import annotations

import io
import json
import sys
from dataclasses import asdict, dataclass
from typing import Any

from PIL import Image, PngImagePlugin

from domain import ModelIdentity, Request

SOFTWARE = "Waifu Diffusion bot"
LICENCE = "CreativeML Open RAIL-M, https://huggingface.co/spaces/CompVis/stable-diffusion-license"
DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_BLOBS = ("init_image", "mask_image")


@dataclass(frozen=True, slots=True, kw_only=True)
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
    """The picture as a PNG file with everything above in it."""
    fields = {key: value for key, value in asdict(request).items() if key not in _BLOBS}
    info = PngImagePlugin.PngInfo()
    info.add_itxt("parameters", _parameters(request, seed, model))
    info.add_itxt("request", json.dumps({"request": fields, "seed": seed, "model": asdict(model), "job_id": job_id}))
    info.add_itxt("Licence", LICENCE)
    info.add_itxt("Software", SOFTWARE)
    info.add_itxt("XML:com.adobe.xmp", _xmp())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def read_png(data: bytes) -> PictureInfo | None:
    """What one of our pictures says, or None for any other file."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            text: dict[str, str] = dict(getattr(image, "text", {}))
        fields = json.loads(text["request"])
        return PictureInfo(
            parameters=text["parameters"],
            request=fields["request"],
            seed=fields["seed"],
            model=ModelIdentity(**fields["model"]),
            licence=text["Licence"],
            digital_source_type=DIGITAL_SOURCE_TYPE if DIGITAL_SOURCE_TYPE in text["XML:com.adobe.xmp"] else "",
            software=text["Software"],
            job_id=fields["job_id"],
        )
    except (OSError, KeyError, TypeError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _parameters(request: Request, seed: int, model: ModelIdentity) -> str:
    lines = [request.prompt]
    if request.negative_prompt:
        lines.append(f"Negative prompt: {request.negative_prompt}")
    lines.append(
        f"Steps: {request.num_inference_steps}, Sampler: {request.scheduler}, CFG scale: {request.guidance_scale:g}, "
        f"Seed: {seed}, Size: {request.width}x{request.height}, Model hash: {model.sha256[:10]}, Model: {model.name}"
    )
    return "\n".join(lines)


def _xmp() -> str:
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
        f"<Iptc4xmpExt:DigitalSourceType>{DIGITAL_SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>"
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    )


def main(paths: list[str]) -> int:
    """Print what each file says, as JSON."""
    for path in paths:
        with open(path, "rb") as file:
            info = read_png(file.read())
        sys.stdout.write(json.dumps(asdict(info) if info else None, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
