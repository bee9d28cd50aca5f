"""Files that only a command other than ``show`` reads to the end, or computes with, stay within limits."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from .conftest import cases
from .test_hostile import CHILDREN, HELD, printable

NORMALIZE = ("normalize", "m.onnx", "-o", "out.safetensors", "--keep-unknown")


@dataclass(frozen=True, slots=True)
class Row:
    """A file and a command.

    Args:
        make: writes it into an empty directory.
        words: the command, in that directory.
        code: its exit code.
        says: is a part of what it prints.
        seconds: the processor time that it may take.
    """

    make: Callable[[Path], object]
    words: tuple[str, ...]
    code: int
    says: str
    seconds: float = cases.ANY


def write(home: Path, nodes: list[Any], init: Any = (), inputs: Any = None, sparse: Any = ()) -> None:
    """Write a graph that returns ``y``; it takes ``x`` of 3 channels unless other inputs are given."""
    given = {"x": ["N", 3, 8, 9]} if inputs is None else inputs
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in given.items()]
    last = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "g", ends, last, init, sparse_initializer=sparse)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (home / "m.onnx").write_bytes(made.SerializeToString())


def external(name: str, shape: list[int], **entries: str) -> TensorProto:
    """A weight whose bytes lie in another file."""
    made = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape, data_location=1)
    for key, value in entries.items():
        made.external_data.add(key=key, value=value)
    return made


def past_the_end(home: Path) -> None:
    (home / "data").write_bytes(bytes(4096))
    weight = external("w", [5, 3, 2, 4], location="data", offset=str(2**63), length="480")
    write(home, [helper.make_node("Conv", ["x", "w"], ["y"])], [weight])


def ring(home: Path) -> None:
    (home / "data").symlink_to("data")
    write(home, [helper.make_node("Conv", ["x", "w"], ["y"])], [external("w", [5, 3, 2, 4], location="data")])


def shared(home: Path) -> None:
    """300 weights of a mebibyte in a file of two."""
    (home / "data").touch()
    os.truncate(home / "data", 2 << 20)
    weights = [
        external(f"w{at}", [512, 4, 16, 8], location="data", offset=str(4 * at), length=str(1 << 20))
        for at in range(300)
    ]
    nodes = [helper.make_node("Conv", ["x", f"w{at}"], [f"c{at}"]) for at in range(300)]
    write(home, [*nodes, helper.make_node("Sum", ["c0"], ["y"])], weights, {"x": ["N", 4, 32, 33]})


def filled(home: Path) -> None:
    """A kernel of 10^15 numbers that one number fills."""
    shape = numpy_helper.from_array(np.array([10**6, 3, 10**4, 10**5]), "s")
    write(
        home,
        [helper.make_node("ConstantOfShape", ["s"], ["w"]), helper.make_node("Conv", ["x", "w"], ["y"])],
        [shape],
    )


def thin(home: Path) -> None:
    """A sparse kernel of 10^12 numbers, one of which is stored."""
    values = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    indices = helper.make_tensor("i", TensorProto.INT64, [1], [0])
    kernel = helper.make_sparse_tensor(values, indices, [10**4, 3, 10**3, 10**5])
    write(home, [helper.make_node("Conv", ["x", "w"], ["y"])], sparse=[kernel])


def long(home: Path) -> None:
    """Lengths whose product no integer of 64 bits holds."""
    target = numpy_helper.from_array(np.array([2**62, 2**62, -1]), "s")
    write(home, [helper.make_node("Reshape", ["x", "s"], ["y"])], [target])


def many_inputs(home: Path) -> None:
    names = {f"x{at}": [f"n{at}", 3] for at in range(20_000)}
    write(home, [helper.make_node("Concat", list(names), ["y"], axis=0)], inputs=names)


def spec(lines: Callable[[], list[str]], layers: int = 1) -> Callable[[Path], None]:
    """A specification beside a chain of so many convolutions."""

    def make(home: Path) -> None:
        names = ["x", *(f"v{at}" for at in range(layers - 1)), "y"]
        weight = numpy_helper.from_array(np.zeros((3, 3, 1, 1), "f4"), "w")
        nodes = [
            helper.make_node("Conv", [names[at], "w"], [names[at + 1]], name=f"/b/b.{at}/Conv")
            for at in range(layers)
        ]
        write(home, nodes, [weight])
        (home / "s.toml").write_text(f"expect = {json.dumps(lines())}")

    return make


def signs() -> list[str]:
    draw = random.Random(3)
    return ["no layer: " + "".join(draw.choice("*?[]!") for _ in range(20)) for _ in range(30_000)]


FILES = frozenset({"m.onnx", "s.toml", "out.safetensors"})
CHECK = ("check", "m.onnx", "--spec", "s.toml")
#: A graph's input needs 70 microseconds, and all around it a second.
INPUTS = 1 + 20_000 * 70e-6 * cases.SPARE

ROWS = {
    "normalize: an offset that no file has": Row(past_the_end, NORMALIZE, 3, "bytes too early"),
    "normalize: data that is a link to itself": Row(ring, NORMALIZE, 3, "symbolic links"),
    "normalize: weights that share their bytes": Row(shared, NORMALIZE, 3, "repeat stored values"),
    "normalize: one number for 10^15": Row(filled, NORMALIZE, 3, "repeat stored values"),
    "normalize: a sparse kernel": Row(thin, NORMALIZE, 3, "repeat stored values"),
    "fit: lengths of over 64 bits": Row(long, ("fit", "m.onnx"), 0, "elements or a multiple"),
    "check: 30,000 patterns of signs alone": Row(spec(signs), CHECK, 1, "do not hold"),
    "check: 30,000 names that no layer has": Row(
        spec(lambda: [f"q{at}: conv" for at in range(30_000)]), CHECK, 1, "30000 of 30000"
    ),
    "check: patterns for each of many layers": Row(
        spec(lambda: ["no layer: " + "*.*" * (3 + at % 9) for at in range(20_000)], 500),
        CHECK,
        2,
        "8,000,000 comparisons",
        4.0,
    ),
    "check: 800 ends of names for as many layers": Row(
        spec(lambda: [f"b.{at}: conv" for at in range(800)], 800), CHECK, 0, "all 800"
    ),
    "check: one pattern of 900,000 brackets": Row(
        spec(lambda: ["no layer: " + "[" * 900_000]), CHECK, 2, "takes too long"
    ),
    "check: an input of 1,000 axes": Row(
        long, ("check", "m.onnx", "-i", "1," * 999 + "1"), 2, "at most 64 axes"
    ),
    "explain: 20,000 inputs": Row(many_inputs, ("explain", "m.onnx"), 0, "Concat", INPUTS),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ROWS)
def test_command(name: str, tmp_path: Path, shower: Any, within: Any) -> None:
    row = ROWS[name]
    row.make(tmp_path)
    words = [
        str(tmp_path / word) if word in ("m.onnx", "s.toml", "out.safetensors") else word
        for word in row.words
    ]

    def shown() -> Any:
        shower.ask({"words": words, "given": [os.path.realpath(tmp_path)]})
        return shower.answer()

    answer = shown()
    code, out, err, seconds = answer["runs"]["words"]
    assert "Traceback" not in err
    assert code == row.code, err
    assert row.says in " ".join((out + err).split())
    printable(out + err)
    assert within(seconds, row.seconds, lambda: shown()["runs"]["words"][3]), f"{seconds:.1f} s"
    assert answer["held"] < HELD
    assert answer["children"] < CHILDREN
    assert not [path for path in tmp_path.iterdir() if path.name.startswith((".", "out"))]
