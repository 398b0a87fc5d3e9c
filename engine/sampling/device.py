"""The device that a model is put on, and why that one."""

from __future__ import annotations

from domain import ModelUnavailable


def choose_device(device: str) -> str:
    """`auto` takes the graphics card if there is one. Raises ModelUnavailable for a device that is not there."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ModelUnavailable("DEVICE is cuda, but PyTorch finds no CUDA device here. Use DEVICE=auto or DEVICE=cpu.")
    return device


def describe_device(wanted: str) -> str:
    """The device in words, with the reason for it. Raises ModelUnavailable."""
    import torch

    device = choose_device(wanted)
    reason = f"DEVICE={wanted}" if wanted != "auto" else _reason(device)
    if not device.startswith("cuda"):
        return f"{device} with {torch.get_num_threads()} threads, because {reason}"
    free, total = torch.cuda.mem_get_info(device)
    name = torch.cuda.get_device_name(device)
    return f"{name}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free, because {reason}"


def _reason(device: str) -> str:
    import torch

    if device.startswith("cuda"):
        return "DEVICE=auto takes the graphics card that PyTorch finds"
    built_for = torch.version.cuda or torch.version.hip
    return f"DEVICE=auto and PyTorch {'finds no graphics card' if built_for else 'was installed without CUDA'}"
