"""`python -m engine.policy`: one prompt a line on standard input, one verdict a line on standard output.

    echo "a cat in the snow" | python -m engine.policy
    {"verdict": "allow", "clause": null, "rule": null, "reason": null, "picture": "usual"}

With --json every line is an object {"prompt": …, "negative_prompt": …, "age_restricted": bool}; age_restricted stands
for an age-restricted channel whose moderators opted in. Without it the place is an ordinary channel.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO, cast

from domain import Action, Place, Request, Verdict
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


def requests(lines: Iterable[str], *, as_json: bool, direct: bool) -> Iterator[tuple[Request, Place]]:
    """What each line asks for, and where. Raises ValueError on a line that is no such object."""
    for line in lines:
        text = line.removesuffix("\n").removesuffix("\r")
        fields = _fields(text) if as_json else {"prompt": text}
        adult = bool(fields.get("age_restricted", False))
        place = Place() if direct else Place(guild_id=0, age_restricted=adult, adult_opt_in=adult)
        yield request_of(str(fields.get("prompt", "")), str(fields.get("negative_prompt", ""))), place


def _fields(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(f"not a JSON object: {text[:60]}")
    return cast("dict[str, Any]", value)


def main(arguments: list[str] | None = None, source: TextIO | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m engine.policy", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="lines are JSON objects")
    parser.add_argument("--direct", action="store_true", help="judge as in direct messages, the strictest place")
    parser.add_argument("--scores", action="store_true", help="add rules, tier, scores and matched spans")
    options = parser.parse_args(arguments)
    if source is None and isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    try:
        for request, place in requests(source or sys.stdin, as_json=options.json, direct=options.direct):
            print(json.dumps(answer(judge(request, place), with_scores=options.scores), ensure_ascii=False), flush=True)
    except ValueError as error:
        print(f"engine.policy: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
