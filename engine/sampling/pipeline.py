"""Stable Diffusion in numbered stages, over rows of different requests. Latents are float32, noise comes from the CPU.

Nothing here knows jobs or queues: a picture depends on the model, the request and the seed alone.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from PIL import Image

from domain import Request
from engine.request.prompt import count_windows, encode
from engine.request.windows import Window, unet_windows, vae_windows
from engine.sampling.graph_capture import GraphCapture
from engine.sampling.model import LoadedModel
from engine.sampling.windows import run_alike_in_windows, run_in_windows

PREVIEW_SIDE = 256
# A VAE with at most this many weights in its decoder (the demo model's) draws the previews itself. Stable Diffusion's
# is fifty times larger and would hold up the pictures, so there a linear map has to do; on its 64×64 latents that looks
# well enough.
LARGEST_PREVIEW_DECODER = 2_000_000
MAX_TEXTS = 16
KEPT_TEXTS = 256

Text = tuple[str, int, int]  # text, clip_skip, windows


class Pipeline:
    """The loaded model's stages. Not thread-safe but for `preview`: only the worker's thread calls it."""

    def __init__(
        self, model: LoadedModel, *, reproducible: bool = False, low_vram: bool = False, cuda_graphs: bool = False
    ) -> None:
        self.model = model
        self.reproducible = reproducible
        self.low_vram = low_vram
        self.device = torch.device(model.device)
        # Asked for once: diffusers walks through the whole network to tell a dtype.
        self.dtype: torch.dtype = model.unet.dtype
        self.vae_dtype: torch.dtype = model.vae.dtype
        self._threads = torch.get_num_threads()
        self._graphs = GraphCapture(model.unet)
        self._may_capture = not low_vram and (cuda_graphs or self.device.type != "cuda")
        self.scaling: float = model.vae.config.scaling_factor
        self.factor: int = 2 ** (len(model.vae.config.block_out_channels) - 1)
        self._is_sparing = low_vram
        self._tokenizer = model.encoding_tokenizer
        self._texts: OrderedDict[Text, torch.Tensor] = OrderedDict()
        self._windows = lru_cache(maxsize=4096)(self._count_windows)
        self._preview_vae = self._copy_small_vae()
        self._to_rgb = fit_latent_to_rgb(self) if self._preview_vae is None else None
        self._off_device(model.text_encoder)

    def enter_thread(self) -> None:
        """Give the calling thread as many CPU threads for an operation as the thread had that made this pipeline.

        OpenMP keeps a number for each thread: without this call a new thread uses all cores, whatever was set.
        """
        torch.set_num_threads(self._threads)

    # 1. Encode prompts
    def _count_windows(self, prompt: str, negative_prompt: str) -> int:
        """How many windows of 77 tokens the longer of two texts needs."""
        return max(count_windows(self._tokenizer, text) for text in (prompt, negative_prompt))

    @torch.inference_mode()
    def encode_prompts(self, requests: Sequence[Request]) -> list[torch.Tensor]:
        """For each request the embeddings [2, 77 * windows, dim] of its prompt and negative prompt.

        Texts that are not known yet are encoded together (one by one if pictures must be reproducible).
        """
        pairs = [self._texts_of(request) for request in requests]
        known = self._encode_missing([text for pair in pairs for text in pair])
        return [torch.stack([known[positive], known[negative]]) for positive, negative in pairs]

    def is_encoded(self, request: Request) -> bool:
        """Whether both texts of a request are known already."""
        return all(text in self._texts for text in self._texts_of(request))

    def _texts_of(self, request: Request) -> tuple[Text, Text]:
        windows = self._windows(request.prompt, request.negative_prompt)
        return (request.prompt, request.clip_skip, windows), (request.negative_prompt, request.clip_skip, windows)

    def _encode_missing(self, texts: Sequence[Text]) -> dict[Text, torch.Tensor]:
        found = {text: self._texts[text] for text in texts if text in self._texts}
        missing: dict[tuple[int, int], list[Text]] = {}
        for text in dict.fromkeys(texts):
            if text not in found:
                missing.setdefault(text[1:], []).append(text)
        at_once = 1 if self.reproducible else MAX_TEXTS
        for (clip_skip, windows), group in missing.items():
            for start in range(0, len(group), at_once):
                part = group[start : start + at_once]
                found.update(zip(part, self._encode([text[0] for text in part], clip_skip, windows), strict=True))
        for text, embeds in found.items():
            self._texts[text] = embeds
            self._texts.move_to_end(text)
        while len(self._texts) > KEPT_TEXTS:
            self._texts.popitem(last=False)
        return found

    def _encode(self, texts: list[str], clip_skip: int, windows: int) -> list[torch.Tensor]:
        encoder = self._on_device(self.model.text_encoder)
        embeds = encode(encoder, self._tokenizer, texts, clip_skip, windows).to(self.dtype)
        self._off_device(encoder)
        return list(embeds)

    # 2. Prepare latents
    def noise(self, generator: torch.Generator, shape: tuple[int, ...]) -> torch.Tensor:
        """Unit noise from a CPU generator, so that a seed means the same on every device."""
        return torch.randn(shape, generator=generator).to(self.device)

    def latent_shape(self, request: Request) -> tuple[int, int, int]:
        """Channels, height and width of a request's latents."""
        return (self.model.unet.config.in_channels, request.height // self.factor, request.width // self.factor)

    @torch.inference_mode()
    def encode_image(self, image: Image.Image) -> torch.Tensor:
        """Scaled latents [4, h, w] of a picture (the mode of the VAE's distribution)."""
        pixels = torch.as_tensor(np.asarray(image.convert("RGB")).copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
        vae = self._on_device(self.model.vae)
        in_latents = (image.height // self.factor, image.width // self.factor)
        windows = [window.times(self.factor) for window in self._vae_windows(in_latents)]
        inputs = pixels.to(self.device, self.vae_dtype)
        mean = run_alike_in_windows(lambda part: vae.encode(part).latent_dist.mode(), vae.encoder, inputs, windows)
        self._off_device(vae)
        return (mean * self.scaling).float()[0]

    # 3. Predict the noise (or velocity) of many rows at once
    @torch.inference_mode()
    def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, embeds: torch.Tensor) -> torch.Tensor:
        """One UNet call: latents [n, 4, h, w], timesteps [n], embeds [n, tokens, dim] → [n, 4, h, w] in float32.

        Latents that are too large for the model are painted in windows: one call for each, and the mean where they
        overlap (MultiDiffusion, arXiv 2302.08113).
        """
        windows = self.windows(latents.shape)
        return run_in_windows(lambda part: self._graphs(part, timesteps, embeds), latents.to(self.dtype), windows)

    def windows(self, shape: Sequence[int]) -> list[Window]:
        """The windows, in latents, in which latents [..., h, w] are painted: one unless they are too large for that."""
        height, width = shape[-2:]
        return unet_windows(height, width, self.model.profile, self.factor)

    def capture(self, rows: int, size: tuple[int, int]) -> None:
        """Make later calls with `rows` rows of a size in latents faster; takes as long as a few calls."""
        self._graphs.capture(*self.inputs(rows, size))

    def can_capture(self, rows: int, size: tuple[int, int]) -> bool:
        """Whether `capture` would do anything new."""
        return self._may_capture and not self._graphs.knows((rows, *size, self._tokenizer.model_max_length))

    def inputs(self, rows: int, size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Inputs of a model call with no picture behind them: seeded noise, and timesteps in the middle."""
        generator = torch.Generator().manual_seed(0)
        config = self.model.unet.config
        latents = torch.randn((rows, config.in_channels, *size), generator=generator)
        embeds = torch.randn((rows, self._tokenizer.model_max_length, config.cross_attention_dim), generator=generator)
        timesteps = torch.full((rows,), 500.0, device=self.device)
        return latents.to(self.device, self.dtype), timesteps, embeds.to(self.device, self.dtype)

    # 4. Decode
    @torch.inference_mode()
    def decode(self, latents: torch.Tensor, *, sparing: bool = False) -> torch.Tensor:
        """Pixels [n, 3, h, w] in -1…1, on the CPU, of latents [n, 4, h, w]. May hold values that are not finite.

        Large ones are decoded one by one and in windows, with `sparing` those of an ordinary size too.
        """
        vae = self._on_device(self.model.vae)
        windows = self._vae_windows(latents.shape, sparing=sparing)
        inputs = latents.to(self.vae_dtype) / self.scaling

        def network(part: torch.Tensor) -> torch.Tensor:
            return vae.decode(part, return_dict=False)[0]

        at_once = len(inputs) if len(windows) == 1 else 1
        parts = [inputs[start : start + at_once] for start in range(0, len(inputs), at_once)]
        pixels = torch.cat([run_alike_in_windows(network, vae.decoder, part, windows).cpu() for part in parts])
        self._off_device(vae)
        return pixels

    def _vae_windows(self, shape: Sequence[int], *, sparing: bool = False) -> list[Window]:
        height, width = shape[-2:]
        return vae_windows(height, width, self.model.profile, self.factor, sparing=sparing or self._is_sparing)

    @torch.inference_mode()
    def decode_exactly(self, latents: torch.Tensor, *, sparing: bool = False) -> torch.Tensor:
        """`decode` in float32, for latents that overflow the VAE's half precision."""
        half = self.vae_dtype
        self._turn_vae_to(torch.float32)
        try:
            return self.decode(latents, sparing=sparing)
        finally:
            self._turn_vae_to(half)

    def _turn_vae_to(self, dtype: torch.dtype) -> None:
        self.model.vae.to(dtype)
        self.vae_dtype = dtype

    def decode_in_windows(self) -> None:
        """From now on encode and decode every picture piece by piece: slower, in less memory."""
        self._is_sparing = True

    # 5. Preview
    @torch.inference_mode()
    def preview(self, latents: torch.Tensor) -> Image.Image:
        """A quick picture of latents [4, h, w]: by a small VAE itself, else by the linear map from latent to colour."""
        latents = latents.float().cpu()
        if self._to_rgb is None:
            pixels = self._preview_vae.decode(latents[None] / self.scaling, return_dict=False)[0]
        else:
            flat = torch.cat([latents, torch.ones_like(latents[:1])])
            pixels = torch.einsum("chw,cr->rhw", flat, self._to_rgb)[None]
        image = to_images(pixels)[0]
        scale = PREVIEW_SIDE / max(image.size)
        return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)

    def _copy_small_vae(self) -> Any:
        """A copy for the postprocess thread, on the CPU in float32, or None if the decoder is too large for it."""
        vae = self.model.vae
        if sum(weight.numel() for weight in vae.decoder.parameters()) > LARGEST_PREVIEW_DECODER:
            return None
        return copy.deepcopy(vae).to("cpu", torch.float32)

    def _on_device(self, part: Any) -> Any:
        return part.to(self.device) if self.low_vram else part

    def _off_device(self, part: torch.nn.Module) -> None:
        if self.low_vram:
            part.to("cpu")


def to_images(pixels: torch.Tensor) -> list[Image.Image]:
    """Pictures of pixels [n, 3, h, w] in -1…1."""
    scaled = ((pixels / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    return [Image.fromarray(picture) for picture in scaled]


@torch.inference_mode()
def fit_latent_to_rgb(pipeline: Pipeline) -> torch.Tensor:
    """The least-squares map [5, 3] from latent channels (and 1) to colour, fitted to the loaded VAE.

    The VAE's own encodings of coloured blocks are the samples: no extra weights, one encode at start.
    """
    generator = torch.Generator().manual_seed(0)
    colours = torch.rand((1, 3, 12, 12), generator=generator) * 2 - 1
    blocks = torch.nn.functional.interpolate(colours, scale_factor=2 * pipeline.factor, mode="nearest")
    latents = pipeline.encode_image(to_images(blocks)[0]).cpu()
    samples = torch.cat([latents, torch.ones_like(latents[:1])]).flatten(1).T
    targets = torch.nn.functional.interpolate(colours, scale_factor=2, mode="nearest")
    linalg: Any = torch.linalg  # lstsq carries no types
    return linalg.lstsq(samples, targets[0].flatten(1).T).solution
