"""Branches, loops and local functions."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import shapeinspect
from shapeinspect.dims import substitute
from shapeinspect.errors import UnreadableFileError

FLOAT = TensorProto.FLOAT


def branch(name, out, width, rng):
    weight = numpy_helper.from_array(rng.standard_normal((3, width)).astype(np.float32), "w")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], name="fc"),
        helper.make_node("Relu", ["h"], [out]),
    ]
    return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(out, FLOAT, None)], [weight])


def test_both_branches_of_an_if_are_shown_with_their_weights(build, read):
    build.node(
        "If", ["cond"], "y", name="choice",
        then_branch=branch("t", "t_out", 5, build.random), else_branch=branch("e", "e_out", 7, build.random),
    )  # fmt: skip
    model = read(build.model({"cond": (), "x": (2, 3)}, ["y"], dtypes={"cond": TensorProto.BOOL}))
    assert [(layer.kind, layer.parts) for layer in model.layers] == [
        ("module", ("choice",)),
        ("linear", ("choice", "then_branch", "fc")),
        ("activation", ("choice", "then_branch", "Relu_1")),
        ("linear", ("choice", "else_branch", "fc")),
        ("activation", ("choice", "else_branch", "Relu_1")),
    ]
    assert [layer.weights[0].shape for layer in model.layers if layer.weights] == [(3, 5), (3, 7)]
    assert all(weight.storage is None for layer in model.layers for weight in layer.weights)
    calls = {call.layer: call for call in model.calls}
    for name, width in (("then", 5), ("else", 7)):
        call = calls[f"choice/{name}_branch/fc"]
        assert call.inputs == ("x",)
        assert model.values[call.outputs[0]].shape == (2, width)
    assert calls["choice"].outputs == ("y",)
    assert len(model.values["y"].shape) == 2


def test_a_loop_uses_the_weights_outside(build, read):
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["state", "w"], ["next"]),
            helper.make_node("Identity", ["go"], ["go_on"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, ()),
            helper.make_tensor_value_info("go", TensorProto.BOOL, ()),
            helper.make_tensor_value_info("state", FLOAT, (2, 3)),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, ()),
            helper.make_tensor_value_info("next", FLOAT, (2, 3)),
        ],
    )
    build.weight("w", 3, 3)
    build.tensor("times", np.int64(4))
    build.node("Loop", ["times", "", "x"], "y", name="loop", body=body)
    model = read(build.model({"x": (2, 3)}, ["y"]))
    assert [layer.path for layer in model.layers] == ["loop", "loop/body/MatMul_0", "loop/body/Identity_1"]
    assert model.layers[1].weights[0].name == "w"
    assert model.values["loop/body/next"].shape == (2, 3)
    assert model.values["y"].shape is None  # ONNX lets the lengths of a state change from round to round


def functions():
    """An outer function that calls an inner one twice, passing a weight and an attribute on."""
    relu = helper.make_node("LeakyRelu", ["h"], ["out"])
    relu.attribute.add(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    inner = helper.make_function(
        "my", "Block", ["a", "w"], ["out"],
        [helper.make_node("MatMul", ["a", "w"], ["h"], name="fc"), relu],
        [helper.make_opsetid("", 17)], attributes=["slope"],
    )  # fmt: skip
    outer = helper.make_function(
        "my", "Stack", ["a", "w"], ["out"],
        [
            helper.make_node("Block", ["a", "w"], ["m"], domain="my", name="first", slope=0.25),
            helper.make_node("Block", ["m", "w"], ["out"], domain="my", name="second", slope=0.5),
        ],
        [helper.make_opsetid("my", 1), helper.make_opsetid("", 17)],
    )  # fmt: skip
    return [outer, inner]


def test_local_functions_open_into_their_bodies(build, read):
    build.node("Stack", ["x", build.weight("w", 3, 3)], "y", domain="my", name="net")
    model = read(build.model({"x": (2, 3)}, ["y"], functions=functions(), domains={"my": 1}))
    assert [(layer.kind, layer.type, layer.parts) for layer in model.layers] == [
        ("module", "Stack", ("net",)),
        ("module", "Block", ("net", "first")),
        ("linear", "MatMul", ("net", "first", "fc")),
        ("activation", "LeakyRelu", ("net", "first", "LeakyRelu_1")),
        ("module", "Block", ("net", "second")),
        ("linear", "MatMul", ("net", "second", "fc")),
        ("activation", "LeakyRelu", ("net", "second", "LeakyRelu_1")),
    ]
    first, second = model.layers[2].weights[0], model.layers[5].weights[0]
    assert first.storage == second.storage is not None
    calls = {call.layer: call for call in model.calls}
    assert (calls["net"].inputs, calls["net"].outputs) == (("x", ""), ("y",))
    assert calls["net/second/LeakyRelu_1"].outputs == ("y",)
    assert all(model.values[name].shape == (2, 3) for call in model.calls for name in call.outputs)


def test_functions_without_a_body_and_without_end(build, read):
    empty = onnx.FunctionProto(name="Empty", domain="my", input=["a"], output=["b"])
    build.node("Empty", ["x"], "y", domain="my", name="hole")
    model = read(build.model({"x": (2, 3)}, ["y"], functions=[empty], domains={"my": 1}))
    assert any(note.about == "hole" and "no body" in note.text for note in model.notes)


def test_functions_that_call_themselves_are_refused(build, read):
    nodes = [
        helper.make_node("Self", ["a"], ["m"], domain="my"),
        helper.make_node("Self", ["m"], ["b"], domain="my"),
    ]
    endless = helper.make_function("my", "Self", ["a"], ["b"], nodes, [helper.make_opsetid("my", 1)])
    build.node("Self", ["x"], "y", domain="my")
    with pytest.raises(UnreadableFileError, match="calls itself"):
        read(build.model({"x": (2, 3)}, ["y"], functions=[endless], domains={"my": 1}))


def _ports(*names, shape=None, dtype=FLOAT):
    return [helper.make_tensor_value_info(name, dtype, shape) for name in names]


def _loop(build, *, trips, growing=True):
    """A loop that multiplies a state by a matrix, stacks it, and joins it to a second state."""
    nodes = [
        helper.make_node("MatMul", ["state", "w"], ["next"], name="fc"),
        helper.make_node("Concat", ["all", "next"], ["more"], name="grow", axis=0),
        helper.make_node("Identity", ["go"], ["go_on"]),
        helper.make_node("Identity", ["next"], ["kept"]),
    ]
    body = helper.make_graph(
        nodes,
        "body",
        [
            *_ports("i", shape=(), dtype=TensorProto.INT64),
            *_ports("go", shape=(), dtype=TensorProto.BOOL),
            *_ports("state", "all"),
        ],
        [*_ports("go_on", shape=(), dtype=TensorProto.BOOL), *_ports("next", "more", "kept")],
    )
    build.weight("w", 7, 7)
    if trips is not None:
        build.tensor("times", np.int64(trips))
    build.node("Loop", ["times", "", "x", "x"], "last", "joined", "stacked", name="loop", body=body)
    inputs = {"x": (2, 7), **({"times": ()} if trips is None else {})}
    return build.model(inputs, ["last", "joined", "stacked"], dtypes={"times": TensorProto.INT64})


def _held(model, feed):
    """Return our shapes after they were held against what onnxruntime computes."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    real = [tuple(array.shape) for array in session.run(None, feed)]
    report = shapeinspect.inspect(model)
    ours = [tuple(value["shape"]) for value in report.to_dict()["outputs"]]
    assert ours == real
    assert not report.notes
    return report


def test_a_loop_of_known_rounds_has_the_shapes_of_onnxruntime(build):
    report = _held(_loop(build, trips=5), {"x": np.zeros((2, 7), np.float32)})
    assert report["loop/body/fc"].macs == report.totals.macs == 5 * 2 * 7 * 7
    grown = report["loop/body/grow"].output.shape
    assert [str(length) for length in grown] == ["all_0 + 2", "7"]


def _two_that_grow(build, *, by, read):
    """A loop of 3 rounds: one state of 2×7 grows by 2, the other one by some value; one is multiplied."""
    nodes = [
        helper.make_node("MatMul", [read, "w"], ["made"], name="fc"),
        helper.make_node("Concat", ["all", "x"], ["more"], axis=0),
        helper.make_node("Concat", ["kept", by], ["longer"], axis=0),
        helper.make_node("Identity", ["go"], ["go_on"]),
    ]
    body = helper.make_graph(
        nodes,
        "body",
        [
            *_ports("i", shape=(), dtype=TensorProto.INT64),
            *_ports("go", shape=(), dtype=TensorProto.BOOL),
            *_ports("all", "kept"),
        ],
        [*_ports("go_on", shape=(), dtype=TensorProto.BOOL), *_ports("more", "longer")],
    )
    build.weight("w", 7, 5)
    build.tensor("times", np.int64(3))
    build.node("Compress", ["x", "chosen"], "some", axis=0)
    build.node("Loop", ["times", "", "x", "x"], "joined", "longest", name="loop", body=body)
    inputs = {"x": (2, 7), "chosen": (2,)}
    return build.model(inputs, ["joined", "longest"], dtypes={"chosen": TensorProto.BOOL})


def test_a_state_of_unknown_length_leaves_the_work_on_another_one_known(build):
    report = shapeinspect.inspect(_two_that_grow(build, by="some", read="all"))
    assert report.totals.macs == (2 + 4 + 6) * 7 * 5


def test_a_state_that_grows_by_one_that_grows_leaves_its_work_open(build):
    """Its lengths are 2, 4 and 8, and no sum of equal steps."""
    report = shapeinspect.inspect(_two_that_grow(build, by="all", read="kept"))
    assert (report.totals.macs, report.totals.macs_unknown) == (None, ("loop/body/fc",))


def test_the_rounds_of_a_loop_that_an_input_counts_are_its_symbol(build):
    model = _loop(build, trips=None)
    report = shapeinspect.inspect(model)
    assert [[str(dim) for dim in value.shape] for value in report.outputs] == [
        ["2", "7"], ["2*times + 2", "7"], ["times", "2", "7"],
    ]  # fmt: skip
    assert str(report.totals.macs) == "98*times"
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for times in (1, 3, 6):  # without a round, what is stacked has no shape of its own
        real = session.run(None, {"x": np.zeros((2, 7), np.float32), "times": np.asarray(times)})
        ours = [tuple(substitute(dim, {"times": times}) for dim in value.shape) for value in report.outputs]
        assert ours == [array.shape for array in real]


def test_the_symbol_of_rounds_is_none_of_lengths(build):
    model = _loop(build, trips=None)
    model.graph.input[0].type.tensor_type.shape.dim[0].ClearField("dim_value")
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "times"
    _, joined, stacked = shapeinspect.inspect(model).outputs
    assert str(stacked.shape[0]) == "times_value"
    assert str(joined.shape[0]) == "times*times_value + times"


def test_a_loop_of_unknown_rounds_leaves_open_what_they_decide(build):
    model = _loop(build, trips=None)
    model.graph.input[1].name = "given"
    model.graph.node.insert(0, helper.make_node("Abs", ["given"], ["times"]))
    report = shapeinspect.inspect(model)
    assert [value["shape"] for value in report.to_dict()["outputs"]] == [[2, 7], [None, 7], [None, 2, 7]]
    totals = report.to_dict()["totals"]
    assert (totals["macs"], totals["macs_unknown"]) == (None, ["loop/body/fc"])


def test_a_state_that_doubles_is_unknown(build):
    body = helper.make_graph(
        [
            helper.make_node("Concat", ["s", "s"], ["t"], name="twice", axis=1),
            helper.make_node("Identity", ["go"], ["go_on"]),
        ],
        "body",
        [
            *_ports("i", shape=(), dtype=TensorProto.INT64),
            *_ports("go", shape=(), dtype=TensorProto.BOOL),
            *_ports("s"),
        ],
        [*_ports("go_on", shape=(), dtype=TensorProto.BOOL), *_ports("t")],
    )
    build.tensor("times", np.int64(3))
    build.node("Loop", ["times", "", "x"], "y", name="loop", body=body)
    report = shapeinspect.inspect(build.model({"x": (2, 3)}, ["y"]))
    assert report.to_dict()["outputs"][0]["shape"] == [2, None]


def test_a_scan_runs_once_for_each_entry(build):
    body = helper.make_graph(
        [
            helper.make_node("Add", ["state", "entry"], ["sum"], name="add"),
            helper.make_node("MatMul", ["sum", "w"], ["made"], name="fc"),
        ],
        "body",
        _ports("state", "entry"),
        _ports("sum", "made"),
    )
    build.weight("w", 4, 6)
    build.node(
        "Scan", ["s", "x"], "last", "all", name="scan",
        body=body, num_scan_inputs=1, scan_input_axes=[1], scan_output_axes=[2],
    )  # fmt: skip
    model = build.model({"s": (2, 4), "x": (2, 5, 4)}, ["last", "all"])
    feed = {"s": np.zeros((2, 4), np.float32), "x": np.zeros((2, 5, 4), np.float32)}
    report = _held(model, feed)
    assert report.totals.macs == 5 * 2 * 4 * 6


def _choice(build, *, fixed):
    """An If whose branches have outputs of different ranks."""
    squeezed = helper.make_graph(
        [helper.make_node("Squeeze", ["x", "axis"], ["t"], name="squeeze")], "t", [], _ports("t")
    )
    wide = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["e"], name="fc")], "e", [], _ports("e"))
    build.tensor("axis", np.array([1], np.int64))
    build.weight("w", 5, 3)
    if fixed:
        build.tensor("one", np.array([1], np.int64))
        build.node("Shape", ["x"], "length", start=1, end=2)
        build.node("Equal", ["length", "one"], "same")
    build.node("If", ["same"], "y", name="choice", then_branch=squeezed, else_branch=wide)
    inputs = {"x": (2, 1, 5), **({} if fixed else {"same": ()})}
    return build.model(inputs, ["y"], dtypes={"same": TensorProto.BOOL})


def test_the_branch_that_lengths_decide_is_taken(build):
    report = _held(_choice(build, fixed=True), {"x": np.zeros((2, 1, 5), np.float32)})
    assert report.totals.macs == 0


def test_of_two_branches_that_with_more_work_counts_and_is_named(build):
    report = shapeinspect.inspect(_choice(build, fixed=False))
    assert report.to_dict()["outputs"][0]["shape"] is None
    assert report.totals.macs == 2 * 5 * 3
    assert [(note.about, note.text) for note in report.notes] == [
        ("choice", "totals count one branch, else_branch, which does more work")
    ]


def test_a_sequence_knows_its_tensors(build):
    build.tensor("sizes", np.array([2, 3, 4], np.int64))
    build.tensor("second", np.int64(1))
    build.node("SplitToSequence", ["x", "sizes"], "pieces", name="split", axis=1)
    build.node("SequenceAt", ["pieces", "second"], "piece", name="at")
    build.node("SequenceInsert", ["pieces", "piece"], "four", name="insert")
    build.node("SequenceLength", ["four"], "count", name="count")
    build.node("ConcatFromSequence", ["four"], "joined", name="join", axis=1)
    build.node("SequenceConstruct", ["piece", "piece"], "pair", name="pair")
    build.node("ConcatFromSequence", ["pair"], "stacked", name="stack", axis=0, new_axis=1)
    model = build.model({"x": (5, 9, 7)}, ["piece", "joined", "stacked", "count"])
    model.graph.output[3].type.tensor_type.elem_type = TensorProto.INT64
    report = _held(model, {"x": np.zeros((5, 9, 7), np.float32)})
    made = report.to_dict()["layers"][0]["calls"][0]["outputs"][0]
    assert (made["shape"], made["element"]) == (None, [5, None, 7])
    assert made["dtype"] == "sequence(float32)"
    assert report.totals.macs == 0


def test_an_optional_input_has_the_shape_of_what_it_holds(build):
    held = helper.make_optional_type_proto(helper.make_tensor_type_proto(FLOAT, (5, 4)))
    build.weight("w", 4, 3)
    build.node("OptionalGetElement", ["o"], "x", name="get")
    build.node("MatMul", ["x", "w"], "y", name="fc")
    model = build.model({}, ["y"], opset=18)
    model.graph.input.append(helper.make_value_info("o", held))
    report = shapeinspect.inspect(model)
    assert report.to_dict()["outputs"][0]["shape"] == [5, 3]
    assert report.to_dict()["inputs"][0]["dtype"] == "optional(float32)"


def test_a_branch_that_is_not_taken_is_not_blamed(build):
    """A converter writes both branches for all inputs: one of them need not fit."""
    squeezed = helper.make_graph(
        [helper.make_node("Squeeze", ["x", "axis"], ["t"], name="squeeze")], "t", [], _ports("t")
    )
    kept = helper.make_graph([helper.make_node("Identity", ["x"], ["e"], name="keep")], "e", [], _ports("e"))
    build.tensor("axis", np.array([1], np.int64))
    build.tensor("first", np.array(0, np.int64))
    build.tensor("many", np.array(2, np.int64))
    build.node("Shape", ["flag"], "lengths")
    build.node("Gather", ["lengths", "first"], "length")
    build.node("Less", ["length", "many"], "few")
    build.node("Not", ["few"], "enough")
    build.node("Cast", ["enough"], "decided", to=TensorProto.BOOL)
    build.node("If", ["decided"], "y", name="choice", then_branch=squeezed, else_branch=kept)
    model = build.model({"x": (2, "n", 5), "flag": ("m",)}, ["y"])
    report = shapeinspect.inspect(model, input={"x": (2, 3, 5), "flag": (1,)})
    assert report.to_dict()["outputs"][0]["shape"] == [2, 3, 5]
    assert not report.notes
    feed = {"x": np.zeros((2, 3, 5), np.float32), "flag": np.zeros((1,), np.float32)}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert session.run(None, feed)[0].shape == (2, 3, 5)
    undecided = shapeinspect.inspect(model, input={"x": (2, 3, 5)})
    assert not [note for note in undecided.notes if "does not fit" in note.text]


def test_work_in_a_loop_is_explained_with_its_rounds(build):
    told = str(shapeinspect.explain(_loop(build, trips=5), "loop/body/fc"))
    assert "= 5·2·7·7 = 490 multiplications" in told
