"""The operators of onnxruntime's own domains and of ai.onnx.ml, held against onnxruntime.

Each row is one node, run by onnxruntime on the CPU: the shapes that it computes are the right ones. Before
these domains had rows, 29 of the 112 nodes were exact and 83 unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import shapeinspect
from shapeinspect.rules.registry import unregistered
from shapeinspect_onnx.vocabulary import ops

from .contrib_cases import CASES, ML, MS, Case, W

#: The nodes whose lengths the data decides.
BY_DATA = {"Unique", "Tokenizer", "DynamicTimeWarping", "Range", "Pad", "GroupQueryAttention"}


@dataclass
class Whole:
    """All cases as one model, and what onnxruntime computes."""

    report: Any
    real: dict[str, tuple[int, ...]]
    nodes: dict[str, Case]


def _whole(hidden: bool) -> Whole:
    """Put all cases into one model; hidden ones read their inputs through an op that onnx does not know."""
    nodes, stored, inputs, feed, wanted, names = [], [], [], {}, [], {}
    for number, case in enumerate(CASES):
        read = []
        for slot, given in enumerate(case.inputs):
            name = "" if given is None else f"n{number}_i{slot}"
            read.append(name)
            if isinstance(given, W):
                stored.append(numpy_helper.from_array(np.asarray(given.array), name))
            elif given is not None:
                array = np.asarray(given)
                feed[name] = array
                strings = array.dtype == object
                code = TensorProto.STRING if strings else helper.np_dtype_to_tensor_dtype(array.dtype)
                inputs.append(helper.make_tensor_value_info(name, code, array.shape))
                if hidden and array.dtype == np.float32 and array.ndim:
                    nodes.append(helper.make_node("QuickGelu", [name], [f"{name}_h"], domain=MS))
                    read[-1] = f"{name}_h"
        written = [f"n{number}_o{place}" if on else "" for place, on in enumerate(case.outputs)]
        node = helper.make_node(
            case.op, read, written, name=f"n{number}", domain=case.domain, **case.attributes
        )
        nodes.append(node)
        names[f"n{number}"] = case
        wanted += [name for name in written if name]
    graph = helper.make_graph(nodes, "g", inputs, [onnx.ValueInfoProto(name=name) for name in wanted], stored)
    versions = [helper.make_opsetid("", 17), helper.make_opsetid(MS, 1), helper.make_opsetid(ML, 3)]
    model = helper.make_model(graph, opset_imports=versions, ir_version=9)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    arrays = session.run(wanted, feed)
    real = {name: tuple(np.shape(array)) for name, array in zip(wanted, arrays, strict=True)}
    return Whole(shapeinspect.inspect(model), real, names)


@pytest.fixture(scope="module", params=[False, True], ids=["known inputs", "inputs that onnx does not infer"])
def whole(request: pytest.FixtureRequest) -> Whole:
    return _whole(request.param)


def test_shapes_are_those_of_onnxruntime(whole: Whole) -> None:
    ours = {value["name"]: value["shape"] for value in whole.report.to_dict()["outputs"]}
    assert set(ours) == set(whole.real)
    unknown = set()
    for name, real in whole.real.items():
        op = whole.nodes[name.partition("_")[0]].op
        shape = ours[name]
        if shape is not None and None not in shape:
            assert tuple(shape) == real, (op, name)
        else:
            unknown.add(op)
            if shape is not None:
                assert len(shape) == len(real)
                assert all(a in (None, b) for a, b in zip(shape, real, strict=True)), (op, shape, real)
    assert unknown == BY_DATA


def test_nothing_is_blamed_and_every_kind_is_known(whole: Whole) -> None:
    assert [note.text for note in whole.report.notes] == []
    assert [layer["path"] for layer in whole.report.to_dict()["layers"] if layer["kind"] == "unknown"] == []


def test_settings_are_of_the_vocabulary(whole: Whole) -> None:
    for layer in whole.report.to_dict()["layers"]:
        names = frozenset(
            name for name in layer["attributes"] if not name.lower().endswith(("scale", "zero_point"))
        )
        assert not unregistered(layer["kind"], names), layer["type"]


def test_names_of_inputs_are_those_of_the_schemas() -> None:
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    schemas = {
        (schema.domain, schema.name): [entry.name for entry in schema.inputs]
        for schema in state.get_all_operator_schema()
    }
    for op, (names, _) in ops.DOMAINS[MS].items():
        real = schemas.get((MS, op), schemas.get(("", op), []))
        if op != "QLinearConcat":  # it takes any number of inputs
            assert names.split()[: len(real)] == real[: len(names.split())], op


def test_every_operator_has_a_row() -> None:
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    known = {domain: set(rows) for domain, rows in ops.DOMAINS.items()}
    missing = {
        schema.name
        for schema in state.get_all_operator_schema()
        if schema.domain in (MS, ML) and schema.name not in known[schema.domain]
    }
    assert missing == set()
