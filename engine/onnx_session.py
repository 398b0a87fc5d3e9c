"""Opening an ONNX model for one CPU core: no GPU time, no fight with PyTorch's threads."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def open_session(data: bytes) -> Any:
    """An onnxruntime.InferenceSession of the file's content; the package carries no types. Safe from many threads."""
    runtime: Any = import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # keeps no memory between calls
    return runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
