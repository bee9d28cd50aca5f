"""torch.export's programs: equal to the program that torch holds, node by node."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from shapeinspect import layout
from shapeinspect.dims import Expr, substitute, symbol
from shapeinspect.infer import infer
from shapeinspect.ir import Model
from shapeinspect.render.table import View, table
from shapeinspect.sources.source import from_path
from shapeinspect_torch.adapters.export import ADAPTER
from shapeinspect_torch.exported.dims import read_dim

pytestmark = pytest.mark.filterwarnings("ignore")


def read(path: Path) -> Model:
    source = from_path(path)
    assert ADAPTER.match(source) == 2
    return ADAPTER.read(source)


def steps(program) -> list:
    """The nodes that make tensors; of several outputs, the node that makes them all."""
    found = []
    for node in program.graph.nodes:
        if node.op != "call_function" or "getitem" in str(node.target):
            continue
        value = node.meta.get("val")
        if isinstance(value, torch.Tensor) or (
            isinstance(value, tuple | list) and any(isinstance(part, torch.Tensor) for part in value)
        ):
            found.append(node)
    return found


def at_random(program, seed: int) -> dict:
    """A value for each symbol of the program, within its range."""
    rng = random.Random(seed)
    return {
        key: rng.randint(max(2, int(span.lower)), 1000 if span.upper > 1000 else int(span.upper))
        for key, span in program.range_constraints.items()
    }


def check_shape(ours, theirs, program) -> None:
    assert len(ours) == len(theirs)
    for have, want in zip(ours, theirs, strict=True):
        if not isinstance(want, torch.SymInt):
            assert have == want
            continue
        assert isinstance(have, Expr)
        for seed in range(5):
            values = at_random(program, seed)
            expected = want.node.expr.subs(values)
            assert substitute(have, {str(key): value for key, value in values.items()}) == int(expected)


def test_every_shape_is_torch_s(programs, net_name: str) -> None:
    program, path = programs(net_name)
    model = read(path)
    inputs = {name for name, spec in zip(
        (node.name for node in program.graph.nodes if node.op == "placeholder"),
        program.graph_signature.input_specs, strict=True) if spec.kind.name == "USER_INPUT"}  # fmt: skip
    assert set(model.inputs) == inputs
    checked = 0
    for node in program.graph.nodes:
        value = node.meta.get("val")
        if node.op in ("placeholder", "call_function") and isinstance(value, torch.Tensor):
            if node.name not in model.values:
                # Weights that are no operands, and results that nothing reads.
                assert not node.users or node.op == "placeholder"
                continue
            ours = model.values[node.name]
            check_shape(ours.shape, value.shape, program)
            assert ours.dtype == str(value.dtype).removeprefix("torch.")
            checked += 1
    assert checked >= len(steps(program)) or net_name == "recurrent"
    ends = program.graph.output_node().args[0]
    assert model.outputs == tuple(node.name for node in ends)


def test_every_op_is_a_call(programs, net_name: str) -> None:
    program, path = programs(net_name)
    model = read(path)
    layers = {layer.path: layer for layer in model.layers}
    calls = [call for call in model.calls if layers[call.layer].kind != "module"]
    made = {call.outputs[0]: call for call in calls}
    assert len(made) == len(calls)
    weights = set(program.graph_signature.inputs_to_parameters) | set(
        program.graph_signature.inputs_to_buffers
    )
    for node in steps(program):
        if isinstance(node.target, torch._ops.HigherOrderOperator):
            assert layers[str(node.target)].kind == "module"
            continue
        single = isinstance(node.meta["val"], torch.Tensor)
        names = [node.name] if single else [user.name for user in node.users]
        call = next(made[name] for name in names if name in made)
        read_ = [source.name for source in node.all_input_nodes
                 if isinstance(source.meta["val"], torch.Tensor) and source.name not in weights]  # fmt: skip
        assert list(dict.fromkeys(name for name in call.inputs if name not in weights)) == read_
        stack = list((node.meta.get("nn_module_stack") or {}).values())
        path_ = stack[-1][0] if stack else ""
        assert call.layer == path_ or call.layer.startswith(f"{path_}." if path_ else "")
    order = [call.outputs[0] for call in calls if "." not in call.outputs[0]]
    every = [node.name for node in program.graph.nodes]
    assert [every.index(name) for name in order] == sorted(every.index(name) for name in order)


def test_the_arithmetic_agrees(programs, net_name: str) -> None:
    """The settings of every layer give the shapes that torch recorded."""
    model = read(programs(net_name)[1])
    finished = infer(layout.normalize(model))
    said = [note.text for note in finished.notes if note not in model.notes]
    assert not [text for text in said if "records the output" in text or "does not fit" in text]
    lines = table(finished, View(width=120))
    assert "".join(piece for line in lines for piece, _ in line).isprintable()


def test_weights_are_the_state_dict(programs, net_name: str) -> None:
    program, path = programs(net_name)
    found = {w.name: w for layer in read(path).layers for w in layer.weights}
    constants = {name: held for name, held in program.constants.items() if isinstance(held, torch.Tensor)}
    expected = {**program.state_dict, **constants}
    assert set(found) == set(expected)
    parameters = dict(program.named_parameters())
    for name, tensor in expected.items():
        assert found[name].shape == tuple(tensor.shape)
        assert found[name].buffer == (name not in parameters)
        np.testing.assert_array_equal(found[name].values(), tensor.detach().numpy())
    tied: dict = {}
    for name, tensor in expected.items():
        tied.setdefault(tensor.data_ptr(), []).append(name)
    for names in tied.values():
        keys = {found[name].storage for name in names}
        assert len(keys) == 1
        assert (None in keys) == (len(names) == 1)


def test_kinds_and_settings(programs) -> None:
    layers = {layer.path: layer for layer in read(programs("conv")[1]).layers}
    kinds = {path: (layer.kind, layer.type) for path, layer in layers.items()}
    assert kinds["stem.0"] == ("conv", "Conv2d")
    assert kinds["stem.1"] == ("batch_norm", "BatchNorm2d")
    assert kinds["stem"] == ("module", "Sequential")
    assert kinds["depth"] == ("conv", "Conv2d")
    assert kinds["depth.pad"] == ("pad", "aten.pad")
    assert kinds["up"] == ("conv_transpose", "ConvTranspose2d")
    assert kinds["unused"][0] == "linear"
    assert kinds["Conv"] == ("module", "Conv")
    up = layers["up"]
    assert (up.attributes["in_channels"], up.attributes["out_channels"], up.attributes["groups"]) == (
        16,
        6,
        2,
    )
    assert up.attributes["output_padding"] == (1, 1)
    assert layout.common_shape(up.weights[0].layout, up.weights[0].shape) == (6, 8, 2, 3)
    assert layers["norm"].attributes["eps"] == 1e-5
    assert "padding" in layers["depth.pad"].attributes


def test_recurrent_layers(programs) -> None:
    layers = {layer.path: layer for layer in read(programs("recurrent")[1]).layers}
    assert dict(layers["lstm"].attributes) == {
        "input_size": 5, "hidden_size": 7, "num_layers": 2, "bidirectional": True, "proj_size": 0,
        "batch_first": True, "return_sequences": True, "return_state": True}  # fmt: skip
    assert {weight.layout.common for weight in layers["lstm"].weights} == {"gate o i", "gate o h", "gate o"}
    assert layers["gru"].kind == "gru"
    assert layers["cell"].kind == "gru_cell"


def test_a_module_called_twice_is_one_layer(programs) -> None:
    model = read(programs("twice")[1])
    assert [layer.path for layer in model.layers] == ["Twice", "fc", "act", "conv"]
    assert [call.layer for call in model.calls] == ["Twice", "fc", "act", "fc", "act", "conv", "conv"]


def test_branches_and_what_they_read(programs) -> None:
    model = read(programs("branches")[1])
    layers = {layer.path: layer for layer in model.layers}
    assert layers["cond"].type == "cond"
    assert layers["cond.true_graph_0.linear"].attributes["out_features"] == 4
    weights = {w.name: w for layer in model.layers for w in layer.weights}
    assert weights["a.weight"].layout.common == "o i"
    assert not any("no op" in note.text for note in model.notes)


def test_ranges_are_told_and_paths_are_not(programs) -> None:
    model = read(programs("text of any length")[1])
    ranges = [text for name, text in model.metadata.items() if name.startswith("symbol.")]
    assert sorted(ranges) == ["2 to 64 (2 in the example)", "3 to 60 (9 in the example)"]
    every = repr(model)
    assert "export_nets.py" not in every
    assert str(Path(torch.__file__).parent) not in every


def test_unused_weights_are_named(programs) -> None:
    notes = [note.text for note in read(programs("conv")[1]).notes]
    assert "no op of the program reads unused.weight, unused.bias" in notes
    # One of two tied weights is in the graph and the other one is not.
    assert not [note for note in read(programs("text")[1]).notes if "no op" in note.text]


def test_the_format_before_2_7(programs, tmp_path: Path) -> None:
    """The same program, put together as older releases did."""
    from torch._export.serde.serialize import serialize

    program, path = programs("text of any length")
    artifact = serialize(program)
    old = tmp_path / "old.pt2"
    with zipfile.ZipFile(old, "w") as file:
        file.writestr("serialized_exported_program.json", artifact.exported_program)
        file.writestr("serialized_state_dict.pt", artifact.state_dict)
        file.writestr("serialized_constants.pt", artifact.constants)
        file.writestr("serialized_example_inputs.pt", b"never read")
        file.writestr("version", "8.8")
    ours, new = read(old), read(path)
    assert (ours.calls, ours.values, ours.inputs, ours.outputs) == (
        new.calls,
        new.values,
        new.inputs,
        new.outputs,
    )
    weights = {w.name: w for layer in ours.layers for w in layer.weights}
    assert weights["emb.weight"].storage == weights["head.weight"].storage is not None
    np.testing.assert_array_equal(
        weights["qkv.weight"].values(), program.state_dict["qkv.weight"].detach().numpy()
    )
    assert [(x.path, x.kind, x.attributes) for x in ours.layers] == [
        (x.path, x.kind, x.attributes) for x in new.layers
    ]


def test_several_models(tmp_path: Path) -> None:
    from torch.export.pt2_archive._package import package_pt2

    nets = {"first": nn.Linear(3, 5), "second": nn.Linear(7, 2)}
    inputs = {"first": torch.zeros(2, 3), "second": torch.zeros(2, 7)}
    path = tmp_path / "two.pt2"
    package_pt2(path, exported_programs={k: torch.export.export(v, (inputs[k],)) for k, v in nets.items()})
    model = read(path)
    assert 'shown is the model "first"; the file also holds "second"' in [note.text for note in model.notes]
    assert model.layers[0].attributes["out_features"] == 5


@pytest.mark.parametrize("expression", [
    "s0 + 1", "s0*s1 - 3", "(s0 - 3)//2 + 1", "(2*s0 + 1) % 3", "s0**2 + s1", "4 - s1",
])  # fmt: skip
def test_expressions(expression: str) -> None:
    """As sympy prints them, and as it spells them out."""
    import sympy
    from torch.utils._sympy.functions import FloorDiv, Mod

    names = {name: sympy.Symbol(name, integer=True, positive=True) for name in ("s0", "s1")}

    class Length:
        def __init__(self, e):
            self.e = e

        def __add__(self, o):
            return Length(self.e + _e(o))

        __radd__ = __add__

        def __sub__(self, o):
            return Length(self.e - _e(o))

        def __rsub__(self, o):
            return Length(_e(o) - self.e)

        def __mul__(self, o):
            return Length(self.e * _e(o))

        __rmul__ = __mul__

        def __pow__(self, o):
            return Length(self.e**o)

        def __floordiv__(self, o):
            return Length(FloorDiv(self.e, _e(o)))

        def __mod__(self, o):
            return Length(Mod(self.e, _e(o)))

    def _e(value):
        return value.e if isinstance(value, Length) else sympy.Integer(value)

    built = eval(expression, {name: Length(symbol_) for name, symbol_ in names.items()}).e
    for text in (sympy.srepr(built), expression):
        ours = read_dim(text)
        for s0, s1 in ((5, 7), (12, 3), (101, 50)):
            assert substitute(ours, {"s0": s0, "s1": s1}) == int(
                built.subs({names["s0"]: s0, names["s1"]: s1})
            )


@pytest.mark.parametrize("text", [
    "Max(Integer(1), Symbol('s0'))", "Rational(1, 2)", "Symbol(s0)", "Integer(1", "__import__('os')", "",
    "FloorDiv(Symbol('s0'), Integer(0))", "Pow(Symbol('s0'), Integer(99999))", "1 +", "s0 @ s1", "(" * 5000,
    "*".join(f"(s{n} + t{n})" for n in range(300)), "9" * 5000, "Symbol('s0', positive=",
])  # fmt: skip
def test_what_is_no_length_is_unknown(text: str) -> None:
    assert str(read_dim(text)) == "?"


def test_symbols_keep_their_names() -> None:
    assert read_dim("Symbol('u3', integer=True)") == symbol("u3")


def test_other_archives_are_not_taken(tmp_path: Path) -> None:
    from shapeinspect.registry import choose

    torch.save({"w": torch.zeros(2)}, tmp_path / "a.pt2")
    assert choose(from_path(tmp_path / "a.pt2")).name == "torch"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("readme.txt", "hello")
    (tmp_path / "b.zip").write_bytes(buffer.getvalue())
    assert ADAPTER.match(from_path(tmp_path / "b.zip")) == 0
