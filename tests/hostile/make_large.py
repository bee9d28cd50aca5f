"""Files that are honest and large, and what is larger than honest ones: ``python make_large.py FOLDER``.

Those that are read cost what their size asks for, and no more.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cases import ARCHIVES, HDF5, Case, Read, Refused, main, packed
from make_hdf5 import BOTH
from make_hdf5 import model as hdf5
from make_limits import ONE, VARIABLE, index, once, tensors
from make_onnx import START, part
from make_onnx import model as onnx
from make_pickles import W

Shapes = Mapping[str, tuple[int | None, ...]]


def large(name: str, content: Any, weights: Shapes, item: str, *, slow: bool = False) -> Case:
    """A case that is read; in the slow runs its table alone, since a large JSON takes a while to check."""
    case = once(name, content, "nothing: it is large", Read(weights))
    work = {item: len(weights)}
    return replace(case, work=work, slow=slow, forms=("table",) if slow else ONE)


def many_tensors(count: int, *, slow: bool = False) -> Case:
    names = [f"model.layers.{number}.self_attn.q_proj.weight" for number in range(count)]
    shapes = dict.fromkeys(names, (3, 5))
    return large("m.safetensors", lambda: tensors(names), shapes, "weights of a safetensors file", slow=slow)


def many_variables(count: int, *, slow: bool = False) -> Case:
    """A checkpoint's index of as many layers, without its data file."""
    names = [f"layer{number:06}/kernel/.ATTRIBUTES/VARIABLE_VALUE" for number in range(count)]

    def content() -> bytes:
        return index(*((0, name.encode(), VARIABLE) for name in names), block_of=4000)

    return large("ck.index", content, dict.fromkeys(names, (3, 5)), "variables of a checkpoint", slow=slow)


def many_trackers(count: int) -> Case:
    """An index in which each variable belongs to an optimizer of its own, and to no model."""
    names = [f"a{number:06}/{name}" for number in range(count) for name in ("_iterations/x", "v")]
    entries = [(0, name.encode(), VARIABLE) for name in names]
    case = once("ck.index", lambda: index(*entries, block_of=4000), "a square of them", Read({}))
    return replace(case, forms=ONE)


def convolutions(count: int, *, slow: bool = False) -> Case:
    """As many convolutions one behind the other, each of other lengths: all are expressions of H and W."""

    def chain(made: Any, _: Any) -> None:
        from onnx import TensorProto, helper

        graph = made.graph
        del graph.node[:], graph.initializer[:], graph.input[:], graph.output[:]
        graph.input.append(helper.make_tensor_value_info("v0", TensorProto.FLOAT, ["N", 2, "H", "W"]))
        graph.output.append(helper.make_tensor_value_info(f"v{count}", TensorProto.FLOAT, None))
        for n in range(count):
            weight = helper.make_tensor(f"w{n}", TensorProto.FLOAT, (2, 2, 3, 5), bytes(240), raw=True)
            graph.initializer.append(weight)
            graph.node.append(helper.make_node("Conv", [f"v{n}", f"w{n}"], [f"v{n + 1}"], name=f"conv{n}"))

    weights = {f"w{n}": (2, 2, 3, 5) for n in range(count)}
    return large("m.onnx", lambda: onnx(chain), weights, "convolutions of symbolic lengths", slow=slow)


def members(count: int) -> bytes:
    """An archive of as many arrays."""
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }".ljust(117) + b"\n"
    array = b"\x93NUMPY\x01\x00v\x00" + head + bytes(12)
    return packed({f"{number}.npy": array for number in range(count)})


def listed(count: int) -> bytes:
    """An archive of as many empty members, of which only the directory and the end are there."""
    first = b"PK\3\4" + bytes(22) + struct.pack("<HH", 5, 0) + b"a.npy"
    directory = bytes(46 * count)
    at = len(first) + len(directory)
    end = struct.pack("<4sQHHLLQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(directory), len(first))
    end += struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
    end += struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(directory), len(first), 0)
    return first + directory + end


def inputs(count: int) -> bytes:
    """An ONNX graph of as many inputs, of which one is read."""

    def add(made: Any, _: Any) -> None:
        from onnx import TensorProto, helper

        kind = TensorProto.FLOAT
        made.graph.input.extend(helper.make_tensor_value_info(f"i{n}", kind, [2, 3]) for n in range(count))

    return onnx(add)


def slashes(made: Any, _: Any) -> None:
    """Nodes whose names of 4,000 characters have 2,000 parts, beside a graph in a node."""
    from onnx import TensorProto, helper

    graph = made.graph
    names = [f"{'n/' * 2000}{number}" for number in range(1000)]
    values = ["y", *names[1:], "z"]
    graph.node.extend(
        helper.make_node("Relu", [values[number]], [values[number + 1]], name=name)
        for number, name in enumerate(names)
    )
    body = helper.make_graph(
        [helper.make_node("Relu", ["z"], ["b"])], "b",
        [], [helper.make_tensor_value_info("b", TensorProto.FLOAT, None)],
    )  # fmt: skip
    graph.input.append(helper.make_tensor_value_info("c", TensorProto.BOOL, []))
    graph.node.append(helper.make_node("If", ["c"], ["u"], "n/n", then_branch=body, else_branch=body))


def many_groups(made: Any, _: Path) -> None:
    """60,000 groups that hold nothing, beside the weights."""
    for number in range(60_000):
        made.create_group(f"g{number}")


CASES: dict[str, Case] = {
    "hdf5: 60,000 groups": Case(
        hdf5(many_groups), "nothing: it is large", Read(BOTH), "m.h5", HDF5,
        work={"groups of an HDF5 file": 60_000}, forms=ONE),
    "onnx: 100,000 inputs": once(
        "m.onnx", lambda: inputs(100_000), "memory", Refused("100,002 inputs and outputs")),
    "onnx: a million inputs": once(
        "m.onnx", lambda: START + part(7, b"\x5a\x00" * 1_000_000), "a loop", Refused("types of values")),
    "onnx: names of 2,000 parts": replace(
        once("m.onnx", lambda: onnx(slashes), "a square of their length", Read(W)), forms=("table",)),
    "zip: 40,000 members": replace(
        large("m.npz", lambda: members(40_000), {str(n): (3,) for n in range(40_000)},
            "members of an archive"), row=ARCHIVES),
    "zip: a million members": replace(
        once("m.npz", lambda: listed(1_000_000), "a directory of a million", Refused("1,000,000 members")),
        row=ARCHIVES),
    "safetensors: 20,000 tensors": many_tensors(20_000),
    "safetensors: 300,000 tensors": many_tensors(300_000, slow=True),
    "tensorflow: 20,000 variables": many_variables(20_000),
    "tensorflow: 200,000 variables": many_variables(200_000, slow=True),
    "tensorflow: 20,000 optimizers": many_trackers(20_000),
    "onnx: 2,000 convolutions of symbolic lengths": convolutions(2000),
    "onnx: 20,000 convolutions of symbolic lengths": convolutions(20_000, slow=True),
}  # fmt: skip

if __name__ == "__main__":
    main(CASES)
