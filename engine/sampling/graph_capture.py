"""Calls of the UNet without its Python code: captured once for each number of rows and size, then replayed.

A small network, or a large one on a fast device, spends much of a call in Python and not in arithmetic. On a CPU a call
is captured as a TorchScript trace, on CUDA as a CUDA graph; both run the same kernels on the same weights. A capture
whose numbers differ from the network's own in a single bit is thrown away.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch

log = logging.getLogger(__name__)

# A call that takes longer is arithmetic for the most part: there is nothing to gain. The first one has more to do.
LONGEST_SECONDS = 0.1
LONGEST_FIRST_SECONDS = 1.0
_WARM_UP_CALLS = 3

UnetCall = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
Shape = tuple[int, int, int, int]  # rows, height and width in latents, tokens


class GraphCapture:
    """The captured calls of one UNet. Only the thread that runs the UNet may use it."""

    def __init__(self, unet: torch.nn.Module) -> None:
        self._unet = unet
        self._calls: dict[Shape, UnetCall | None] = {}
        self._memory: Any = None

    def __call__(self, latents: torch.Tensor, timesteps: torch.Tensor, embeds: torch.Tensor) -> torch.Tensor:
        """The UNet's output, replayed if a call of this shape was captured."""
        call = self._calls.get(_shape(latents, embeds)) or self._run
        return call(latents, timesteps, embeds)

    def knows(self, shape: Shape) -> bool:
        """Whether calls of this shape were captured, or found not worth it."""
        return shape in self._calls

    @torch.inference_mode()
    def capture(self, latents: torch.Tensor, timesteps: torch.Tensor, embeds: torch.Tensor) -> None:
        """Capture calls of these inputs' shape: latents [n, 4, h, w], timesteps [n], embeds [n, tokens, dim].

        Takes as long as a few of them.
        """
        key, inputs = _shape(latents, embeds), (latents, timesteps, embeds)
        self._calls[key] = None
        if self._seconds_of(inputs) > LONGEST_FIRST_SECONDS or self._seconds_of(inputs) > LONGEST_SECONDS:
            return
        expected = self._run(*inputs)
        try:
            call = self._cuda_graph(inputs) if latents.is_cuda else self._trace(inputs)
        except RuntimeError:
            log.warning("calls with %d rows can't be captured; they run as before", len(latents), exc_info=True)
            return
        if torch.equal(call(*inputs), expected):
            self._calls[key] = call

    def _seconds_of(self, inputs: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> float:
        started = time.perf_counter()
        # Reading a number back waits for the device.
        float(self._run(*inputs)[0, 0, 0, 0])
        return time.perf_counter() - started

    def _run(self, latents: torch.Tensor, timesteps: torch.Tensor, embeds: torch.Tensor) -> torch.Tensor:
        return self._unet(latents, timesteps, encoder_hidden_states=embeds, return_dict=False)[0]

    def _trace(self, inputs: tuple[torch.Tensor, ...]) -> UnetCall:
        with warnings.catch_warnings():
            # Branches on shapes become constants: the shapes are what a capture is for.
            warnings.simplefilter("ignore")
            jit: Any = torch.jit  # trace carries no types
            traced: UnetCall = jit.trace(_Plain(self._unet), inputs, check_trace=False)
        for _ in range(_WARM_UP_CALLS):
            traced(*inputs)
        return traced

    def _cuda_graph(self, inputs: tuple[torch.Tensor, ...]) -> UnetCall:
        """A CUDA graph that reads from and writes to tensors of its own; all graphs share one pool of memory."""
        own = [tensor.clone() for tensor in inputs]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UP_CALLS):
                self._run(*own)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._memory):
            output = self._run(*own)
        self._memory = graph.pool()

        def replay(*given: torch.Tensor) -> torch.Tensor:
            for mine, tensor in zip(own, given, strict=True):
                mine.copy_(tensor)
            graph.replay()
            return output.clone()

        return replay


def _shape(latents: torch.Tensor, embeds: torch.Tensor) -> Shape:
    rows, _, height, width = latents.shape
    return rows, height, width, embeds.shape[1]


class _Plain(torch.nn.Module):
    """The UNet with positional inputs and a plain tensor as output, as tracing needs it. Shares its weights."""

    def __init__(self, unet: torch.nn.Module) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, latents: torch.Tensor, timesteps: torch.Tensor, embeds: torch.Tensor) -> torch.Tensor:
        return self.unet(latents, timesteps, encoder_hidden_states=embeds, return_dict=False)[0]
