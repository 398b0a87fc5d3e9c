"""`python -m engine.policy`: one prompt a line on standard input, one verdict a line on standard output.

    echo "a cat in the snow" | python -m engine.policy
    {"verdict": "allow", "clause": null, "rule": null, "reason": null, "picture": "usual"}

With --json every line is an object {"prompt": …, "negative_prompt": …, "age_restricted": bool}; age_restricted stands
for an age-restricted channel whose moderators opted in. Without it the place is an ordinary channel.
A line that is no such object is answered too, {"verdict": "error", …, "reason": …}; the exit status is then 2.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from typing import Any, TextIO, cast

from domain import Action, Place, Request, Verdict
from engine.console import accept_any_console
from engine.policy import judge


def request_of(prompt: str, negative_prompt: str = "") -> Request:
    """A request that differs from any other in its texts only."""
    return Request(
        prompt=prompt,
        negative_prompt=negative_prompt,
        width=512,
        height=512,
        num_inference_steps=20,
        guidance_scale=7.0,
        scheduler="",
        seed=0,
    )


def answer(verdict: Verdict, *, with_scores: bool) -> dict[str, object]:
    """The verdict as it is printed."""
    refused = verdict.action is Action.REFUSE
    line: dict[str, object] = {
        "verdict": "refuse" if refused else "allow",
        "clause": verdict.clause if refused else None,
        "rule": next(iter(verdict.rules), None) if refused else None,
        "reason": verdict.reason if refused else None,
        "picture": "strict" if verdict.strict_picture else "usual",
    }
    if with_scores:
        line |= {"rules": verdict.rules, "tier": verdict.tier, "scores": dict(verdict.scores), "spans": verdict.spans}
    return line


def request_in(line: str, *, as_json: bool, direct: bool) -> tuple[Request, Place]:
    """What the line asks for, and where. Raises ValueError on a line that is no such object."""
    fields = _fields(line) if as_json else {"prompt": line}
    prompt, negative, adult = (
        _field(fields, name, default)
        for name, default in (("prompt", None), ("negative_prompt", ""), ("age_restricted", False))
    )
    place = Place() if direct else Place(guild_id=0, age_restricted=bool(adult), adult_opt_in=bool(adult))
    return request_of(str(prompt), str(negative)), place


def _fields(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError('not a JSON object, such as {"prompt": "a cat"}')
    return cast("dict[str, Any]", value)


def _field(fields: dict[str, Any], name: str, default: str | bool | None) -> str | bool:
    """A text, or yes or no; a null counts as left out."""
    value = fields.get(name)
    value = default if value is None else value
    wanted = bool if isinstance(default, bool) else str
    if not isinstance(value, wanted):
        kind = "true or false" if wanted is bool else "a text"
        raise ValueError(f'"{name}" {"is missing" if value is None else f"must be {kind}"}')
    return value


def complaint(number: int, error: ValueError) -> dict[str, object]:
    """The answer to a line that could not be read."""
    return {"verdict": "error", "clause": None, "rule": None, "reason": f"line {number}: {error}", "picture": None}


def main(arguments: list[str] | None = None, source: TextIO | None = None) -> int:
    accept_any_console()
    parser = argparse.ArgumentParser(
        prog="python -m engine.policy", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="lines are JSON objects")
    parser.add_argument("--direct", action="store_true", help="judge as in direct messages, the strictest place")
    parser.add_argument("--scores", action="store_true", help="add rules, tier, scores and matched spans")
    options = parser.parse_args(arguments)
    if source is None and isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    status = 0
    for number, line in enumerate(source or sys.stdin, 1):
        text = line.removesuffix("\n").removesuffix("\r")
        try:
            request, place = request_in(text, as_json=options.json, direct=options.direct)
            answered = answer(judge(request, place), with_scores=options.scores)
        except ValueError as error:
            answered, status = complaint(number, error), 2
        print(json.dumps(answered, ensure_ascii=False), flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
