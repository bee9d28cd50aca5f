"""Builders of ONNX nodes, run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
from layouts_built import Array, Built, random, renamed
from onnx import TensorProto, helper, numpy_helper

from shapeinspect.ir import Weight
from shapeinspect_onnx.vocabulary.layouts import LAYOUTS

OPSET = 23


class Graph:
    """Nodes with their weights, the first input ``x``, the last output ``y``."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.arrays: dict[str, Array] = {}
        self.weights: list[Weight] = []
        self.rng = np.random.default_rng(13)

    def weight(
        self, name: str, kind: str, role: str, shape: tuple[int, ...], change: Any = None, **sizes: int
    ) -> str:
        """Make a random weight, bound by the row of its operator's variant and input."""
        self.arrays[name] = random(self.rng, role, shape)
        layout = LAYOUTS.bind(kind, role, len(shape), sizes)
        assert layout is not None, (kind, role, shape)
        made = Weight(name, role, shape, "float32", layout=layout, values=lambda: self.arrays[name])
        self.weights += renamed([made], change) if change else [made]
        return name

    def node(self, op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> None:
        self.nodes.append(helper.make_node(op, inputs, outputs, **attributes))

    def model(self, inputs: Mapping[str, Array]) -> onnx.ModelProto:
        kinds = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}
        graph = helper.make_graph(
            self.nodes,
            "g",
            [helper.make_tensor_value_info(name, kinds[str(x.dtype)], x.shape) for name, x in inputs.items()],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(array, name) for name, array in self.arrays.items()],
        )
        domains = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=domains, ir_version=10)

    def built(self, into: Any = lambda x: x, out: Any = lambda y: y) -> Built:
        def put(name: str, value: Array) -> None:
            self.arrays[name] = np.ascontiguousarray(value)

        def run(*inputs: Array) -> Array:
            given = {name: into(one) for name, one in zip("xzw", inputs, strict=False)}
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 3
            options.intra_op_num_threads = 1
            model = self.model(given).SerializeToString()
            session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            return out(session.run(["y"], given)[0])

        return Built(tuple(self.weights), put, run)


def _conv(s: dict[str, Any], kind: str, kernel: tuple[int, ...], bias: int, **settings: Any) -> Built:
    graph = Graph()
    graph.weight("W", kind, "W", kernel, g=settings["group"])
    graph.weight("B", kind, "B", (bias,))
    graph.node(kind, ["x", "W", "B"], ["y"], strides=s["stride"], **settings)
    return graph.built()


def conv(s: dict[str, Any]) -> Built:
    kernel = (s["o"], s["i"], *s["kernel"])
    return _conv(s, "Conv", kernel, s["o"], dilations=s["dilation"], group=s["groups"])


def conv_transpose(s: dict[str, Any]) -> Built:
    kernel = (s["i"] * s["groups"], s["o"], *s["kernel"])
    bias = s["o"] * s["groups"]
    return _conv(s, "ConvTranspose", kernel, bias, dilations=s["dilation"], group=s["groups"])


def depthwise(s: dict[str, Any]) -> Built:
    return _conv(s, "Conv", (s["c"] * s["m"], 1, *s["kernel"]), s["c"] * s["m"], group=s["c"])


def separable(s: dict[str, Any]) -> Built:
    graph = Graph()
    depth, ones = s["c"] * s["m"], (1,) * len(s["kernel"])
    graph.weight("D", "Conv", "W", (depth, 1, *s["kernel"]), lambda slot: f"depthwise.{slot}")
    graph.weight("W", "Conv", "W", (s["o"], depth, *ones), lambda slot: f"pointwise.{slot}")
    graph.weight("B", "Conv", "B", (s["o"],))
    graph.node("Conv", ["x", "D"], ["between"], group=s["c"], strides=s["stride"])
    graph.node("Conv", ["between", "W", "B"], ["y"])
    return graph.built()


def _gemm(s: dict[str, Any], turned: bool) -> Built:
    graph = Graph()
    kind = "Gemm(transB)" if turned else "Gemm"
    graph.weight("B", kind, "B", (s["o"], s["i"]) if turned else (s["i"], s["o"]))
    graph.weight("C", kind, "C", (s["o"],))
    graph.node("Gemm", ["x", "B", "C"], ["y"], transB=int(turned))
    return graph.built()


def gemm(s: dict[str, Any]) -> Built:
    return _gemm(s, False)


def gemm_turned(s: dict[str, Any]) -> Built:
    return _gemm(s, True)


def matmul(s: dict[str, Any]) -> Built:
    graph = Graph()
    graph.weight("B", "MatMul", "B", (s["i"], s["o"]))
    graph.node("MatMul", ["x", "B"], ["y"])
    return graph.built()


def matmul_turned(s: dict[str, Any]) -> Built:
    """A MatMul whose stored matrix goes through a Transpose."""
    graph = Graph()
    graph.weight("B", "MatMul(transposed)", "B", (s["o"], s["i"]))
    graph.node("Transpose", ["B"], ["turned"])
    graph.node("MatMul", ["x", "turned"], ["y"])
    return graph.built()


def embedding(s: dict[str, Any]) -> Built:
    graph = Graph()
    graph.weight("data", "Gather", "data", (s["V"], s["E"]))
    graph.node("Gather", ["data", "x"], ["y"])
    return graph.built()


def _norm(op: str, kind: str, roles: str, shape: tuple[int, ...], domain: str = "", **settings: Any) -> Built:
    graph = Graph()
    names = [graph.weight(role, kind, role, shape) for role in roles.split()]
    graph.node(op, ["x", *names], ["y"], domain=domain, **settings)
    return graph.built()


def batch_norm(s: dict[str, Any]) -> Built:
    op = "BatchNormalization"
    return _norm(op, op, "scale B input_mean input_var", (s["C"],), epsilon=1e-3)


def layer_norm(s: dict[str, Any]) -> Built:
    op = "LayerNormalization"
    return _norm(op, op, "Scale B", s["shape"], epsilon=1e-3, axis=-len(s["shape"]))


def rms_norm(s: dict[str, Any]) -> Built:
    op = "RMSNormalization"
    return _norm(op, op, "scale", s["shape"], epsilon=1e-3, axis=-len(s["shape"]))


def group_norm(s: dict[str, Any]) -> Built:
    op = "GroupNormalization"
    return _norm(op, op, "scale bias", (s["C"],), epsilon=1e-3, num_groups=s["groups"])


def instance_norm(s: dict[str, Any]) -> Built:
    op = "InstanceNormalization"
    return _norm(op, op, "scale B", (s["C"],), epsilon=1e-3)


def prelu(s: dict[str, Any]) -> Built:
    graph = Graph()
    graph.weight("slope", "PRelu", "slope", (s["C"], *(1,) * len(s["space"])))
    graph.node("PRelu", ["x", "slope"], ["y"])
    return graph.built()


GATES = {"rnn": 1, "lstm": 4, "gru": 3}


def recurrent(s: dict[str, Any]) -> Built:
    graph = Graph()
    op, gates, o = s["kind"].upper(), GATES[s["kind"]], s["o"]
    direction = "bidirectional" if s["bidirectional"] else "reverse" if s["reverse"] else "forward"
    ends = 2 if s["bidirectional"] else 1
    kind = op if direction == "forward" else f"{op}({direction})"
    graph.node("Transpose", ["x"], ["seq0"], perm=[1, 0, 2])
    reset = {"linear_before_reset": int(s["reset_after"])} if op == "GRU" else {}
    for at in range(s["layers"]):

        def change(slot: str, at: int = at) -> str:
            return slot.replace(".l0", f".l{at}")

        into = s["i"] if at == 0 else ends * o
        names = [
            graph.weight(f"W{at}", kind, "W", (ends, gates * o, into), change),
            graph.weight(f"R{at}", kind, "R", (ends, gates * o, o), change),
        ]
        if s["bias"]:
            names.append(graph.weight(f"B{at}", kind, "B", (ends, 2 * gates * o), change))
        graph.node(op, [f"seq{at}", *names], [f"out{at}"], hidden_size=o, direction=direction, **reset)
        graph.arrays[f"shape{at}"] = np.array([s["T"], s["N"], ends * o])
        graph.node("Transpose", [f"out{at}"], [f"joined{at}"], perm=[0, 2, 1, 3])
        graph.node("Reshape", [f"joined{at}", f"shape{at}"], [f"seq{at + 1}"])
    graph.node("Transpose", [f"seq{s['layers']}"], ["y"], perm=[1, 0, 2])
    return graph.built()


def attention(s: dict[str, Any]) -> Built:
    graph = Graph()
    e = s["heads"] * s["d"]
    graph.weight("weights", "Attention", "weights", (e, 3 * e))
    graph.weight("bias", "Attention", "bias", (3 * e,))
    graph.weight("B", "Gemm", "B", (e, e), lambda slot: f"out.{slot}")
    graph.weight("C", "Gemm", "C", (e,), lambda slot: f"out.{slot}")
    graph.arrays |= {"flat": np.array([-1, e]), "back": np.array([s["N"], s["T"], e])}
    graph.node("Attention", ["x", "weights", "bias"], ["mixed"], domain="com.microsoft", num_heads=s["heads"])
    graph.node("Reshape", ["mixed", "flat"], ["rows"])
    graph.node("Gemm", ["rows", "B", "C"], ["projected"])
    graph.node("Reshape", ["projected", "back"], ["y"])
    made = graph.built()
    # It attends to its one input: the proofs give it the same three times.
    return Built(made.weights, made.put, lambda q, k, v: made.run(q))
