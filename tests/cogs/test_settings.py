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
