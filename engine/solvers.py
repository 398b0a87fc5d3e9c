"""The schedulers by the names that people type, as private diffusers instances: one for each picture."""

from __future__ import annotations

from typing import Any

from domain import InvalidRequest

# Settings of the model's own that every solver must share.
_SHARED = (
    "num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "prediction_type", "rescale_betas_zero_snr",
    "timestep_spacing", "steps_offset",
)  # fmt: skip


def make_scheduler(name: str, config: dict[str, Any]) -> Any:
    """A fresh diffusers scheduler with the model's noise schedule. Raises InvalidRequest for an unknown name."""
    import diffusers

    classes: dict[str, tuple[type, dict[str, Any]]] = {
        "ddim": (
            diffusers.DDIMScheduler,
            {"clip_sample": False, "set_alpha_to_one": config.get("set_alpha_to_one", False)},
        ),
        "pndm": (diffusers.PNDMScheduler, {"skip_prk_steps": True}),
        "euler": (diffusers.EulerDiscreteScheduler, {}),
        "euler_a": (diffusers.EulerAncestralDiscreteScheduler, {}),
        "lms": (diffusers.LMSDiscreteScheduler, {}),
        "heun": (diffusers.HeunDiscreteScheduler, {}),
        "dpm2": (diffusers.KDPM2DiscreteScheduler, {}),
        "dpm2_a": (diffusers.KDPM2AncestralDiscreteScheduler, {}),
        "dpm++2m": (diffusers.DPMSolverMultistepScheduler, {}),
        "dpm++2m_karras": (diffusers.DPMSolverMultistepScheduler, {"use_karras_sigmas": True}),
        "unipc": (diffusers.UniPCMultistepScheduler, {}),
    }
    if name not in classes:
        raise InvalidRequest(f"There is no scheduler {name!r}. There are: {', '.join(classes)}.")
    scheduler_class, extra = classes[name]
    shared = {key: config[key] for key in _SHARED if key in config}
    return scheduler_class.from_config(shared | extra)
