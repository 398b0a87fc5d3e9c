"""Stable Diffusion in numbered stages, over rows of different requests. Latents are float32, noise comes from the CPU.

Nothing here knows jobs or queues: a picture depends on the model, the request and the seed alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image

from domain import Request
from engine.model import LoadedModel
from engine.prompt import encode, token_ids

PREVIEW_SIDE = 256


class Pipeline:
    """The loaded model's stages. Not thread-safe: only the worker's thread calls it."""

    def __init__(self, model: LoadedModel) -> None:
        self.model = model
        self.device = torch.device(model.device)
        self.dtype: torch.dtype = model.unet.dtype
        self.scaling: float = model.vae.config.scaling_factor
        self.factor: int = 2 ** (len(model.vae.config.block_out_channels) - 1)
        self._to_rgb: torch.Tensor | None = None

    # 1. Encode prompts
    @torch.inference_mode()
    def encode_prompt(self, request: Request) -> tuple[torch.Tensor, torch.Tensor]:
        """Embeddings of prompt and negative prompt, each [1, 77 * chunks, dim], of equal length."""
        tokenizer = self.model.tokenizer
        window = tokenizer.model_max_length - 2
        texts = [request.prompt, request.negative_prompt]
        chunks = max(-(-max(len(token_ids(tokenizer, text)), 1) // window) for text in texts)
        both = encode(self.model.text_encoder, tokenizer, texts, request.clip_skip, chunks).to(self.dtype)
        return both[:1], both[1:]

    # 2. Prepare latents
    def noise(self, request: Request, seed: int) -> tuple[torch.Tensor, torch.Generator]:
        """Unit noise [1, 4, h, w] from a CPU generator, so that a seed means the same on every device."""
        generator = torch.Generator().manual_seed(seed)
        channels = self.model.unet.config.in_channels
        shape = (1, channels, request.height // self.factor, request.width // self.factor)
        return torch.randn(shape, generator=generator), generator

    @torch.inference_mode()
    def encode_image(self, image: Image.Image) -> torch.Tensor:
        """Scaled latents [1, 4, h, w] of a picture (the mode of the VAE's distribution)."""
        pixels = torch.frombuffer(bytearray(image.convert("RGB").tobytes()), dtype=torch.uint8)
        pixels = pixels.view(1, image.height, image.width, 3).permute(0, 3, 1, 2).float() / 127.5 - 1
        mean = self.model.vae.encode(pixels.to(self.device, self.model.vae.dtype)).latent_dist.mode()
        return (mean * self.scaling).float().cpu()

    # 3. Predict the noise (or velocity) of many rows at once
    @torch.inference_mode()
    def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, embeds: torch.Tensor) -> torch.Tensor:
        """One UNet call: latents [n, 4, h, w], timesteps [n], embeds [n, tokens, dim] → [n, 4, h, w] in float32."""
        prediction = self.model.unet(
            latents.to(self.device, self.dtype),
            timesteps.to(self.device),
            encoder_hidden_states=embeds,
            return_dict=False,
        )[0]
        return prediction.float().cpu()

    # 4. Decode
    @torch.inference_mode()
    def decode(self, latents: torch.Tensor) -> list[Image.Image]:
        """Pictures of latents [n, 4, h, w]. Raises FloatingPointError if one is not finite."""
        vae = self.model.vae
        pixels = vae.decode(latents.to(self.device, vae.dtype) / self.scaling, return_dict=False)[0].float().cpu()
        if not torch.isfinite(pixels).all():
            raise FloatingPointError("the decoder gave values that are not numbers")
        return to_images(pixels)

    # 5. Preview
    @torch.inference_mode()
    def preview(self, latents: torch.Tensor) -> Image.Image:
        """A rough picture of latents [1, 4, h, w] by the linear map from latent to colour."""
        if self._to_rgb is None:
            self._to_rgb = fit_latent_to_rgb(self)
        flat = torch.cat([latents, torch.ones_like(latents[:, :1])], dim=1)
        pixels = torch.einsum("nchw,cr->nrhw", flat, self._to_rgb)
        image = to_images(pixels)[0]
        scale = max(PREVIEW_SIDE // max(image.size), 1)
        return image.resize((image.width * scale, image.height * scale), Image.Resampling.BICUBIC)


def to_images(pixels: torch.Tensor) -> list[Image.Image]:
    """Pictures of pixels [n, 3, h, w] in -1…1."""
    scaled = ((pixels.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(picture) for picture in scaled]


@torch.inference_mode()
def fit_latent_to_rgb(pipeline: Pipeline) -> torch.Tensor:
    """The least-squares map [5, 3] from latent channels (and 1) to colour, fitted to the loaded VAE.

    The VAE's own encodings of coloured blocks are the samples: no extra weights, one encode at start.
    """
    side = 16
    generator = torch.Generator().manual_seed(0)
    colours = torch.rand((1, 3, side, side), generator=generator) * 2 - 1
    blocks = torch.nn.functional.interpolate(colours, scale_factor=pipeline.factor * 2, mode="nearest")
    latents = pipeline.encode_image(to_images(blocks)[0])
    small = torch.nn.functional.avg_pool2d(blocks, pipeline.factor)
    samples = torch.cat([latents, torch.ones_like(latents[:, :1])], dim=1)[0].flatten(1).T
    return torch.linalg.lstsq(samples, small[0].flatten(1).T).solution


def stack(tensors: Sequence[torch.Tensor], rows: int) -> torch.Tensor:
    """Concatenate rows and repeat the last one up to `rows`: fixed shapes give the same picture under any load."""
    missing = rows - sum(tensor.shape[0] for tensor in tensors)
    padding: list[Any] = [tensors[-1][-1:]] * missing
    return torch.cat([*tensors, *padding])
