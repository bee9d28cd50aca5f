"""Names that a terminal, a page or a spreadsheet would act on: ``python make_names.py FOLDER``.

Each file holds a weight for each name, and the name again wherever the format keeps texts.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

from cases import TABLES, TERMINAL, Case, Read, Refused, entry, file, main, packed, safetensors
from make_archives import npy
from make_headers import Gguf
from make_onnx import model
from make_pickles import TENSOR, archive, text

TERMINALS = {
    "a color": "\x1b[31mred", "a title": "\x1b]0;owned\x07",
        "a link of a terminal": "\x1b]8;;file:///etc/passwd\x07x",
    "C1": "\x9b31mred", "a bell": "a\x07b", "a backspace": "a\x08b", "DEL": "a\x7fb", "a new line": "a\nb",
    "a carriage return": "a\rfake", "a tab": "\ta", "bidi": "\u202ekrowten",
        "bidi isolates": "a\u2066b\u2069",
    "a mark of direction": "a\u200fb", "nothing wide": "a\u200bb", "a join": "a\u2060b",
        "a byte order": "\ufeffa",
    "a line separator": "a\u2028b", "a paragraph": "a\u2029b", "private": "a\ue000b", "tags": "a\U000e0041b",
    "markup": "[bold red]x", "closing markup": "[/x]",
        "a link of markup": "[link=file:///etc/passwd]x[/link]",
    "a long name": "n" * 900,
}  # fmt: skip
PAGES = {
    "a script": "<script>alert(1)</script>", "an attribute": "\"><img src=x onerror=alert(1)>",
    "a quote": "' onmouseover='alert(1)", "an entity": "&lt;b&gt;", "an end": "</script><!--",
        "a backslash": "\\<img src=x>", "an end of a comment": "--><svg onload=x>", "markdown": "|a|`b`|*c*|",
    "a link of markdown": "[x](javascript:alert(1))", "a formula": "=cmd|'/C calc'!A0", "a sum": "@SUM(1+1)",
    "a plus": "+1+1", "a minus": "-1+1", "a tab and a formula": "\t=1+1", "quotes": '"a","b"',
        "a comma": "a,b",
    "a brace": "{{7*7}}", "a format": "%s%n{0}",
}  # fmt: skip
#: Names that other formats would take for paths, or that we use ourselves.
PLACES = {
    "up": "../../etc/passwd", "absolute": "/abs", "around": "a/../../b", "dot": ".", "dots": "..",
        "two dots": "a..b",
    "two slashes": "a//b", "the root": "(root)", "params": "params", "a weight": "weight", "a number": "0",
}  # fmt: skip
NUL = {"NUL": "a\0b"}
#: What Python's own texts can hold and no encoded one: JSON and pickles can spell it.
HALF = {"half a character": "a\ud800b"}


def weights(names: list[str]) -> dict[str, tuple]:
    return dict.fromkeys(names, (3, 5))


def torch(names: list[str]) -> bytes:
    held = b"".join(text(name) + TENSOR for name in names)
    extra = b"".join(text(name) + text(name) + b"\x930" for name in names)
    return archive(b"\x80\x02" + extra + b"}(" + held + b"u.")


def tensors(names: list[str]) -> bytes:
    header = {"__metadata__": {name: name for name in names}}
    header |= {name: entry(start=60 * at, end=60 * at + 60) for at, name in enumerate(names)}
    return safetensors(header, bytes(60 * len(names)))


def gguf(names: list[str]) -> bytes:
    made = Gguf().head(len(names), len(names) + 1).fact(b"general.architecture", names[0].encode())
    for name in names:
        made.fact(name.encode(), name.encode())
    for at, name in enumerate(names):
        made.tensor(name.encode(), (5, 3), 0, 64 * at)
    return made.pad(64 * len(names))


def msgpack(names: list[str]) -> bytes:
    array = b"\xc7\x4a\x01\x93\x92\x03\x05\xa7float32\xc4\x3c" + bytes(60)
    raw = [name.encode() for name in names]
    held = [b"\xda" + struct.pack(">H", len(name)) + name + array for name in raw]
    return b"\xde" + struct.pack(">H", len(names)) + b"".join(held)


def npz(names: list[str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as out:
        for name in names:
            out.writestr(zipfile.ZipInfo(f"{name}.npy"), npy())
    return made.getvalue()


def onnx(names: list[str]) -> bytes:
    def change(made: object, weight: object) -> None:
        import numpy as np
        from onnx import TensorProto, helper, numpy_helper

        graph = made.graph
        made.producer_name = made.doc_string = graph.name = graph.doc_string = names[0]
        made.metadata_props.add(key=names[1], value=names[2])
        del graph.initializer[:], graph.node[:]
        for name in names:
            graph.initializer.append(numpy_helper.from_array(np.zeros((3, 5), np.float32), name))
            graph.node.append(helper.make_node("MatMul", ["x", name], [f"{name} out"], f"{name} node"))
            graph.node.append(helper.make_node(f"Op{name}", [f"{name} out"], [f"{name} y"], domain=name))
            graph.output.append(helper.make_tensor_value_info(f"{name} y", TensorProto.FLOAT, [name, 3]))

    return model(change)


def keras(names: list[str]) -> bytes:
    layers = [{"class_name": name, "module": name, "registered_name": name,
               "config": {"name": name, "units": name, name: name,
                   "activation": name}} for name in names]  # fmt: skip
    start = {"class_name": "InputLayer", "config": {"name": "in", "batch_shape": [None, 3]}}
    told = {"class_name": "Sequential", "config": {"name": names[0], "layers": [start, *layers]}}
    metadata = {"keras_version": names[0], "date_saved": names[1]}
    return packed({"metadata.json": json.dumps(metadata).encode(), "config.json": json.dumps(told).encode()})


def graph(names: list[str]) -> bytes:
    from tensorflow.core.framework import graph_pb2, tensor_pb2

    made = graph_pb2.GraphDef()
    for name in names:
        shape = {"dim": [{"size": 3}, {"size": 5}]}
        tensor = tensor_pb2.TensorProto(dtype=1, tensor_shape=shape, tensor_content=bytes(60))
        made.node.add(name=f"{name}/w", op="Const").attr["value"].tensor.CopyFrom(tensor)
        made.node.add(name=f"{name}/x", op="Placeholder")
        made.node.add(name=f"{name}/y", op="MatMul", input=[f"{name}/x", f"{name}/w"])
        made.node.add(name=f"{name}/z", op=f"Op{name}", input=[f"{name}/y"]).attr[name].s = name.encode()
    return made.SerializeToString()


def index(home: Path, names: list[str]) -> None:
    """Names of shards that are there, and of shards that are not."""
    files = {**dict.fromkeys(names, "one.safetensors"), "gone": "not\x1bthere\u202e.safetensors"}
    (home / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {names[0]: names[0]}, "weight_map": files})
    )
    (home / "one.safetensors").write_bytes(tensors(names))


#: How a format holds names, what the file is called, and which names it can hold.
FORMATS: dict[str, tuple[Callable[[list[str]], bytes], str, dict[str, str]]] = {
    "torch": (torch, "m.pt", NUL | HALF),
    "safetensors": (tensors, "m.safetensors", NUL),
    "gguf": (gguf, "m.gguf", NUL),
    "msgpack": (msgpack, "m.msgpack", NUL),
    "numpy": (npz, "m.npz", {}),
    "onnx": (onnx, "m.onnx", {}),
    "keras": (keras, "m.keras", NUL | HALF),
    "tensorflow": (graph, "m.pb", {}),
}


def every(kind: str, names: dict[str, str], row: str) -> Case:
    build, called, more = FORMATS[kind]
    chosen = list((names | more).values())
    expected = {} if kind == "keras" else weights(chosen)
    if kind == "tensorflow":
        chosen = [name for name in chosen if ":" not in name]  # which parts a node from its output there
        expected = {f"{name}/w": (3, 5) for name in chosen}
    tries = "names that are acted on, as weights, keys, classes, operators and settings"
    return Case(file(lambda: build(chosen), called), tries, Read(expected), called, row)


def named(name: str) -> Case:
    """The file's own name."""
    return Case(file(safetensors({"w": entry()}, bytes(60)), f"{name}.safetensors"), "the path itself",
                Read({"w": (3, 5)}), f"{name}.safetensors", TERMINAL)  # fmt: skip


def told(content: bytes, called: str, reason: str) -> Case:
    """An error that quotes the file."""
    return Case(file(content, called), "an error that quotes it", Refused(reason), called, TERMINAL)


EVIL = TERMINALS["a color"] + TERMINALS["bidi"] + TERMINALS["markup"]
ERRORS = {
    "error: safetensors": told(safetensors({EVIL: {}}), "m.safetensors", "lacks its dtype"),
    "error: a dtype": told(safetensors({"w": entry(dtype=EVIL)}, bytes(60)), "m.safetensors",
        "unknown dtype"),
    "error: a path": told(
        json.dumps({"weight_map": {"w": f"../{EVIL}"}}).encode(), "model.safetensors.index.json", "outside"),
    "error: a member": told(
        packed({f"{EVIL}/x": b"", "m/data.pkl": b"N."}), "m.pt", "2 root directories"),
    "error: a storage": told(
        archive(b"\x80\x02}" + text("w") + TENSOR.replace(text("0"), text(EVIL)) + b"s."), "m.pt",
            "no storage"),
    "error: gguf": told(
        bytes(Gguf().head(2, 0).tensor(EVIL.encode(), (1,)).tensor(EVIL.encode(), (1,), 0, 32).pad(36)),
            "m.gguf",
        "twice"),
    "error: json": told(safetensors(b'{"\x1b[31m'), "m.safetensors", "not JSON"),
    "error: a name without end": told(
        safetensors({"n" * 100_000: {}}), "m.safetensors", "has 100,000 characters"),
}  # fmt: skip

CASES: dict[str, Case] = {
    **{f"terminal: {kind}": every(kind, TERMINALS, TERMINAL) for kind in FORMATS},
    **{f"pages: {kind}": every(kind, PAGES, TABLES) for kind in FORMATS},
    **{f"places: {kind}": every(kind, PLACES, TERMINAL) for kind in FORMATS},
    "terminal: an index": Case(
        lambda home: index(home, list(TERMINALS.values())), "names of shards",
            Read(weights(list(TERMINALS.values()))),
        "model.safetensors.index.json", TERMINAL),
    **{f"path: {label}": named(name) for label, name in TERMINALS.items() if len(name) < 200},
    **{f"path: {label}": named(name) for label, name in PAGES.items() if "/" not in name},
    **ERRORS,
}  # fmt: skip

if __name__ == "__main__":
    main(CASES)
