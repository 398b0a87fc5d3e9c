"""The one table of schedulers: the names that people type, and what stands behind each.

A new solver is a row here and a function in `engine/sampling/solver_formulas.py`; the parity tests take every row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from domain import InvalidRequest


@dataclass(frozen=True, slots=True)
class Scheduler:
    """A diffusers class with its settings, and the function of `solver_formulas` that computes what the class does.

    `label` is its name in A1111's web UI, which other tools look for in a picture's metadata; `order` is how often it
    calls the model in a step.
    """

    class_name: str
    formula: str
    label: str
    settings: tuple[tuple[str, Any], ...] = ()
    order: int = 1


SCHEDULERS = {
    "ddim": Scheduler("DDIMScheduler", "ddim", "DDIM", (("clip_sample", False),)),
    "pndm": Scheduler("PNDMScheduler", "plms", "PLMS", (("skip_prk_steps", True),)),
    "euler": Scheduler("EulerDiscreteScheduler", "euler", "Euler"),
    "euler_a": Scheduler("EulerAncestralDiscreteScheduler", "euler_ancestral", "Euler a"),
    # LMS and Euler have equal noise levels; diffusers' own LMS class needs SciPy.
    "lms": Scheduler("EulerDiscreteScheduler", "lms", "LMS"),
    "heun": Scheduler("HeunDiscreteScheduler", "heun", "Heun", order=2),
    "dpm2": Scheduler("KDPM2DiscreteScheduler", "dpm2", "DPM2", order=2),
    "dpm2_a": Scheduler("KDPM2AncestralDiscreteScheduler", "dpm2_ancestral", "DPM2 a", order=2),
    "dpm++2m": Scheduler("DPMSolverMultistepScheduler", "dpm_multistep", "DPM++ 2M"),
    "dpm++2m_karras": Scheduler(
        "DPMSolverMultistepScheduler", "dpm_multistep", "DPM++ 2M Karras", (("use_karras_sigmas", True),)
    ),
    "unipc": Scheduler("UniPCMultistepScheduler", "unipc", "UniPC"),
}
_ALIASES = {"plms": "pndm"}


def canonical(name: str) -> str:
    """The table's name for a scheduler. Raises InvalidRequest for an unknown one."""
    name = _ALIASES.get(name, name)
    if name not in SCHEDULERS:
        raise InvalidRequest(f"There is no scheduler {name!r}. There are: {', '.join(SCHEDULERS)}.")
    return name


def scheduler_named(text: str) -> str | None:
    """Our name for a scheduler as people type it or as A1111's web UI calls it; None for one that we do not have."""
    wanted = text.strip().casefold()
    labels = {scheduler.label.casefold(): name for name, scheduler in SCHEDULERS.items()}
    names = {name: name for name in SCHEDULERS} | _ALIASES
    return labels.get(wanted) or names.get(wanted)


def label_of(name: str) -> str:
    """A scheduler's name in A1111's web UI; an unknown scheduler keeps its name."""
    return SCHEDULERS[name].label if name in SCHEDULERS else name


def calls_of(name: str, steps: int) -> int:
    """How often a scheduler calls the model in `steps` steps. Raises InvalidRequest for an unknown name."""
    scheduler = SCHEDULERS[canonical(name)]
    if scheduler.order == 2:
        return 2 * steps - 1
    return steps + (scheduler.formula == "plms" and steps > 1)
