"""Loading a model: its components, what it can do, and who it is."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from domain import ModelIdentity, ModelProfile, ModelUnavailable
from engine.checkpoint.diffusers_folder import check_supported, read_config
from engine.checkpoint.download import fetch, first_line
from engine.checkpoint.loading import ensure_converted, hash_file, read_source
from engine.checkpoint.published import FILES, hub_name
from engine.request.schedulers import SCHEDULERS
from engine.sampling.device import choose_device

DEMO_FOLDER = Path(__file__).parents[2] / "models" / "demo"
FULL_SIZE = 64  # a UNet's native side in latents: 512 pixels
DOWNLOADS = Path("data") / "models"
# Stable Diffusion's folders name PNDM for historical reasons; DPM++ 2M reaches the same picture in 20 steps (arXiv
# 2211.01095). A model that names another scheduler was trained or tuned with it.
DEFAULT_SCHEDULERS = {
    "PNDMScheduler": "dpm++2m",
    "DDIMScheduler": "ddim",
    "EulerDiscreteScheduler": "euler",
    "EulerAncestralDiscreteScheduler": "euler_a",
    "LMSDiscreteScheduler": "lms",
    "HeunDiscreteScheduler": "heun",
    "UniPCMultistepScheduler": "unipc",
    "DPMSolverMultistepScheduler": "dpm++2m",
}


@dataclass(slots=True)
class LoadedModel:
    """diffusers' components, ready to run, with the scheduler's configuration as the model's folder has it.

    A tokenizer must not be used by two threads: `tokenizer` is for those that validate requests (behind a lock),
    `encoding_tokenizer` is a copy for the one that paints.
    """

    unet: Any
    vae: Any
    text_encoder: Any
    tokenizer: Any
    encoding_tokenizer: Any
    scheduler_config: dict[str, Any]
    profile: ModelProfile
    device: str = "cpu"


def load_model(
    model: str | None,
    *,
    weights: str = "ema",
    dtype: str = "auto",
    device: str = "auto",
    cache: Path | None = None,
) -> LoadedModel:
    """Load what MODEL names. Raises ModelUnavailable with one sentence.

    `model` is a checkpoint file, a diffusers folder, the name of one of Waifu Diffusion v1.3's files, or None for the
    embedded demo model. `cache` is where conversions and downloads go instead of beside the file and to DOWNLOADS.
    """
    folder = find_folder(model, weights, cache)
    check_supported(folder)
    device = choose_device(device)
    name = _choose_dtype(folder, device) if dtype == "auto" else dtype
    parts = _load_parts(folder, name)
    for part_name, part in parts.items():
        _check_finite(folder, part_name, part, name)
        part.to(device).eval().requires_grad_(False)
    tokenizer = _load_tokenizer(folder)
    scheduler = read_config(folder / "scheduler/scheduler_config.json")
    identity = identify(folder, name)
    return LoadedModel(
        unet=parts["unet"],
        vae=parts["vae"],
        text_encoder=parts["text_encoder"],
        tokenizer=tokenizer,
        encoding_tokenizer=copy.deepcopy(tokenizer),
        scheduler_config=scheduler,
        profile=make_profile(identity, parts["unet"], parts["vae"], tokenizer, scheduler),
        device=device,
    )


def find_folder(model: str | None, weights: str = "ema", cache: Path | None = None) -> Path:
    """The diffusers folder behind a MODEL setting, converted or downloaded first if need be."""
    if not model:
        return _check_folder(DEMO_FOLDER)
    path = Path(model).expanduser()
    name = hub_name(model)
    if name is not None and not path.exists():
        path = fetch(name, cache or DOWNLOADS)
        return ensure_converted(path, weights=weights, cache=cache, sha256=FILES[name].sha256)
    if path.is_file():
        return ensure_converted(path, weights=weights, cache=cache)
    return _check_folder(path)


def identify(folder: Path, dtype: str) -> ModelIdentity:
    """Who a folder's model is: the checkpoint it was converted from, or the folder by the hash of its weights."""
    source = read_source(folder)
    is_demo = folder.resolve() == DEMO_FOLDER.resolve()
    if source is not None and not is_demo:
        return ModelIdentity(name=source.name, sha256=source.sha256, weights=source.weights, dtype=dtype)
    name = "demo model" if is_demo else folder.resolve().name
    return ModelIdentity(name=name, sha256=_hash_weights(folder), dtype=dtype, is_demo=is_demo)


def _check_folder(folder: Path) -> Path:
    if (folder / "model_index.json").is_file():
        return folder
    if folder.is_dir():
        raise ModelUnavailable(f"{folder} is not a diffusers folder: it has no model_index.json.")
    raise ModelUnavailable(
        f"There is no model at {folder}. Set MODEL to a checkpoint, a diffusers folder or one of "
        f"{', '.join(FILES)}, or leave it empty for the demo model."
    )


def _choose_dtype(folder: Path, device: str) -> str:
    """float16 on a GPU; on a CPU bfloat16 for a full-size model, if the processor has instructions for it.

    It makes a step 1.4 to 1.7 times as fast, for pictures 50 dB from those in float32. A small model gains less.
    """
    import torch

    if device.startswith("cuda"):
        return "float16"
    able = torch.cpu.get_capabilities()
    has_bfloat16 = bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    is_full_size = read_config(folder / "unet/config.json").get("sample_size", 0) >= FULL_SIZE
    return "bfloat16" if has_bfloat16 and is_full_size else "float32"


def _load_parts(folder: Path, dtype: str) -> dict[str, Any]:
    """UNet, VAE and text encoder in one dtype, from safetensors alone; every weight must be there and fit."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextModel

    _quiet()
    classes: dict[str, Any] = {"unet": UNet2DConditionModel, "vae": AutoencoderKL, "text_encoder": CLIPTextModel}
    parts = {name: _load_part(folder, name, kind, dtype) for name, kind in classes.items()}
    width, expected = parts["text_encoder"].config.hidden_size, parts["unet"].config.cross_attention_dim
    if width != expected:
        raise ModelUnavailable(
            f"The model in {folder} doesn't fit together: its text encoder gives {width} numbers a token, its UNet "
            f"reads {expected}. Is it a Stable Diffusion 1.x model?"
        )
    return parts


def _load_part(folder: Path, name: str, kind: Any, dtype: str) -> Any:
    import torch

    # The dtype is always given: without it diffusers and transformers choose differently for the same folder.
    options: dict[str, Any] = {"dtype": getattr(torch, dtype), "local_files_only": True, "use_safetensors": True}
    if not any((folder / name).glob("*model.safetensors*")) and any((folder / name).glob("*.fp16.safetensors")):
        options["variant"] = "fp16"
    if not any((folder / name).glob("*.safetensors*")) and (pickled := next((folder / name).glob("*.bin"), None)):
        raise ModelUnavailable(
            f"The {name} in {folder} is there as {pickled.name} only, which may hold code and is not opened. Get the "
            "model's .safetensors files, or set MODEL to its single-file checkpoint."
        )
    try:
        part, info = kind.from_pretrained(folder, subfolder=name, output_loading_info=True, **options)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelUnavailable(f"The {name} in {folder} can't be loaded: {first_line(error)}") from error
    for problem, keys in (("lacks", info["missing_keys"]), ("has mis-shaped", info["mismatched_keys"])):
        if keys:
            names = sorted(key if isinstance(key, str) else str(key[0]) for key in keys)
            raise ModelUnavailable(f"The {name} in {folder} {problem} weights: {', '.join(names[:3])} ({len(names)}).")
    return part


def _quiet() -> None:
    """transformers and diffusers show a progress bar and a warning for every part; a server's log needs neither."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    for library in (diffusers_logging, transformers_logging):
        library.disable_progress_bar()
        library.set_verbosity_error()


def _check_finite(folder: Path, name: str, part: Any, dtype: str) -> None:
    import torch

    bad = [key for key, tensor in part.state_dict().items() if not torch.isfinite(tensor).all()]
    if bad:
        hint = " DTYPE=float32 or bfloat16 may help." if dtype == "float16" else ""
        raise ModelUnavailable(
            f"The {name} in {folder} holds NaN or infinity in {', '.join(bad[:3])} ({len(bad)} weights).{hint}"
        )


def _load_tokenizer(folder: Path) -> Any:
    from transformers import CLIPTokenizer

    kind: Any = CLIPTokenizer
    try:
        tokenizer = kind.from_pretrained(folder, subfolder="tokenizer", local_files_only=True)
    except (OSError, ValueError, TypeError) as error:
        raise ModelUnavailable(f"The tokenizer in {folder} can't be loaded: {first_line(error)}") from error
    positions = read_config(folder / "text_encoder/config.json").get("max_position_embeddings", 77)
    if tokenizer.model_max_length > positions:  # a folder that doesn't say gives a number beyond all bounds
        tokenizer.model_max_length = positions
    return tokenizer


def make_profile(
    identity: ModelIdentity, unet: Any, vae: Any, tokenizer: Any, scheduler_config: Mapping[str, Any]
) -> ModelProfile:
    """What a model of this architecture and native size does best.

    A side is a multiple of what UNet and VAE halve together, so that every level has whole pixels. Up to one and a half
    times the native side in each direction a UNet still composes one picture; beyond it repeats itself.
    """
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    unit = factor * 2 ** (len(unet.config.block_out_channels) - 1)
    native = unet.config.sample_size * factor
    # Half as long again suits portraits at 512; a small model keeps to a quarter, where its one subject stays whole.
    longer = native // 2 if native >= 512 else max(unit, native // 4 // unit * unit)
    window = tokenizer.model_max_length - 2
    return ModelProfile(
        identity=identity,
        unit=unit,
        min_side=max(unit, native // 2),
        max_side=native * 2,
        max_pixels=native * native * 9 // 4,
        shapes={
            "portrait": (native, native + longer),
            "square": (native, native),
            "landscape": (native + longer, native),
        },
        schedulers=tuple(SCHEDULERS),
        scheduler=DEFAULT_SCHEDULERS.get(scheduler_config.get("_class_name", ""), "dpm++2m"),
        num_inference_steps=20,
        max_steps=100,
        guidance_scale=4.0 if native < 512 else 7.5,
        token_window=window,
        max_tokens=3 * window,
        display_scale=2 if native <= 128 else 1,
        window_side=native,
    )


def _hash_weights(folder: Path) -> str:
    """One SHA-256 over the names and the SHA-256 of all weight files."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.safetensors")):
        digest.update(f"{path.relative_to(folder).as_posix()} {hash_file(path)}\n".encode())
    return digest.hexdigest()
