"""Settings: the only reader of the environment and of `.env`.

Every field is documented in `.env.example` (a test compares the two). A bad value names its key and what is allowed, an
unknown key the nearest known one; the token is a secret that neither prints nor shows up in a repr.
"""

from __future__ import annotations

import difflib
import io
import logging
import os
import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Le
from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_ENV_FILE = Path(".env")
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
_LARGEST_ENV_FILE = 2**20
# In double quotes `C:\\new` would hold a line end; people quote paths because of their spaces.
_QUOTED_PATH = re.compile(
    r"""^(\s*(?:export\s+)?(?:MODEL|DATABASE|ANIME_MODEL)\s*=\s*)"([^"'\n]*)\"""", re.MULTILINE | re.IGNORECASE
)

log = logging.getLogger(__name__)


class SettingsError(Exception):
    """One or more settings are wrong; the text names each key and what it takes."""


class Settings(BaseSettings):
    """What the person who runs the bot decides; everything else is decided in Discord."""

    model_config = SettingsConfigDict(env_file=None, env_ignore_empty=True, extra="ignore", frozen=True)

    discord_token: SecretStr | None = None
    message_content_intent: bool = False
    database: Path = Path("data/bot.sqlite3")

    model: str | None = None
    weights: Literal["ema", "raw"] = "ema"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    low_vram: bool = False
    compile: bool = False
    cuda_graphs: bool = False
    max_rows: int = Field(default=0, ge=0, le=64)
    reproducible: bool = False
    anime_model: Path | None = None

    max_queue: int = Field(default=500, ge=1, le=100_000)
    max_jobs_per_user: int = Field(default=10, ge=1, le=1_000)
    credits_per_hour: int = Field(default=60, ge=1, le=100_000)
    credits_per_day: int = Field(default=600, ge=1, le=1_000_000)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("*", mode="before")
    @classmethod
    def _strip(cls, value: object) -> object:
        """A line end or a space around a value comes from copying."""
        return value.strip() if isinstance(value, str) else value

    @field_validator("discord_token")
    @classmethod
    def _check_token(cls, value: SecretStr | None) -> SecretStr | None:
        """Anything else would end in an error of the library that writes it into a header."""
        token = "" if value is None else value.get_secret_value()
        if not token.isascii() or not token.isprintable() or " " in token:
            raise ValueError(
                "DISCORD_TOKEN has characters that no token has; copy it again from your application's Bot page"
            )
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("weights", "device", "dtype", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("database")
    @classmethod
    def _expand(cls, value: Path) -> Path:
        return _at_home("DATABASE", value)

    @field_validator("anime_model")
    @classmethod
    def _expand_anime_model(cls, value: Path | None) -> Path | None:
        return None if value is None else _at_home("ANIME_MODEL", value)

    @field_validator("model")
    @classmethod
    def _expand_model(cls, value: str | None) -> str | None:
        return str(_at_home("MODEL", Path(value))) if value and value.startswith("~") else value


def load_settings(env_file: Path | None = DEFAULT_ENV_FILE) -> Settings:
    """Read the environment and `env_file` once. Raises SettingsError with a sentence for each bad value.

    Only the default file may be missing. The environment goes before the file, as everywhere.
    """
    given = {} if env_file is None else _read_env_file(env_file)
    try:
        return Settings(_env_file=None, **_without_environment(given))  # pyright: ignore[reportCallIssue]
    except ValidationError as error:
        raise SettingsError("\n".join(_sentences(error))) from None


def _at_home(name: str, path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(f"{name}: there is no home folder of that name") from None


def _read_env_file(path: Path) -> dict[str, str]:
    """The file's keys and values. Raises SettingsError for a file that is missing, no text, or has unknown keys."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_ENV_FILE + 1)
    except FileNotFoundError:
        if path is DEFAULT_ENV_FILE:
            return {}
        raise SettingsError(
            f"There is no settings file {path}. Copy .env.example there, or name another one."
        ) from None
    except OSError as error:
        raise SettingsError(f"The settings file {path} can't be read: {error.strerror}.") from None
    text = _QUOTED_PATH.sub(r"\1'\2'", _decode(path, data))
    values = dotenv_values(stream=io.StringIO(text), interpolate=False)
    _check_keys(path, values)
    return {key.lower(): value for key, value in values.items() if value}


def _decode(path: Path, data: bytes) -> str:
    """The text of a file in UTF-8, UTF-16 with or without a mark, or a Windows code page."""
    if len(data) > _LARGEST_ENV_FILE:
        raise SettingsError(f"{path} is too large for a settings file. Is it another file?")
    encodings = [code for mark, code in _MARKS.items() if data.startswith(mark)] or _guesses(data)
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise SettingsError(f"{path} is no text file. Save it as UTF-8.")


def _guesses(data: bytes) -> list[str]:
    """Western text in UTF-16 has a zero in about every other byte: the odd ones where the low byte comes first."""
    start = data[:400]
    if b"\0" not in start:
        return ["utf-8", "cp1252", "latin-1"]
    for encoding, zeros in (("utf-16-le", start[1::2]), ("utf-16-be", start[::2])):
        if 2 * zeros.count(0) > len(zeros):
            return [encoding]
    return []


def _check_keys(path: Path, values: dict[str, Any]) -> None:
    """Raise SettingsError for known keys without a value and for slips; keys for other programs are logged."""
    known = [name.upper() for name in Settings.model_fields]
    sentences: list[str] = []
    for key, value in values.items():
        near = difflib.get_close_matches(key.upper(), known, n=1, cutoff=0.6)
        if key.upper() in known:
            if value is None:
                sentences.append(f"{path}: {key} has no value; write {key.upper()}=… or take the line out.")
        elif near:
            sentences.append(f"{path}: there is no setting {_shown(key)}. Did you mean {near[0]}?")
        else:
            log.warning("%s: there is no setting %s; .env.example lists those that there are", path, _shown(key))
    if sentences:
        raise SettingsError("\n".join(sentences))


def _shown(key: str) -> str:
    """A key that nobody knows may be a misplaced token: only what looks like a name is repeated."""
    return key[:40] if key.replace("_", "").isalpha() and len(key) <= 40 else "of that name"


def _without_environment(values: dict[str, str]) -> dict[str, str]:
    """What the file decides: what the environment says goes before it."""
    environment = {key.lower() for key, value in os.environ.items() if value}
    return {key: value for key, value in values.items() if key not in environment}


def _sentences(error: ValidationError) -> list[str]:
    sentences: list[str] = []
    for problem in error.errors():
        name = str(problem["loc"][0])
        if problem["type"] == "value_error":
            sentences.append(f"{problem.get('ctx', {}).get('error')}. See .env.example.")
            continue
        given = "" if name == "discord_token" else f", not {str(problem['input'])!r}"
        sentences.append(f"{name.upper()} must be {_allowed(name)}{given}. See .env.example.")
    return sentences


def _allowed(name: str) -> str:
    """What a setting takes, from its type and its limits."""
    info = Settings.model_fields[name]
    if get_origin(info.annotation) is Literal:
        *others, last = get_args(info.annotation)
        return f"{', '.join(others)} or {last}"
    if info.annotation is bool:
        return "true or false"
    if info.annotation is int:
        low = next(limit.ge for limit in info.metadata if isinstance(limit, Ge))
        high = next(limit.le for limit in info.metadata if isinstance(limit, Le))
        return f"a whole number from {low} to {high}"
    return "text"
