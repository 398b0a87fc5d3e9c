"""What the worker makes of a job, in tests that need no particular picture."""

from __future__ import annotations

from domain import ModelIdentity, Picture, Request, Result, SafetyReport, SafetyVerdict

MODEL = ModelIdentity(name="tiny", sha256="00")


def make_picture(*, is_safe: bool = True) -> Picture:
    """A picture that is released, or withheld by the safety checker."""
    report = SafetyReport(verdict=SafetyVerdict.SAFE if is_safe else SafetyVerdict.UNSAFE, scores={"x": 0.5})
    return Picture(seed=7, width=64, height=64, png=b"png" if is_safe else None, safety=report)


def make_result(job_id: int, request: Request, *pictures: Picture) -> Result:
    """The result of a job whose request was painted as it was asked for."""
    return Result(job_id=job_id, request=request, model=MODEL, pictures=pictures, seconds=1.5)
