"""Small files that expand, and storms of small parts: ``python make_limits.py FOLDER``.

Each stands for a kind: a table that many entries name, names that share all of the one before, a type in a
type, calls that double at every level, one opcode millions of times, a tail of nothing behind a small file.
"""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cases import CODE, HDF5, HEADERS, Case, Read, Refused, entry, file, main, packed, safetensors
from make_hdf5 import BOTH, sound
from make_hdf5 import model as hdf5
from make_headers import F, Gguf, orbax
from make_keras import INPUT, functional, keras, level, relu
from make_onnx import START, part, varint
from make_onnx import model as onnx
from make_pickles import TENSOR, W, text
from make_scripts import CLASS, FORWARD
from make_scripts import archive as script

#: Where one form of the output is enough, since reading is what takes the time.
ONE = ("json",)


def once(name: str, content: Any, tries: str, must: Refused | Read) -> Case:
    return Case(file(content, name), tries, must, name, HEADERS, forms=ONE)


OS = b"cos\nsystem\n"
#: One opcode or a few, again and again, and what stands in front of them.
STORMS = {
    "nothing": (b"N0", b"N"), "copies": (b"20", b"N"), "the memo": (b"q\x00", b"N"),
    "memo entries": (b"\x94", b"N"),
    "long recalls": (b"j\x00\x00\x00\x000", b"Nr\x00\x00\x00\x00"), "tuples in tuples": (b"\x85", b"N"),
    "tuples": (b"2\x850", b"N"), "tuples of three": (b"NNN\x870", b"N"), "lists": (b"]0", b"N"),
    "dicts": (b"}0", b"N"), "sets": (b"\x8f0", b"N"), "calls in calls": (b")R", OS), "calls": (b"2)R0", OS),
    "states": (b"}b", OS + b")R"), "entries": (b"Na", b"]"), "items": (b"NNs", b"}"),
    "integers of no byte": (b"\x8a\x000", b"N"), "names": (b"2\x8c\x01a\x930", text("a")),
    "persistent ids": (b"Pa\n0", b"N"), "marks": (b"(" * 999 + b"1" * 999, b"N"),
}  # fmt: skip
#: Those that pile up what they make, and what stops them.
PILES = {"tuples in tuples", "calls in calls", "lists", "dicts", "sets", "states"}


def storm(name: str) -> Case:
    """Four million bytes of opcodes that deflate to a few thousand."""
    again, first = STORMS[name]
    body = b"\x80\x02}(" + text("t") + first + again * (4_190_000 // len(again)) + text("w") + TENSOR + b"u."
    members = {"m/data.pkl": body, "m/version": b"3\n", "m/data/0": bytes(60)}
    must = Refused("builds more than") if name in PILES else Read(W)
    return replace(
        once("m.pt", lambda: packed(members, zipfile.ZIP_DEFLATED), "a storm of opcodes", must), row="pickles"
    )


def statements() -> bytes:
    """TorchScript of four million bytes that deflates to a few thousand."""
    return script(CLASS + FORWARD + "    x = torch.relu(x)\n" * 190_000 + "    return x\n")


def longest_script() -> bytes:
    code = CLASS + FORWARD + "    y = [" + "x, " * 9_000_000 + "x]\n    return x\n"
    return script(code)


def calls_of_itself() -> dict:
    """A layer that is called on its own output twenty thousand times."""
    again = [[["in", 0, 0, {}]], *([["a", number, 0, {}]] for number in range(20_000))]
    return functional(INPUT, {**relu("a", ("in", 0, 0)), "inbound_nodes": again})


def typed(wrap: Callable[[Any, Any], Any], depth: int) -> Callable[[Any, Path], None]:
    """A dataset of a type in a type in a type."""

    def change(made: Any, _: Path) -> None:
        import h5py

        inner = h5py.h5t.IEEE_F32LE.copy()
        for _level in range(depth):
            inner = wrap(h5py.h5t, inner)
        h5py.h5d.create(made["model_weights/fc/fc"].id, b"odd", inner, h5py.h5s.create_simple((3, 5)))

    return change


def compound(h5t: Any, inner: Any) -> Any:
    made = h5t.create(h5t.COMPOUND, inner.get_size() * 2)
    made.insert(b"a", 0, inner)
    made.insert(b"b", inner.get_size(), inner)
    return made


#: A type in a type: compounds of two members, lists of any length, arrays.
TYPES: dict[str, tuple[Callable[[Any, Any], Any], int, Refused | Read]] = {
    "compounds": (compound, 9, Read(BOTH)),
    # libhdf5 refuses it after half of the time that it may take; on a slow machine the time is up before
    "lists": (lambda h5t, inner: h5t.vlen_create(inner), 2500, Refused("its HDF5")),
    "arrays": (lambda h5t, inner: h5t.array_create(inner, (1,) * 3), 200, Read(BOTH)),
}


def sparse(write: Callable[[Path], None], name: str) -> Callable[[Path], None]:
    """A file with a terabyte of nothing behind it."""

    def make(home: Path) -> None:
        write(home)
        with (home / name).open("r+b") as made:
            made.truncate(1 << 40)

    return make


def nothing_as_messages(home: Path) -> None:
    """The root's header goes on in a tail of nothing: millions of messages of no length."""
    made = bytearray(sound())
    made += bytes(-len(made) % 8)
    symbols = bytes(made[24 + 32 + 24 : 24 + 32 + 40])
    first = struct.pack("<HHB3x", 17, 16, 0) + symbols
    first += struct.pack("<HHB3xQQ", 16, 16, 0, 1 << 30, 200 << 20)
    struct.pack_into("<Q", made, 24 + 32 + 8, len(made))
    struct.pack_into("<Q", made, 24 + 16, 1 << 40)
    made += struct.pack("<BBHII4x", 1, 0, 65535, 1, len(first)) + first
    with (home / "m.h5").open("wb") as out:
        out.write(made)
        out.truncate(1 << 40)


def typed_file(kind: str, *, tail: bool) -> Case:
    wrap, depth, must = TYPES[kind]
    write = hdf5(typed(wrap, depth))
    return Case(sparse(write, "m.h5") if tail else write, "a walk of types", must, "m.h5", HDF5, forms=ONE)


class Lite:
    """A TFLite file of one graph in which every operator is one table, and every tensor another."""

    def __init__(self, operators: int, tensors: int) -> None:
        self.data = bytearray(struct.pack("<I4s", 0, b"TFL3"))
        root, at = self._table(5, {0: 3, 1: 0, 2: 0, 4: 0})
        self._point(0, root)
        self._list(at[1], 1, self._table(4, {3: 19})[0])
        self._list(at[4], 1, self._table(1, {})[0])
        place = self._vector(at[2], 1)
        graph, at = self._table(5, {0: 0, 1: 0, 2: 0, 3: 0})
        self._point(place, graph)
        lists = self._vector(at[0], tensors), self._vector(at[3], operators)
        for slot, number in ((1, 0), (2, 1)):
            struct.pack_into("<I", self.data, self._vector(at[slot], 1), number)
        tensor, at = self._table(4, {0: 0, 3: 0})
        struct.pack_into("<2I", self.data, self._vector(at[0], 2), 3, 5)
        self._point(at[3], len(self.data))
        self.data += struct.pack("<I4s", 3, b"abc")
        operator, at = self._table(3, {0: 0, 1: 0, 2: 0})
        for slot, number in ((1, 0), (2, 1)):
            struct.pack_into("<I", self.data, self._vector(at[slot], 1), number)
        for start, count, target in ((lists[0], tensors, tensor), (lists[1], operators, operator)):
            for number in range(count):
                self._point(start + 4 * number, target)

    def _table(self, slots: int, fields: dict[int, int]) -> tuple[int, dict[int, int]]:
        places = {slot: 4 + 4 * number for number, slot in enumerate(fields)}
        start = len(self.data)
        self.data += struct.pack("<2H", 4 + 2 * slots, 4 + 4 * len(fields))
        self.data += struct.pack(f"<{slots}H", *(places.get(slot, 0) for slot in range(slots)))
        self.data += bytes(-len(self.data) % 4)
        at = len(self.data)
        self.data += struct.pack(f"<i{len(fields)}I", at - start, *fields.values())
        return at, {slot: at + place for slot, place in places.items()}

    def _vector(self, field: int, count: int) -> int:
        self._point(field, len(self.data))
        self.data += struct.pack("<I", count) + bytes(4 * count)
        return len(self.data) - 4 * count

    def _list(self, field: int, count: int, target: int) -> None:
        """A list whose entries are copies of a table: offsets lead forwards only."""
        start = self._vector(field, count)
        copied = len(self.data)
        back = target - struct.unpack_from("<i", self.data, target)[0]
        size = struct.unpack_from("<H", self.data, back + 2)[0]
        body = bytes(self.data[target : target + size])
        self.data += struct.pack("<i", copied - back) + body[4:]
        for number in range(count):
            self._point(start + 4 * number, copied)

    def _point(self, at: int, target: int) -> None:
        struct.pack_into("<I", self.data, at, target - at)


def byte(value: int) -> int:
    """What the bits of one byte come to."""
    for _ in range(8):
        value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value


BYTES = [byte(value) for value in range(256)]


def crc(data: bytes) -> int:
    """The masked CRC-32C of LevelDB."""
    value = 0xFFFFFFFF
    for one in data:
        value = BYTES[(value ^ one) & 0xFF] ^ value >> 8
    value ^= 0xFFFFFFFF
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


VARIABLE = b"\x08\x01\x12\x08\x12\x02\x08\x03\x12\x02\x08\x05\x28\x3c"


def index(*entries: tuple[int, bytes, bytes], block_of: int = 1_000_000) -> bytes:
    """A checkpoint's index, so many keys a block; each key is a part of the one before and some more."""
    out = bytearray()

    def block(rows: Any) -> bytes:
        start = len(out)
        body = b"".join(
            varint(shared) + varint(len(k)) + varint(len(v)) + k + v for shared, k, v in rows
        ) + struct.pack("<II", 0, 1)
        out.extend(body + b"\0" + struct.pack("<I", crc(body + b"\0")))
        return varint(start) + varint(len(body))

    rows = [(0, b"", b"\x08\x01\x1a\x02\x08\x01"), *entries]
    handles = [
        (0, b"%09d" % start, block(rows[start : start + block_of])) for start in range(0, len(rows), block_of)
    ]
    foot = b"\0\0" + block(handles)
    return bytes(out) + foot.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def nodes_of_many_inputs() -> bytes:
    """A GraphDef of 2,000 nodes that read 500 others each."""
    reads = part(2, b"AddN") + part(3, b"n0") * 500
    return b"".join(part(1, part(1, b"n%d" % number) + reads) for number in range(2000))


def node(name: bytes, op: bytes, *reads: bytes) -> bytes:
    """A node of a GraphDef."""
    return part(1, part(1, name) + part(2, op) + b"".join(part(3, one) for one in reads))


def choices(count: int) -> bytes:
    """A GraphDef of choices by one condition in one scope, as TensorFlow 1 writes them."""
    made = [node(b"c", b"Placeholder"), node(b"x", b"Placeholder")]
    for number in range(count):
        switch = b"a/s%d" % number
        made.append(node(switch, b"Switch", b"x", b"c") + node(b"a/n%d" % number, b"Neg", switch + b":1"))
        made.append(node(b"a/m%d" % number, b"Merge", switch, b"a/n%d" % number))
    return b"".join(made)


def concat(made: Any, _: Any) -> None:
    from onnx import helper

    made.graph.node.extend(
        helper.make_node("Concat", ["y"] * 4000, [f"o{number}"], axis=1) for number in range(301)
    )


def endless(made: Any, _: Any) -> None:
    """An equation at which onnx's inference computes for ever, beside 28 megabytes of a text."""
    from onnx import helper

    made.graph.input.append(helper.make_tensor_value_info("s", 1, []))
    made.graph.node.append(helper.make_node("Einsum", ["s"], ["z"], equation=b"-\xa8"))
    made.graph.node.append(helper.make_node("Op", ["s"], ["u"], domain="q", t=b"b" * 28_000_000))


def endless_beside_nodes(made: Any, _: Any) -> None:
    """The same beside 20,000 nodes with names of 300 characters, which take six megabytes."""
    from onnx import helper

    made.graph.input.append(helper.make_tensor_value_info("s", 1, []))
    names = ["s", *(f"{'n' * 300}{number}" for number in range(20_000))]
    made.graph.node.extend(
        helper.make_node("Relu", [names[number]], [names[number + 1]]) for number in range(20_000)
    )
    made.graph.node.append(helper.make_node("Einsum", ["s"], ["z"], equation=b"-\xa8"))


def deep(number: int) -> str:
    """A name of 250 parts."""
    return ".".join("abcdefgh"[number >> place % 12 & 7] for place in range(250)) + f".{number}"


def longest(number: int) -> str:
    """A name of 2,000 parts."""
    return ".".join("abcdefgh"[number >> place % 18 & 7] for place in range(1990)) + f".{number}"


def keys(names: list[str]) -> list[str]:
    """Names of a checkpoint's variables, in order."""
    return sorted(name.replace(".", "/") for name in names)


def variables(names: list[str]) -> bytes:
    return index(*((0, name.encode(), VARIABLE) for name in keys(names)), block_of=400)


def torch_of(names: list[str]) -> dict[str, bytes]:
    entries = b"".join(text(name) + TENSOR for name in names)
    return {"m/data.pkl": b"\x80\x02}(" + entries + b"u.", "m/version": b"3\n", "m/data/0": bytes(60)}


def tensors(names: list[str]) -> bytes:
    return safetensors(
        {name: entry([3, 5], 60 * n, 60 * n + 60) for n, name in enumerate(names)}, bytes(60 * len(names))
    )


def keys_of_many_parts() -> bytes:
    (told,) = json.loads(orbax([3, 5]))["tree_metadata"].values()
    told["key_metadata"] = [{"key": "a", "key_type": 2}] * 200
    return json.dumps({"tree_metadata": dict.fromkeys(map(str, range(7000)), told)}).encode()


def hole(start: bytes, name: str) -> Callable[[Path], None]:
    return sparse(file(start, name), name)


ARRAY = b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (262144, 1048544), }"
SIMPLE = {
    "torchscript: 190,000 statements": once(
        "m.pt", statements, "code without end", Read({"weight": (3, 5)})),
    "torchscript: 28 MB": once("m.pt", longest_script, "code without end", Refused("bytes, more than")),
    "keras: models that call one another at 40 levels": replace(
        once("m.keras", lambda: keras(level(40)), "8^40 layers", Refused("too many calls")), row=CODE),
    "keras: a layer that is called on itself": replace(
        once("m.keras", lambda: keras(calls_of_itself()), "a walk of 20,000 calls", Read({})), row=CODE),
    "onnx: millions of empty nodes": once(
        "m.onnx", lambda: START + part(7, b"\x0a\x00" * 3_000_000), "a loop", Refused("100,000 nodes")),
    "onnx: millions of empty weights": once(
        "m.onnx", lambda: START + part(7, b"\x2a\x00" * 3_000_000), "a loop", Refused("100,000 tensors")),
    "onnx: nodes of many inputs": once("m.onnx", lambda: onnx(concat), "memory", Refused("fields")),
    "onnx: an equation without end beside many bytes": once(
        "m.onnx", lambda: onnx(endless), "a limit that grows with the file", Read(W, "gave up")),
    "onnx: an equation without end beside many nodes": replace(
        once("m.onnx", lambda: onnx(endless_beside_nodes), "a limit that grows with the file",
             Read(W, "gave up")), forms=("table",),
        work={"nodes of an ONNX graph": 20_000, "seconds of onnx's inference": 2}),
    "tflite: operators that are one": once(
        "m.tflite", lambda: bytes(Lite(300_000, 2).data), "memory", Refused("tables")),
    "tflite: tensors that are one": once(
        "m.tflite", lambda: bytes(Lite(1, 300_000).data), "memory", Refused("tables")),
    "tensorflow: names that share all of the one before": once(
        "ck.index", lambda: index(*((n, b"a", VARIABLE) for n in range(8000))), "a sum of squares",
        Refused("bytes of names")),
    "tensorflow: nodes of many inputs": once(
        "m.pb", nodes_of_many_inputs, "memory", Refused("attributes")),
    "tensorflow: choices in one scope": once(
        "m.pb", lambda: choices(3000), "a square of them, names that grow", Read({})),
    "safetensors: names of 250 parts": replace(
        once("m.safetensors", lambda: tensors([deep(n) for n in range(3000)]), "750,000 containers",
             Read({deep(n): (3, 5) for n in range(3000)})), forms=("table", "json")),
    "safetensors: names longer than any model's": once(
        "m.safetensors", lambda: tensors([f"{'a.' * 1990}{n}" for n in range(8800)]), "memory",
        Refused("characters in all")),
    "torch: names longer than any model's": once(
        "m.pt", lambda: packed(torch_of([f"{'a.' * 1990}{n}" for n in range(8800)])), "memory",
        Refused("characters in all")),
    "tensorflow: names of 2,000 parts": replace(
        once("ck.index", lambda: variables([longest(n) for n in range(2000)]), "a sum of squares, memory",
             Read(dict.fromkeys(keys([longest(n) for n in range(2000)]), (3, 5)))),
        forms=("table", "json")),
    "gguf: more tensors than any model has": once(
        "m.gguf", lambda: Gguf().head(200_001, 0).pad(24 * 200_001), "a loop",
        Refused("claims 200,001 tensors")),
    "orbax: keys of 200 parts": Case(
        file(keys_of_many_parts, "_METADATA"),
        "JSON that swells", Refused("too many entries"), ".", HEADERS, forms=ONE),
    "safetensors: a header of nothing": Case(
        hole(struct.pack("<Q", 99_999_999) + json.dumps({"a": F}).encode(), "m.safetensors"), "memory",
        Refused("not JSON"), "m.safetensors", HEADERS, forms=ONE),
    "numpy: a terabyte of nothing": Case(
        sparse(file(ARRAY.ljust(127) + b"\n", "m.npy"), "m.npy"), "memory",
        Read({"m": (262144, 1048544)}), "m.npy", HEADERS),
    "pickle: a text of nothing": Case(
        hole(b"\x80\x02]q\x00(X" + struct.pack("<I", 4_000_000_000), "m.pt"), "memory", Refused("cut off"),
        forms=ONE),
    "tflite: a tail of nothing": Case(
        sparse(file(lambda: bytes(Lite(1, 2).data), "m.tflite"), "m.tflite"), "memory", Read({}), "m.tflite",
        HEADERS),
    "onnx: a tail of nothing": Case(
        hole(START + b"\x3a" + varint(1 << 39) + b"\x0a" + varint(1 << 38), "m.onnx"), "memory",
        Refused("not a valid field number"), "m.onnx", HEADERS),
}  # fmt: skip

CASES: dict[str, Case] = {
    **{f"a storm of {name}": storm(name) for name in STORMS},
    **{f"hdf5: {kind} in {kind}": typed_file(kind, tail=False) for kind in TYPES},
    **{f"hdf5: {kind} in {kind} and a tail of nothing": typed_file(kind, tail=True) for kind in TYPES},
    "hdf5: a header that goes on in nothing": Case(
        nothing_as_messages, "gigabytes of messages", Refused("its HDF5 cannot be read"), "m.h5", HDF5,
        forms=ONE),
    **SIMPLE,
}  # fmt: skip

if __name__ == "__main__":
    main(CASES)
