"""What is wrong with a request's fields, in the form in which Discord says it."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.world.layout import Path
from sandbox.world.things import ApiError, Json


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong field: where it stands in the request, Discord's name for the mistake, and a sentence."""

    path: Path
    code: str
    message: str

    def __str__(self) -> str:
        return f"{'.'.join(str(step) for step in self.path)}: {self.message}"


class InvalidForm(ApiError):
    """Error 50035 with its tree of fields: `{"components": {"0": {"_errors": [{"code", "message"}]}}}`."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(400, 50035, "Invalid Form Body", _tree(problems))
        self.problems = problems

    def __str__(self) -> str:
        return f"{super().__str__()}: {'; '.join(str(problem) for problem in self.problems)}"

    def below(self, key: str) -> InvalidForm:
        """With every field one step further down, as in the `data` of an interaction's answer."""
        return InvalidForm([Problem((key, *one.path), one.code, one.message) for one in self.problems])


def _tree(problems: list[Problem]) -> Json:
    tree: Json = {}
    for problem in problems:
        place = tree
        for step in problem.path:
            place = place.setdefault(str(step), {})
        place.setdefault("_errors", []).append({"code": problem.code, "message": problem.message})
    return tree
