"""ONNX models that lead outside, lie on the wire or break inference: ``python make_onnx.py FOLDER``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from cases import HEADERS, PATHS, Case, Read, Refused, file, main, outside

W = {"w": (3, 5)}
OUTSIDE = "names a path outside its own directory"


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def part(number: int, payload: bytes) -> bytes:
    """A field of bytes."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def model(change: Callable[[Any, Any], None]) -> bytes:
    """A product with a weight, after a change of the model and its weight."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    weight = numpy_helper.from_array(np.zeros((3, 5), np.float32), "w")
    node = helper.make_node("MatMul", ["x", "w"], ["y"], "fc")
    ends = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])]
    out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph([node], "g", ends, out, [weight])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    change(made, made.graph.initializer[0])
    return made.SerializeToString()


def external(location: str, **more: str) -> Callable[[Any, Any], None]:
    """Put the weight into another file."""

    def change(_: Any, weight: Any) -> None:
        weight.ClearField("raw_data")
        weight.data_location = 1
        for key, value in {"location": location, **more}.items():
            weight.external_data.add(key=key, value=value)

    return change


def path(name: str, must: str | dict, tries: str = "a file outside", **more: str) -> Case:
    said = Refused(must) if isinstance(must, str) else Read(must)
    return Case(file(lambda: model(external(name, **more)), "m.onnx"), tries, said, "m.onnx", PATHS)


def link(home: Path) -> None:
    """The name is inside, and leads outside."""
    (home / "data.bin").symlink_to(outside(home))
    (home / "m.onnx").write_bytes(model(external("data.bin")))


def hard_link(home: Path) -> None:
    (home / "data.bin").hardlink_to(outside(home))
    (home / "m.onnx").write_bytes(model(external("data.bin")))


def absolute(home: Path) -> None:
    (home / "m.onnx").write_bytes(model(external(str(outside(home)))))


LOCATIONS = {
    "..": "../given.outside", "an absolute path": "/etc/passwd", "a backslash": "..\\x", "a drive": "C:x",
    "a network drive": "\\\\host\\share\\x", "a network drive with slashes": "//host/share/x",
        "a URL": "file:///etc/passwd",
    "NUL": "data.bin\0.txt", "nothing": "", "a way out and in": "a/../../given/data.bin",
        "two slashes": "a//b",
}  # fmt: skip

PLACES = {
    **{f"path: {name}": path(location, OUTSIDE) for name, location in LOCATIONS.items()},
    "path: an absolute path that is there": Case(absolute, "a file outside", Refused(OUTSIDE), "m.onnx",
        PATHS),
    "path: a device": path("/dev/zero", OUTSIDE, "memory without end"),
    "path: a long name": path("n" * 5000, "that no file can have"),
    "path: half a character": Case(
        file(lambda: model(external("data.bin")).replace(b"data.bin", b"dat\xed\xa0\x80in"), "m.onnx"),
        "a name that no text can hold", Refused("m.onnx"), "m.onnx", PATHS),
    "path: a link": Case(link, "a file outside, by a symbolic link", Read(W), "m.onnx", PATHS),
    "path: a hard link": Case(hard_link, "a file outside, by a hard link", Read(W), "m.onnx", PATHS),
    "path: a file that is not there": path("data.bin", W),
    "path: an offset of 2^63": path("data.bin", W, "a place outside the file", offset=str(2**63)),
    "path: a length of digits": path("data.bin", "external", "a number of 5,000 digits", length="9" * 5000),
    "path: a length of more": path("data.bin", "its external data has 64", "bytes of another", length="64"),
    "path: a negative offset": path("data.bin", "external", "a place outside the file", offset="-1"),
}  # fmt: skip


def wire(data: bytes, tries: str, reason: str) -> Case:
    return Case(file(data, "m.onnx"), tries, Refused(reason), "m.onnx", HEADERS)


START, GRAPH = b"\x08\x08", part(7, b"")


def deep() -> bytes:
    graph = b""
    for _ in range(150):
        node = part(1, b"c" * 5000) + part(5, part(1, b"then_branch") + part(6, graph))
        graph = part(1, node)
    return START + part(7, graph)


def short() -> bytes:
    """A weight with fewer bytes than its shape takes."""

    def change(_: Any, weight: Any) -> None:
        weight.raw_data = bytes(8)

    return model(change)


def of_shape(*dims: int) -> Callable[[], bytes]:
    def change(_: Any, weight: Any) -> None:
        weight.ClearField("dims")
        weight.dims.extend(dims)
        external("data.bin")(_, weight)

    return lambda: model(change)


def itself(made: Any, _: Any) -> None:
    """A function that calls itself."""
    from onnx import helper

    call = helper.make_node("f", ["a"], ["b"], domain="d")
    made.functions.append(helper.make_function("d", "f", ["a"], ["b"], [call], [helper.make_opsetid("d", 1)]))
    made.opset_import.append(helper.make_opsetid("d", 1))
    made.graph.node.append(helper.make_node("f", ["y"], ["z"], domain="d"))


def tree_of_functions(made: Any, _: Any) -> None:
    """Thirty functions of which each calls the next one twice."""
    from onnx import helper

    opsets = [helper.make_opsetid("d", 1), helper.make_opsetid("", 17)]
    for level in range(30):
        inner = [helper.make_node(f"f{level + 1}", ["a"], [name], domain="d") for name in ("b", "c")]
        body = inner if level < 29 else [helper.make_node("Relu", ["a"], ["b"])]
        made.functions.append(helper.make_function("d", f"f{level}", ["a"], ["b"], body, opsets))
    made.opset_import.append(helper.make_opsetid("d", 1))
    made.graph.node.append(helper.make_node("f0", ["y"], ["z"], domain="d"))


def cycle(made: Any, _: Any) -> None:
    from onnx import helper

    made.graph.node.append(helper.make_node("Add", ["y", "q"], ["p"]))
    made.graph.node.append(helper.make_node("Relu", ["p"], ["q"]))


def library(made: Any, _: Any) -> None:
    """An operator of a library that would be loaded."""
    from onnx import helper

    made.opset_import.append(helper.make_opsetid("../../evil.so", 1))
    made.graph.node.append(helper.make_node("Run", ["y"], ["z"], domain="../../evil.so", code="import os"))


def einsum(made: Any, _: Any) -> None:
    """An equation at which onnx's inference computes for ever."""
    from onnx import helper

    made.graph.input.append(helper.make_tensor_value_info("s", 1, []))
    made.graph.node.append(helper.make_node("Einsum", ["s"], ["z"], equation=b"-\xa8"))


def axis(made: Any, _: Any) -> None:
    """An axis at which onnx's inference reads out of bounds."""
    from onnx import helper

    made.graph.node.append(
        helper.make_node("LayerNormalization", ["y", "w"], ["z", "m", "d"], axis=2**63 - 2)
    )


def changed(change: Callable[[Any, Any], None], tries: str, must: str | dict, says: str = "") -> Case:
    said = Refused(must) if isinstance(must, str) else Read(must, says)
    return Case(file(lambda: model(change), "m.onnx"), tries, said, "m.onnx", HEADERS)


WIRE = {
    "sound": changed(lambda *_: None, "nothing", W),
    "an endless number": wire(START + b"\x38" + b"\xff" * 11, "a number of eleven bytes", "over ten bytes"),
    "a number cut off": wire(START + GRAPH + b"\x28\xff", "half a number", "cut off"),
    "a length beyond the end": wire(START + b"\x3a\xff\xff\xff\xff\x7f", "memory ahead of the bytes",
        "has only 0 left"),
    "a group": wire(START + GRAPH + b"\x0b", "a form of long ago", "wire type 3"),
    "wire type 7": wire(START + GRAPH + b"\x0f", "a form that is none", "wire type 7"),
    "field 0": wire(START + GRAPH + b"\x00\x00", "a field that is none", "not a valid field number"),
    "a graph that is a number": wire(START + b"\x38\x01", "another type", "has wire type 0"),
    "a child longer than its parent": wire(START + b"\x3a\x02\x0a\x05" + b"x" * 10, "bytes twice",
        "has only 0 left"),
    "a negative length": wire(
        START + part(7, part(5, b"\x08" + b"\xff" * 9 + b"\x01")), "a negative length",
            "has the lengths [-1]"),
    "graphs in graphs": Case(file(deep, "m.onnx"), "recursion", Refused("nested deeper than 100"), "m.onnx",
        HEADERS),
    "a short weight": Case(file(short, "m.onnx"), "bytes that are not there", Refused("bytes"), "m.onnx",
        HEADERS),
    "a shape of 2^124": Case(
        file(of_shape(2**62, 2**62), "m.onnx"), "an overflow", Read({"w": (2**62, 2**62)}), "m.onnx",
            HEADERS),
    "a function that calls itself": changed(itself, "a walk without end", "calls itself"),
    "functions that call one another": changed(tree_of_functions, "2^30 nodes", "too many nodes"),
    "a cycle": changed(cycle, "a walk without end", W),
    "an operator of a library": changed(library, "a library that is loaded", W),
    # The child may compute for a second and a half, more where the model is larger.
    "an equation without end": replace(
        changed(einsum, "a loop without end in onnx's own inference", W, "gave up"), forms=("table", "json")),
    "an axis out of bounds": changed(axis, "a crash of onnx's own inference", W, "gave up"),
}  # fmt: skip


def branch(count: int, output: str = "o") -> Any:
    """A graph of as many nodes, for a branch."""
    from onnx import TensorProto, helper

    nodes = [helper.make_node("Relu", ["x"], [output if not n else f"z{n}"]) for n in range(count)]
    return helper.make_graph(nodes, "b", [], [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)])


def named(made: Any, _: Any) -> None:
    """A node of a name of a million letters around many others."""
    from onnx import helper

    inner = {"then_branch": branch(20_000), "else_branch": branch(1)}
    made.graph.node.append(helper.make_node("If", ["x"], ["q"], "n" * 1_000_000, **inner))


def blob(made: Any, _: Any) -> None:
    """A function of one node of half a million bytes, which is called many times."""
    from onnx import helper

    body = [helper.make_node("Op", ["a"], ["b"], domain="q", text=b"t" * 500_000)]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("q", 1)]
    made.functions.append(helper.make_function("d", "f", ["a"], ["b"], body, opsets))
    made.opset_import.extend([helper.make_opsetid("d", 1)])
    made.graph.node.extend(helper.make_node("f", ["x"], [f"r{n}"], domain="d") for n in range(2000))


def scales(made: Any, weight: Any) -> None:
    """A weight whose scale and zero point have the one before as theirs, forty times over."""
    from onnx import helper

    names = [weight.name, *(f"s{n}" for n in range(40))]
    for before, after in pairwise(names):
        made.graph.node.insert(0, helper.make_node("DequantizeLinear", [before] * 3, [after]))
    made.graph.node.sort(key=lambda node: (node.name == "fc", int(node.output[0][1:] or 0)))
    made.graph.node[-1].input[1] = names[-1]


def lengths(*dims: int | str) -> Callable[[Any, Any], None]:
    """An input of these lengths, flattened."""

    def change(made: Any, _: Any) -> None:
        from onnx import TensorProto, helper

        made.graph.input.append(helper.make_tensor_value_info("v", TensorProto.FLOAT, dims))
        made.graph.node.append(helper.make_node("Flatten", ["v"], ["u"], axis=0))

    return change


def doubling(made: Any, _: Any) -> None:
    """A vector of two numbers that is joined with itself forty times; it would be the shape of a constant."""
    from onnx import TensorProto, helper

    numbers = helper.make_tensor("", TensorProto.INT64, [2], [3, 5])
    made.graph.node.insert(0, helper.make_node("Constant", [], ["d0"], value=numbers))
    for n in range(40):
        made.graph.node.append(helper.make_node("Concat", [f"d{n}", f"d{n}"], [f"d{n + 1}"], axis=0))
    made.graph.node.append(helper.make_node("ConstantOfShape", ["d40"], ["filled"]))


FACTORS = "*".join(f"(a{n} + b{n})" for n in range(60))
EXPAND = "expand to over"
GROWN = {
    "a long name around many nodes": changed(named, "20,000 names of a million letters", "path of over"),
    "a large function that is called often": changed(blob, "a gigabyte of copies", EXPAND),
    "scales of scales": changed(scales, "2^40 weights", W),
    "a vector that doubles forty times": changed(doubling, "two terabytes in the child process", W),
    "a length of 2^60 terms": changed(lengths(FACTORS, 3), "a product without end", W),
    "a product of 2^1860": changed(lengths(*[2**62] * 30), "a number that no total can hold", W),
    "a thousand axes": changed(lengths(*[2**62] * 1000), "a number that no text can hold", "1,000 axes"),
}  # fmt: skip

CASES: dict[str, Case] = {**PLACES, **WIRE, **GROWN}

if __name__ == "__main__":
    main(CASES)
