"""Settings: the only reader of the environment and of `.env`.

Every field is documented in `.env.example` (a test compares the two). A bad value names its key and what is allowed;
the token is a secret that neither prints nor shows up in a repr.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(Exception):
    """One or more settings are wrong; the text names each key and what it takes."""


class Settings(BaseSettings):
    """What the person who runs the bot decides; everything else is decided in Discord."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore", frozen=True
    )

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

    max_queue: int = Field(default=500, ge=1, le=100_000)
    max_jobs_per_user: int = Field(default=10, ge=1, le=1_000)
    credits_per_hour: int = Field(default=60, ge=1, le=100_000)
    credits_per_day: int = Field(default=600, ge=1, le=1_000_000)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


def load_settings(env_file: Path | None = Path(".env")) -> Settings:
    """Read the environment and `env_file` once. Raises SettingsError with a sentence for each bad value."""
    try:
        return Settings(_env_file=env_file)  # pyright: ignore[reportCallIssue]
    except ValidationError as error:
        raise SettingsError("\n".join(_sentences(error))) from None


def _sentences(error: ValidationError) -> list[str]:
    sentences: list[str] = []
    for problem in error.errors():
        name = str(problem["loc"][0])
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
