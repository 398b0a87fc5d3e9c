"""Settings: each documented, each error a sentence, the token never printed."""

import re
from pathlib import Path

import pytest

from settings import Settings, SettingsError, load_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_the_example_file_names_every_setting_and_nothing_else() -> None:
    documented = re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert sorted(documented) == sorted(name.upper() for name in Settings.model_fields)


def test_the_example_file_holds_the_defaults() -> None:
    assert load_settings(ROOT / ".env.example") == load_settings(None)


def test_the_token_never_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "very-secret")
    settings = load_settings(None)
    assert "very-secret" not in repr(settings) + str(settings.model_dump())
    assert settings.discord_token is not None
    assert settings.discord_token.get_secret_value() == "very-secret"


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("DEVICE", "tpu", "auto, cpu or cuda"),
        ("MAX_ROWS", "900", "a whole number from 0 to 64"),
        ("CREDITS_PER_HOUR", "many", "a whole number from 1 to 100000"),
        ("REPRODUCIBLE", "perhaps", "true or false"),
    ],
)
def test_a_bad_value_names_its_key_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, key: str, value: str, allowed: str
) -> None:
    monkeypatch.setenv(key, value)
    with pytest.raises(SettingsError) as caught:
        load_settings(None)
    assert str(caught.value) == f"{key} must be {allowed}, not '{value}'. See .env.example."


PLAIN = "LOG_LEVEL=ERROR\nDISCORD_TOKEN=abc\nDATABASE=data/Bücher.sqlite3\n"


def read(folder: Path, data: bytes) -> Settings:
    path = folder / "some.env"
    path.write_bytes(data)
    return load_settings(path)


@pytest.mark.parametrize(
    "data",
    [
        PLAIN.encode(),
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        "\ufeff".encode("utf-16-be") + PLAIN.encode("utf-16-be"),
        PLAIN.encode("utf-16-le"),
        PLAIN.encode("utf-16-be"),
        PLAIN.encode("cp1252"),
        PLAIN.replace("\n", "\r\n").encode("utf-16"),
        PLAIN.replace("LOG", "export LOG").encode(),
    ],
    ids=["utf-8", "with a mark", "utf-16", "big-endian", "le without a mark", "be without", "cp1252", "crlf", "export"],
)
def test_the_file_may_have_any_encoding(tmp_path: Path, data: bytes) -> None:
    settings = read(tmp_path, data)
    assert settings.log_level == "ERROR"
    assert settings.discord_token is not None
    assert settings.discord_token.get_secret_value() == "abc"
    assert settings.database == Path("data/Bücher.sqlite3")


def test_a_comment_in_an_old_code_page_hinders_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "# für Anfänger \x81\nMAX_ROWS=4\n".encode("latin-1")).max_rows == 4


@pytest.mark.parametrize(
    "data", [b"SQLite format 3\0\1\2", b"\x89PNG\r\n\0\0\0\rIHDR", "A=1".encode("utf-32"), b"a" * 2**21]
)
def test_what_is_no_text_is_one_sentence(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(SettingsError, match=r"no text file|too large"):
        read(tmp_path, data)


@pytest.mark.parametrize(
    ("key", "known"),
    [
        ("DISCORD_TOKN", "DISCORD_TOKEN"),
        ("MODLE", "MODEL"),
        ("CREDIT_PER_HOUR", "CREDITS_PER_HOUR"),
        ("max_row", "MAX_ROWS"),
        ("LOGLEVEL", "LOG_LEVEL"),
    ],
)
def test_a_slip_is_named_with_the_nearest_setting(tmp_path: Path, key: str, known: str) -> None:
    with pytest.raises(SettingsError, match=f"there is no setting {key}. Did you mean {known}?"):
        read(tmp_path, f"{key}=1\n".encode())


def test_keys_for_other_programs_are_told_and_a_misplaced_secret_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read(tmp_path, b"HTTPS_PROXY=x\nMTIzNDU2.abc.DEF-secret=1\n")
    assert "no setting HTTPS_PROXY" in caplog.text
    assert "secret" not in caplog.text


def test_a_key_without_a_value_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="MODEL has no value"):
        read(tmp_path, b"MODEL\n")


def test_a_missing_file_is_an_error_unless_it_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings() == load_settings(None)
    for path in (tmp_path / "absent.env", Path(".env"), tmp_path / "no" / "folder.env"):
        with pytest.raises(SettingsError, match="There is no settings file"):
            load_settings(path)
    with pytest.raises(SettingsError, match="can't be read"):
        load_settings(tmp_path)


def test_the_home_folder_may_be_written_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = read(tmp_path, b"DATABASE=~/bot/x.sqlite3\nMODEL=~/wd.ckpt\nANIME_MODEL=~/rater.onnx\n")
    assert (settings.database, settings.model) == (tmp_path / "bot" / "x.sqlite3", str(tmp_path / "wd.ckpt"))
    assert settings.anime_model == tmp_path / "rater.onnx"
    with pytest.raises(SettingsError, match="DATABASE: there is no home folder"):
        read(tmp_path, b"DATABASE=~nobody-of-that-name/x.sqlite3\n")


@pytest.mark.parametrize("quote", ['"', "'", ""])
def test_a_windows_path_keeps_its_backslashes(tmp_path: Path, quote: str) -> None:
    settings = read(tmp_path, f"MODEL={quote}C:\\bots\\new\\tiny.ckpt{quote}\n".encode())
    assert settings.model == "C:\\bots\\new\\tiny.ckpt"


def test_the_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_ROWS", "8")
    monkeypatch.setenv("MAX_QUEUE", "")
    settings = read(tmp_path, b"MAX_ROWS=4\nMAX_QUEUE=9\n")
    assert (settings.max_rows, settings.max_queue) == (8, 9)


def test_spaces_line_ends_and_case_of_a_value_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in {"DISCORD_TOKEN": "abc\n", "DEVICE": " CPU ", "LOG_LEVEL": "debug", "MAX_ROWS": " 4\r"}.items():
        monkeypatch.setenv(key, value)
    settings = load_settings(None)
    assert settings.discord_token is not None
    assert settings.discord_token.get_secret_value() == "abc"
    assert (settings.device, settings.log_level, settings.max_rows) == ("cpu", "DEBUG", 4)
