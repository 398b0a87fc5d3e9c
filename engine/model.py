"""Loading a model: its components, what it can do, and who it is."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain import ModelIdentity, ModelProfile, ModelUnavailable

DEMO_FOLDER = Path(__file__).parent.parent / "models" / "demo"
SCHEDULERS = (
    "ddim", "pndm", "euler", "euler_a", "lms", "heun", "dpm2", "dpm2_a", "dpm++2m", "dpm++2m_karras", "unipc",
)  # fmt: skip


@dataclass(slots=True)
class LoadedModel:
    """diffusers' components, ready to run, with the scheduler's configuration as the model's folder has it."""

    unet: Any
    vae: Any
    text_encoder: Any
    tokenizer: Any
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
    """Load a diffusers folder. Raises ModelUnavailable with one sentence."""
    folder = Path(model) if model else DEMO_FOLDER
    if not (folder / "model_index.json").is_file():
        raise ModelUnavailable(
            f"There is no model at {folder}. Set MODEL to a checkpoint or a diffusers folder, or leave it empty."
        )
    return _load_folder(folder, dtype, device)


def _load_folder(folder: Path, dtype_name: str, device: str) -> LoadedModel:
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    name = ("float16" if device == "cuda" else "float32") if dtype_name == "auto" else dtype_name
    dtype = getattr(torch, name)
    try:
        unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet", torch_dtype=dtype, local_files_only=True)
        vae = AutoencoderKL.from_pretrained(folder, subfolder="vae", torch_dtype=dtype, local_files_only=True)
        text_encoder = CLIPTextModel.from_pretrained(
            folder, subfolder="text_encoder", dtype=dtype, local_files_only=True
        )
        tokenizer = CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer", local_files_only=True)
        scheduler_config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
    except (OSError, ValueError, KeyError) as error:
        raise ModelUnavailable(f"The model in {folder} can't be loaded: {error}") from error
    for part in (unet, vae, text_encoder):
        part.to(device).eval().requires_grad_(False)
    identity = ModelIdentity(
        name="demo model" if folder.resolve() == DEMO_FOLDER.resolve() else folder.name,
        sha256=_hash_weights(folder),
        dtype=name,
        is_demo=folder.resolve() == DEMO_FOLDER.resolve(),
    )
    return LoadedModel(
        unet=unet,
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        scheduler_config=scheduler_config,
        profile=make_profile(identity, unet, vae, tokenizer),
        device=device,
    )


def make_profile(identity: ModelIdentity, unet: Any, vae: Any, tokenizer: Any) -> ModelProfile:
    """What a model of this architecture and native size does best."""
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    depth = 2 ** (len(unet.config.block_out_channels) - 1)
    unit = 64 if factor * depth >= 64 else factor * depth
    native = unet.config.sample_size * factor
    tall = native + native // 2 if native >= 512 else native + max(unit, native // 4 // unit * unit)
    return ModelProfile(
        identity=identity,
        unit=unit,
        min_side=max(unit, native // 2),
        max_side=native * 2,
        max_pixels=native * native * 9 // 4,
        shapes={"portrait": (native, tall), "square": (native, native), "landscape": (tall, native)},
        schedulers=SCHEDULERS,
        scheduler="ddim" if native < 512 else "dpm++2m",
        num_inference_steps=20,
        max_steps=100,
        guidance_scale=5.0 if native < 512 else 7.5,
        token_window=tokenizer.model_max_length - 2,
        max_tokens=3 * (tokenizer.model_max_length - 2),
        display_scale=2 if native <= 128 else 1,
    )


def _hash_weights(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.safetensors")):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
