"""The house of docs/architecture.md as tests: who may import whom, where SQL and writes live, how long things are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.support.source_tree import SourceTree, find_circles, is_standard_library, room_of

ROOT = Path(__file__).parents[2]
PRODUCT = ("cogs", "service", "engine", "db", "domain", "sandbox")

# Which rooms of ours each room may import.
ALLOWED = {
    "domain": {"domain"},
    "db": {"db", "domain"},
    "engine": {"engine", "domain"},
    "service": {"service", "engine", "db", "domain"},
    "cogs": {"cogs", "service", "domain"},
    "settings.py": set[str](),
    "bot.py": {"cogs", "service", "engine", "db", "domain", "settings.py"},
    "sandbox": {"sandbox", "bot.py", "cogs", "service", "engine", "db", "domain", "settings.py"},
}
# A command line builds its own parts, as bot.py does.
MAIN_FILES = {"engine/__main__.py": {"settings.py"}}

# Libraries that a room does without: threads live in engine, coroutines elsewhere, and Discord in cogs alone.
BANNED = {
    "cogs": {"torch", "diffusers", "transformers", "aiosqlite", "sqlite3"},
    "service": {"discord", "torch", "diffusers", "transformers"},
    "engine": {"discord", "asyncio", "aiosqlite", "sqlite3"},
    "db": {"discord", "torch", "diffusers", "transformers"},
}

MAX_TYPE_CHECKING_BLOCKS = 8
MAX_FUNCTION_LINES = 60
MAX_FILE_LINES = 400
SQL = re.compile(r"\s*(SELECT\s.+\sFROM\s|INSERT (OR \w+ )?INTO\s|UPDATE\s\w+\sSET\s|DELETE FROM\s|PRAGMA\s)", re.S)


@pytest.fixture(scope="module")
def everything() -> SourceTree:
    return SourceTree.read(ROOT, *PRODUCT, "scripts", "tests")


@pytest.fixture(scope="module")
def product(everything: SourceTree) -> SourceTree:
    return everything.without("scripts", "tests")


def arrows_up(tree: SourceTree) -> list[str]:
    """The imports that go against `ALLOWED`."""
    return [
        str(one)
        for one in tree.imports
        if one.file is not None
        and room_of(one.file) not in ALLOWED[room_of(one.source)] | MAIN_FILES.get(one.source, set())
        and one.file != one.source
    ]


def sql_outside_db(tree: SourceTree) -> list[str]:
    return [f"{file}:{line} {text.split()[:4]}" for file, line, text in tree.strings()
            if room_of(file) != "db" and SQL.match(text)]  # fmt: skip


def transactions_outside(tree: SourceTree, *rooms: str) -> list[str]:
    return [
        f"{file}:{node.lineno}"
        for file, top in tree.trees.items()
        for node in ast.walk(top)
        if isinstance(node, ast.Attribute) and node.attr == "transaction" and room_of(file) not in rooms
    ]


def test_no_files_import_each_other_in_a_circle(product: SourceTree) -> None:
    assert find_circles(product.arrows()) == []


def test_no_arrow_goes_up_between_rooms(product: SourceTree) -> None:
    assert arrows_up(product) == []


def test_no_room_uses_a_library_of_another_rooms_business(product: SourceTree) -> None:
    found = [
        str(one) for one in product.imports if one.module.partition(".")[0] in BANNED.get(room_of(one.source), set())
    ]
    assert found == []


def test_domain_needs_the_standard_library_alone(product: SourceTree) -> None:
    imports = [one for one in product.imports if room_of(one.source) == "domain"]
    assert [str(one) for one in imports if one.file is None and not is_standard_library(one.module)] == []


def test_the_bot_imports_no_cog(product: SourceTree) -> None:
    files = product.arrows()["cogs/core/bot.py"]
    assert [file for file in sorted(files) if room_of(file) == "cogs" and not file.startswith("cogs/core/")] == []


def test_sql_stands_in_db_alone(product: SourceTree) -> None:
    assert sql_outside_db(product) == []


def test_the_service_opens_every_transaction(product: SourceTree) -> None:
    assert transactions_outside(product, "service", "db") == []


def test_the_type_checker_needs_few_imports_and_no_casts_of_its_own(product: SourceTree) -> None:
    texts = product.texts.items()
    assert [file for file, text in texts if 'cast("Bot"' in text] == []
    blocks = [file for file, text in texts for _ in re.findall(r"^\s*if TYPE_CHECKING:", text, re.M)]
    assert len(blocks) <= MAX_TYPE_CHECKING_BLOCKS, blocks


def test_functions_and_files_are_short(everything: SourceTree) -> None:
    long_functions = [
        f"{file}:{node.lineno} {node.name}"
        for file, node in everything.functions()
        if (node.end_lineno or node.lineno) - node.lineno + 1 > MAX_FUNCTION_LINES
    ]
    assert long_functions == []
    assert [file for file, text in everything.texts.items() if len(text.splitlines()) > MAX_FILE_LINES] == []


def test_nothing_imports_from_a_test_module(everything: SourceTree) -> None:
    found = [str(one) for one in everything.imports if re.search(r"(^|\.)(test_\w+|conftest)$", one.module)]
    assert found == []


# ---- the tests of these tests: a made-up house with every fault in it ------------------------------------------------


def house(root: Path, files: dict[str, str]) -> SourceTree:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return SourceTree.read(root, *PRODUCT)


def test_a_circle_is_found_also_inside_functions_and_for_the_type_checker(tmp_path: Path) -> None:
    files = {
        "db/jobs.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from db.quotas import Quota\n",
        "db/quotas.py": "def late():\n    import db.money.ledger\n",
        "db/money/ledger.py": "from .. import jobs\n",
        "db/alone.py": "from db import jobs\n",
    }
    assert find_circles(house(tmp_path, files).arrows()) == [["db/jobs.py", "db/money/ledger.py", "db/quotas.py"]]


def test_an_arrow_up_is_found_and_named(tmp_path: Path) -> None:
    files = {
        "service/jobs.py": "class Jobs: ...\n",
        "db/jobs.py": "import json\n\n\ndef save():\n    from service.jobs import Jobs\n",
        "cogs/cards.py": "from db import jobs\n",
        "engine/__main__.py": "import settings\n",
        "engine/cost.py": "import settings\n",
        "settings.py": "",
    }
    assert sorted(arrows_up(house(tmp_path, files))) == [
        "cogs/cards.py:1 imports db.jobs",
        "db/jobs.py:5 imports service.jobs",
        "engine/cost.py:1 imports settings",
    ]


STARS = '''"""DELETE FROM stars: prose."""
async def stars(db):
    async with db.transaction() as connection:
        await connection.execute("DELETE FROM stars")
'''


def test_sql_and_transactions_in_the_wrong_room_are_found(tmp_path: Path) -> None:
    tree = house(tmp_path, {"cogs/stars.py": STARS, "db/stars.py": STARS, "service/stars.py": STARS})
    assert sql_outside_db(tree) == [f"{room}/stars.py:4 ['DELETE', 'FROM', 'stars']" for room in ("cogs", "service")]
    assert transactions_outside(tree, "service", "db") == ["cogs/stars.py:3"]
