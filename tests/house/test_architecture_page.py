"""The pages lead to files that exist: every path and every module that they name in backticks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# docs/policy.md names the files of engine/policy by their short names.
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted(page for page in (ROOT / "docs").rglob("*.md") if page.name != "policy.md"),
]
ROOMS = ("cogs", "db", "docs", "domain", "engine", "models", "sandbox", "scripts", "service", "tests")
PATH = re.compile(rf"(?:(?:{'|'.join(ROOMS)})/[\w./*-]*|[\w-]+\.py|\.env\.example)")
MODULE = re.compile(rf"(?:python -m )?((?:{'|'.join(ROOMS)})(?:\.\w+)+)")
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[\w-]*)?\)")


def without_blocks(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def spans_of(page: Path) -> list[str]:
    """What the page has in backticks, without the arguments of a command."""
    spans = re.findall(r"`([^`]+)`", without_blocks(page.read_text(encoding="utf-8")))
    return [part for span in spans for part in span.removeprefix("python ").split()[:1]] + [
        span for span in spans if span.startswith("python -m ")
    ]


def is_there(root: Path, name: str) -> bool:
    return any(root.glob(name)) if "*" in name else (root / name).exists()


def is_module(root: Path, name: str) -> bool:
    """Whether a dotted name is a module, or a name that stands in the module before its last dot."""
    parts = name.split(".")
    for file in (root.joinpath(*parts).with_suffix(".py"), root.joinpath(*parts, "__init__.py")):
        if file.exists():
            return True
    above = root.joinpath(*parts[:-1])
    files = [file for file in (above.with_suffix(".py"), above / "__init__.py") if file.exists()]
    return any(re.search(rf"\b{parts[-1]}\b", file.read_text(encoding="utf-8")) for file in files)


def missing(root: Path, spans: list[str]) -> list[str]:
    """The paths and modules among `spans` that do not exist."""
    found: list[str] = []
    for span in spans:
        if PATH.fullmatch(span):
            if not is_there(root, span):
                found.append(span)
        elif (named := MODULE.fullmatch(span)) and not is_module(root, named[1]):
            found.append(span)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_names_is_there(page: Path) -> None:
    assert missing(ROOT, spans_of(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    links = LINK.findall(without_blocks(page.read_text(encoding="utf-8")))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_architecture_page_shows_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {file.parent.name for file in ROOT.glob("*/*.py")} - {"docs"}
    assert {room for room in rooms if f"| `{room}/` |" not in text} == set()


def test_the_picture_of_the_path_names_files_that_are_there() -> None:
    drawing = (ROOT / "docs" / "images" / "architecture.svg").read_text(encoding="utf-8")
    named = [span for text in re.findall(r">([^<]+)<", drawing) for span in text.split() if PATH.fullmatch(span)]
    assert named
    assert missing(ROOT, named) == []


def test_a_file_or_module_that_is_gone_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "jobs.py").write_text("def enqueue(): ...\n")
    named = ["db/", "db/jobs.py", "db/*.py", "db.jobs", "db.jobs.enqueue", "a word", "db/gone.py", "gone.py", "db.gone"]
    named += ["db.jobs.dequeue", "cogs/*.py", "python -m db.gone"]
    assert missing(tmp_path, named) == named[6:]
