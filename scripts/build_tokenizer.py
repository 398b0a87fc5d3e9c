"""Build models/clip-tokenizer/ from the CLIP vocabulary that the open_clip_torch wheel ships (MIT).

pip download open_clip_torch==3.3.0 --no-deps
python scripts/build_tokenizer.py open_clip_torch-3.3.0-py3-none-any.whl
"""

from __future__ import annotations

import argparse
import gzip
import lzma
import zipfile
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "models" / "clip-tokenizer"
VOCABULARY = "open_clip/bpe_simple_vocab_16e6.txt.gz"
MERGES = 49_408 - 2 * 256 - 2  # the file lists 262,144; CLIP uses the first of them


def build(wheel: Path, folder: Path = FOLDER) -> Path:
    """Write `merges.txt.xz` and the wheel's licence; the same wheel gives the same bytes."""
    with zipfile.ZipFile(wheel) as archive:
        lines = gzip.decompress(archive.read(VOCABULARY)).decode("utf-8").split("\n")[1 : MERGES + 1]
        licence = next(name for name in archive.namelist() if name.endswith("licenses/LICENSE"))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "LICENSE").write_bytes(archive.read(licence))
    target = folder / "merges.txt.xz"
    target.write_bytes(lzma.compress("\n".join(lines).encode(), preset=9 | lzma.PRESET_EXTREME))
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    target = build(parser.parse_args().wheel)
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
