"""Recognising a picture that was saved, re-encoded, resized or cropped and uploaded again.

Two stages. A *fingerprint* is a row of 64-bit perceptual hashes (pHash of the `imagehash` library: the signs of the
lowest DCT frequencies), one of the whole picture and one of each of its windows, so that a crop is close to some
window. Close fingerprints are candidates only: `similarity` then looks for one picture inside the other, pixel by
pixel at a low resolution, and that number decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from engine.request.image_file import flatten, open_image

Grey = NDArray[np.float32]
Box = tuple[float, float, float, float]

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")  # what Discord shows
HASH_BYTES = 8
WORKING_SIDE = 128
# (width, height, columns, rows) of the windows as shares of the picture; measured on crops of 70 to 100 %.
GRIDS = (
    (1.0, 1.0, 1, 1),
    (0.9, 0.9, 3, 3),
    (0.8, 0.8, 3, 3),
    (0.7, 0.7, 4, 4),
    (1.0, 0.85, 1, 3),
    (0.85, 1.0, 3, 1),
    (1.0, 0.7, 1, 3),
    (0.7, 1.0, 3, 1),
)
# Of 64 bits. Unrelated pictures were 14 and more apart at the nearest window, true crops 20 and less.
CANDIDATE_DISTANCE = 20
# Normalised cross-correlation at the best place; see tests/test_fingerprint.py for both sides of it.
SAME_SIMILARITY = 0.9

_LOCATE_SIDE = 48
_CLOSE_SIDE = 112
_CLOSE_ROOM = 4
_SHARES = tuple(round(1.0 - 0.04 * step, 2) for step in range(13))  # 1.0 … 0.52


def fingerprint(picture: bytes) -> bytes:
    """The picture's hashes, `HASH_BYTES` each, whole picture first. Raises OSError if it is none, or too large."""
    import imagehash

    image = _open(picture).resize((WORKING_SIDE, WORKING_SIDE), Image.Resampling.BILINEAR)
    hashes: list[NDArray[np.bool_]] = [
        imagehash.phash(image.crop(_pixels(box))).hash  # pyright: ignore[reportUnknownMemberType]
        for box in _windows()
    ]
    return np.packbits(np.stack(hashes).reshape(len(hashes), -1), axis=1).tobytes()


def distances(wanted: bytes, stored: Sequence[bytes]) -> list[int]:
    """For each stored fingerprint, how many bits its nearest window differs from the wanted picture, or the reverse.

    The reverse finds copies with something around them, such as a screenshot.
    """
    if not stored:
        return []
    left = np.frombuffer(wanted, np.uint64)
    right = np.frombuffer(b"".join(stored), np.uint64).reshape(len(stored), -1)
    inside = np.bitwise_count(right ^ left[0]).min(axis=1)
    around = np.bitwise_count(right[:, :1] ^ left[None, :]).min(axis=1)
    return [int(distance) for distance in np.minimum(inside, around)]


def similarity(one: bytes, other: bytes) -> float:
    """How well one picture is found inside the other, from -1 to 1: normalised cross-correlation of grey values."""
    first, second = _open(one), _open(other)
    # Side by side at one size first: that also finds a copy whose sides were stretched.
    whole = _correlate(*(_grey(image, _CLOSE_SIDE, _CLOSE_SIDE) for image in (first, second)))[0]
    return max(whole, _locate(first, second), _locate(second, first))


def _open(picture: bytes) -> Image.Image:
    return flatten(open_image(picture, FORMATS), "white").convert("L")


def _windows() -> Iterator[Box]:
    for width, height, columns, rows in GRIDS:
        for left in np.linspace(0.0, 1.0 - width, columns):
            for top in np.linspace(0.0, 1.0 - height, rows):
                yield float(left), float(top), float(left) + width, float(top) + height


def _pixels(box: Box) -> tuple[int, int, int, int]:
    left, top, right, bottom = (round(share * WORKING_SIDE) for share in box)
    return left, top, right, bottom


def _locate(part: Image.Image, whole: Image.Image) -> float:
    """The best correlation of `part` with any place in `whole`: searched coarsely, then looked at closely."""
    width, height = _scaled(whole, _LOCATE_SIDE)
    field = _grey(whole, width, height)
    best = (-1.0, 1.0, 0.0, 0.0)  # how alike; share of the whole's sides; left and top as shares
    for share in _SHARES:
        fitted = _fit(part.size, (width * share, height * share))
        if min(fitted) >= 8:
            score, left, top = _correlate(_grey(part, *fitted), field)
            best = max(best, (score, share, left / width, top / height))
    return max(best[0], _look_closely(part, whole, *best[1:]))


def _look_closely(part: Image.Image, whole: Image.Image, share: float, left: float, top: float) -> float:
    """`_locate` around one place, with finer steps: at the coarse ones a true crop may be half a step off."""
    width, height = _scaled(whole, _CLOSE_SIDE)
    field = _grey(whole, width, height)
    best = -1.0
    for step in range(-4, 5):
        fitted = _fit(part.size, (width * (share + step / 100), height * (share + step / 100)))
        x, y = round(left * width), round(top * height)
        near = field[max(y - _CLOSE_ROOM, 0) : y + fitted[1] + _CLOSE_ROOM, max(x - _CLOSE_ROOM, 0) :]
        near = near[:, : fitted[0] + 2 * _CLOSE_ROOM]
        if min(fitted) >= 8:
            best = max(best, _correlate(_grey(part, *fitted), near)[0])
    return best


def _scaled(image: Image.Image, side: int) -> tuple[int, int]:
    scale = side / max(image.size)
    width, height = (max(round(length * scale), 4) for length in image.size)
    return width, height


def _fit(size: tuple[int, int], room: tuple[float, float]) -> tuple[int, int]:
    """The largest size with the same sides' ratio that fits into `room`."""
    factor = min(room[0] / size[0], room[1] / size[1])
    return round(size[0] * factor), round(size[1] * factor)


def _grey(image: Image.Image, width: int, height: int) -> Grey:
    """Smooth on purpose: with sharp pixels a thin line looks different at every offset of a crop."""
    small = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(small.filter(ImageFilter.GaussianBlur(1)), np.float32)


def _correlate(part: Grey, field: Grey) -> tuple[float, int, int]:
    """The highest normalised correlation of `part` with a place in `field`, and that place's left and top."""
    if part.shape[0] > field.shape[0] or part.shape[1] > field.shape[1]:
        return -1.0, 0, 0
    places = np.lib.stride_tricks.sliding_window_view(field, part.shape)
    centred = part - part.mean()
    products = np.einsum("ijkl,kl->ij", places, centred, optimize=True)
    spread = _spreads(field, part.shape) * part.std() * part.size
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = np.where(spread > 1e-3, products / spread, -1.0)
    top, left = np.unravel_index(int(scores.argmax()), scores.shape)
    return float(scores.max()), int(left), int(top)


def _spreads(field: Grey, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The standard deviation of `field` in a window of `shape` at each place: from sums of the whole, each made once.

    The values are whole numbers from 0 to 255, so the sums are exact and an even window has none.
    """
    totals, squares = (_window_sums(values, shape) for values in (field, np.square(field, dtype=np.float64)))
    size = shape[0] * shape[1]
    return np.sqrt(size * squares - np.square(totals)) / size


def _window_sums(values: NDArray[np.floating[Any]], shape: tuple[int, ...]) -> NDArray[np.float64]:
    height, width = shape
    sums = np.pad(values.cumsum(axis=0, dtype=np.float64).cumsum(axis=1), ((1, 0), (1, 0)))
    return sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
