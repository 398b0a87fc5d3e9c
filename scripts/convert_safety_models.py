"""Make models/safety/nsfwjs.onnx from the npm package nsfwjs (MIT), which ships its networks as JavaScript.

Needs `npm`, `node` and the Python package `onnx`; run by a maintainer, the result is in the repository:
    python scripts/convert_safety_models.py [--model mobilenet_v2_mid] [--out models/safety/nsfwjs.onnx]

The weights stay the 8-bit numbers of the package: weight = q * scale + zero, per output channel, so folding a batch
normalisation into its convolution rounds nothing a second time. The graph takes bytes, (n, 224, 224, 3) RGB, and gives
(n, 5) probabilities; the names of the classes are in its metadata.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import math
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

PACKAGE, VERSION = "nsfwjs", "4.4.0"
PACKAGE_SHA256 = "585cd178f3b994337c4d10a87b080d342fc52f8b9bf0085c4d1f345a3a1c5382"
# Drops the bundle's wrapper: the module's value, as JSON.
DUMP = "process.stdout.write(JSON.stringify(require(process.argv[1])))"
BATCH_NORM_EPSILON = 1e-3

Floats = NDArray[np.float32]
Names = list[tuple[str, str]]
Tensors = dict[str, NDArray[Any]]

# Of the 17 blocks' depthwise convolutions (Sandler et al. 2018, arXiv 1801.04381, table 2).
STRIDES = (1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1)


@dataclass(frozen=True, slots=True)
class Quantised:
    """`values * scale + zero`, in TensorFlow's axis order (output channels last)."""

    values: NDArray[np.uint8]
    scale: float
    zero: float

    def floats(self) -> Floats:
        return (self.values.astype(np.float64) * self.scale + self.zero).astype(np.float32)


def fetch_package(folder: Path) -> Path:
    """Download the pinned package and unpack it; ValueError if it is not the one that was reviewed."""
    subprocess.run(
        ["npm", "pack", f"{PACKAGE}@{VERSION}", "--silent"], cwd=folder, check=True, stdout=subprocess.DEVNULL
    )
    archive = folder / f"{PACKAGE}-{VERSION}.tgz"
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != PACKAGE_SHA256:
        raise ValueError(f"{archive.name} has SHA-256 {found}, not {PACKAGE_SHA256}")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / "package"


def read_module(path: Path) -> Any:
    """The value of a CommonJS bundle."""
    done = subprocess.run(["node", "-e", DUMP, str(path)], check=True, capture_output=True)
    return json.loads(done.stdout)


def read_weights(folder: Path, model: Mapping[str, Any]) -> dict[str, Quantised]:
    """Every tensor of the manifest, cut out of the concatenated shards."""
    (group,) = model["weightsManifest"]
    shards = [base64.b64decode(read_module(folder / f"{name}.min.js")) for name in group["paths"]]
    data, at, found = b"".join(shards), 0, dict[str, Quantised]()
    for entry in group["weights"]:
        size, how = math.prod(entry["shape"]), entry["quantization"]
        values = np.frombuffer(data, np.uint8, size, at).reshape(entry["shape"])
        found[entry["name"]] = Quantised(values, how["scale"], how["min"])
        at += size
    if at != len(data):
        raise ValueError(f"{len(data) - at} bytes of weights belong to no tensor")
    return found


def channels_first(values: NDArray[np.uint8], depthwise: bool) -> NDArray[np.uint8]:
    """(height, width, in, out) → (out, in, height, width); depthwise (h, w, channels, 1) → (channels, 1, h, w)."""
    if values.ndim == 2:
        return np.ascontiguousarray(values.T)
    return np.ascontiguousarray(values.transpose(2, 3, 0, 1) if depthwise else values.transpose(3, 2, 0, 1))


def layer(name: str, kernel: Quantised, factor: Floats, bias: Floats) -> Tensors:
    """The four tensors of one layer whose kernel is multiplied by `factor` per output channel."""
    return {
        f"{name}.weight": channels_first(kernel.values, name.endswith("depthwise")),
        f"{name}.scale": np.atleast_1d(np.float32(kernel.scale) * factor).astype(np.float32),
        f"{name}.zero": np.atleast_1d(np.float32(kernel.zero) * factor).astype(np.float32),
        f"{name}.bias": bias,
    }


def convert_layers_model(weights: Mapping[str, Quantised]) -> Tensors:
    """The Keras model `mobilenet_v2` (width 1.0): convolutions followed by batch normalisations, three dense layers."""
    tensors = Tensors()
    for name, source in keras_names():
        kind = "depthwise_kernel" if name.endswith("depthwise") else "kernel"
        norm = {"stem": "bn_Conv1", "last": "Conv_1_bn"}.get(name, f"{source}_BN")
        gamma, beta, mean, variance = (
            weights[f"{norm}/{part}"].floats() for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        factor = np.asarray(gamma / np.sqrt(variance + BATCH_NORM_EPSILON), np.float32)
        tensors |= layer(name, weights[f"{source}/{kind}"], factor, np.asarray(beta - mean * factor, np.float32))
    for index in range(3):
        source = f"dense_{index + 1}"
        tensors |= layer(
            f"dense{index}", weights[f"{source}/kernel"], np.ones(1, np.float32), weights[f"{source}/bias"].floats()
        )
    return tensors


def keras_names() -> Names:
    names = [
        ("stem", "Conv1"),
        ("block0.depthwise", "expanded_conv_depthwise"),
        ("block0.project", "expanded_conv_project"),
    ]
    for block in range(1, 17):
        names += [(f"block{block}.{part}", f"block_{block}_{part}") for part in ("expand", "depthwise", "project")]
    return [*names, ("last", "Conv_1")]


def convert_graph_model(weights: Mapping[str, Quantised], nodes: list[dict[str, Any]]) -> Tensors:
    """The TensorFlow graph `mobilenet_v2_mid` (width 1.4): normalisations are already folded, one dense layer."""
    tensors, one = Tensors(), np.ones(1, np.float32)
    for node in nodes:
        if node["op"] in ("_FusedConv2D", "FusedDepthwiseConv2dNative"):
            _, kernel, bias = node["input"]
            tensors |= layer(graph_name(node["name"]), weights[kernel], one, weights[bias].floats())
        elif node["op"] == "_FusedMatMul":
            _, kernel, bias = node["input"]
            tensors |= layer("dense0", weights[kernel], one, weights[bias].floats())
    return tensors


def graph_name(node: str) -> str:
    found = re.search(r"MobilenetV2/(Conv_1|Conv|expanded_conv(?:_(\d+))?/(expand|depthwise|project))/", node)
    if found is None:
        raise ValueError(f"unknown layer {node}")
    whole, block, part = found.groups()
    return {"Conv": "stem", "Conv_1": "last"}.get(whole, f"block{block or 0}.{part}")


def convert(package: Path, model_name: str) -> tuple[Tensors, dict[str, str]]:
    """The tensors and the metadata (`input_scale` and `input_offset` apply to pixels of 0 to 1)."""
    folder = package / "dist" / "models" / model_name
    model = read_module(folder / "model.min.js")
    weights = read_weights(folder, model)
    facts = {"source": f"npm {PACKAGE} {VERSION} {model_name}", "licence": "MIT", "sha256": PACKAGE_SHA256}
    facts["classes"] = "drawing,hentai,neutral,porn,sexy"
    if model.get("format") != "graph-model":
        return convert_layers_model(weights), {**facts, "input_scale": "1.0", "input_offset": "0.0"}
    (factor,) = (w.floats().item() for name, w in weights.items() if name.endswith("hub_input/Mul/y"))
    (minus,) = (w.floats().item() for name, w in weights.items() if name.endswith("hub_input/Sub/y"))
    tensors = convert_graph_model(weights, model["modelTopology"]["node"])
    return tensors, {**facts, "input_scale": repr(factor), "input_offset": repr(-minus)}


class Graph:
    """Collects nodes; each method adds some and returns the name of their output."""

    def __init__(self, tensors: Tensors) -> None:
        self.tensors = dict(tensors)
        self.nodes = list[NodeProto]()

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        output = f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def constant(self, name: str, value: Any) -> str:
        self.tensors[name] = np.asarray(value)
        return name

    def weight(self, name: str) -> str:
        """q * scale + zero; the runtime folds it when it loads the file."""
        bytes_ = self.tensors[f"{name}.weight"]
        for part in ("scale", "zero"):
            column = self.tensors[f"{name}.{part}"]
            self.tensors[f"{name}.{part}"] = column.reshape((-1,) + (1,) * (bytes_.ndim - 1))
        floats = self.add("Cast", f"{name}.weight", to=TensorProto.FLOAT)
        return self.add("Add", self.add("Mul", floats, f"{name}.scale"), f"{name}.zero")

    def conv(self, name: str, x: str, stride: int = 1, clip: bool = True) -> str:
        """Convolution and ReLU6 with TensorFlow's padding: at stride 2 only below and on the right."""
        shape = self.tensors[f"{name}.weight"].shape
        before = 1 if stride == 1 and shape[-1] == 3 else 0
        after = 1 if shape[-1] == 3 else 0
        attributes = {"strides": [stride, stride], "pads": [before, before, after, after]}
        group = shape[0] if name.endswith("depthwise") else 1
        x = self.add("Conv", x, self.weight(name), f"{name}.bias", group=group, **attributes)
        return self.add("Clip", x, "zero", "six") if clip else x

    def block(self, index: int, x: str) -> str:
        name, stride = f"block{index}", STRIDES[index]
        hidden = self.conv(f"{name}.expand", x) if index else x
        hidden = self.conv(f"{name}.depthwise", hidden, stride)
        projected = self.conv(f"{name}.project", hidden, clip=False)
        width_in = self.tensors[f"{name}.{'expand' if index else 'depthwise'}.weight"].shape[1 if index else 0]
        same = stride == 1 and width_in == self.tensors[f"{name}.project.weight"].shape[0]
        return self.add("Add", x, projected) if same else projected

    def dense(self, x: str) -> str:
        names = sorted(name.removesuffix(".weight") for name in self.tensors if re.fullmatch(r"dense\d\.weight", name))
        for name in names:
            x = self.add("Relu", x) if name != names[0] else x
            x = self.add("Gemm", x, self.weight(name), f"{name}.bias", transB=1)
        return x


def build(tensors: Tensors, facts: Mapping[str, str]) -> ModelProto:
    """The network over its converted tensors."""
    graph = Graph(tensors)
    graph.constant("zero", np.float32(0))
    graph.constant("six", np.float32(6))
    scale = graph.constant("input_scale", np.float32(float(facts["input_scale"]) / 255))
    offset = graph.constant("input_offset", np.float32(facts["input_offset"]))
    x = graph.add("Transpose", graph.add("Cast", "pixels", to=TensorProto.FLOAT), perm=[0, 3, 1, 2])
    x = graph.conv("stem", graph.add("Add", graph.add("Mul", x, scale), offset), stride=2)
    for index in range(len(STRIDES)):
        x = graph.block(index, x)
    x = graph.add("Flatten", graph.add("GlobalAveragePool", graph.conv("last", x)))
    graph.nodes.append(helper.make_node("Softmax", [graph.dense(x)], ["probabilities"], axis=-1))
    return package_model(graph, facts)


def package_model(graph: Graph, facts: Mapping[str, str]) -> ModelProto:
    count = len(facts["classes"].split(","))
    body = helper.make_graph(
        graph.nodes,
        "nsfwjs",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", 224, 224, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", count])],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in graph.tensors.items()],
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], producer_name="convert_safety_models")
    model.ir_version = 8
    helper.set_model_props(model, dict(facts))
    checker.check_model(model, full_check=True)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="mobilenet_v2_mid", choices=["mobilenet_v2", "mobilenet_v2_mid"])
    parser.add_argument("--out", type=Path, default=Path("models/safety/nsfwjs.onnx"))
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        tensors, facts = convert(fetch_package(Path(folder)), args.model)
    args.out.write_bytes(build(tensors, facts).SerializeToString(deterministic=True))
    digest = hashlib.sha256(args.out.read_bytes()).hexdigest()
    print(f"{args.out}: {args.out.stat().st_size:,} bytes, SHA-256 {digest}")


if __name__ == "__main__":
    main()
