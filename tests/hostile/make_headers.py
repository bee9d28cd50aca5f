"""Headers that lie: ``python make_headers.py FOLDER``.

Those of safetensors, GGUF, NumPy, msgpack, TFLite, TensorFlow and Orbax.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cases import HEADERS, Case, Read, Refused, code, entry, file, main, safetensors

F = entry([2], 0, 8)
HUGE = 2**62


def one(name: str, content: bytes | Callable, tries: str, must: str | dict, says: str = "") -> Case:
    """Refused for a reason, or read with these weights."""
    said = Refused(must) if isinstance(must, str) else Read(must, says)
    return Case(file(content, name), tries, said, name, HEADERS)


def tensors(header: object, data: bytes, tries: str, must: str | dict, length: int | None = None) -> Case:
    return one("m.safetensors", safetensors(header, data, length), tries, must)


TENSORS = {
    "sound": tensors({"a": F}, bytes(8), "nothing", {"a": (2,)}),
    "a header of 2^63": tensors({"a": F}, bytes(8), "memory ahead of the bytes", "claims", 2**63),
    "a header of 100,000,001": tensors({"a": F}, bytes(8), "memory ahead of the bytes", "claims",
        100_000_001),
    "a header longer than the file": tensors({"a": F}, bytes(8), "bytes that are not there", "cut off", 4000),
    "a header without end": tensors({"a": F}, bytes(8), "half a header", "not JSON", 9),
    "an overlap": tensors({"a": F, "b": entry([2], 4, 12)}, bytes(12), "the same bytes twice", "overlaps"),
    "a hole": tensors({"a": F, "b": entry([2], 12, 20)}, bytes(20), "bytes that nobody sees",
        "leaves a gap"),
    "bytes left over": tensors({"a": F}, bytes(4096), "a file behind the file", "describes 8 bytes"),
    "offsets beyond the end": tensors({"a": entry([2], 2**40, 2**40 + 8)}, bytes(8), "a place outside",
        "gap"),
    "offsets backwards": tensors({"a": entry([2], 8, 0)}, bytes(8), "a negative length",
        "not a start and an end"),
    "a product of 0": tensors({"a": entry([2**32, 2**32], 0, 0)}, b"", "a 64-bit product that overflows",
        "overflows"),
    "a shape of 2^189": tensors({"a": entry([2**63] * 3, 0, 0)}, b"", "an overflow", "overflows"),
    "axes without number": tensors({"a": entry([1] * 65, 0, 4)}, bytes(4), "axes", "not a list of lengths"),
    "a long name": tensors({"n" * 5000: F}, bytes(8), "a name of 5,000 characters", "5,000 characters"),
    "a key twice": tensors(
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        bytes(8), "two answers", "the key 'a' twice"),
    "many containers": one(
        "m.safetensors", lambda: safetensors(b'{"a":[' + b"[],[]," * 2_500_000 + b"[]]}"),
        "JSON that swells to gigabytes", "too many entries"),
}  # fmt: skip


@dataclass
class Gguf:
    """A GGUF file put together by hand."""

    data: bytearray = field(default_factory=bytearray)

    def number(self, form: str, value: float) -> Gguf:
        self.data += struct.pack("<" + form, value)
        return self

    def text(self, value: bytes, length: int | None = None) -> Gguf:
        self.number("Q", len(value) if length is None else length)
        self.data += value
        return self

    def head(self, tensors: int, fields: int, version: int = 3) -> Gguf:
        self.data += b"GGUF"
        return self.number("I", version).number("Q", tensors).number("Q", fields)

    def fact(self, key: bytes, value: bytes) -> Gguf:
        return self.text(key).number("I", 8).text(value)

    def tensor(
        self, name: bytes, dims: Sequence[int], form: int = 0, offset: int = 0, rank: int | None = None
    ) -> Gguf:
        self.text(name).number("I", len(dims) if rank is None else rank)
        for dim in dims:
            self.number("Q", dim)
        return self.number("I", form).number("Q", offset)

    def pad(self, nbytes: int) -> bytes:
        return bytes(self.data) + bytes(-len(self.data) % 32 + nbytes)


def gguf(made: Gguf, nbytes: int, tries: str, must: str | dict) -> Case:
    return one("m.gguf", made.pad(nbytes), tries, must)


def nested() -> Gguf:
    made = Gguf().head(0, 1).text(b"k").number("I", 9)
    for _ in range(2000):
        made.number("I", 9).number("Q", 1)
    return made


def aligned(value: int) -> Gguf:
    made = Gguf().head(1, 1).text(b"general.alignment").number("I", 4).number("I", value)
    return made.tensor(b"a", (5, 3))


def hole(home: Path) -> None:
    """Eight gigabytes of nothing, said to be half a billion empty texts."""
    made = Gguf().head(0, 1).text(b"k").number("I", 9).number("I", 8).number("Q", 2**29)
    with (home / "m.gguf").open("wb") as out:
        out.write(made.data)
        out.truncate(2**33)


def template(home: Path) -> bytes:
    """A chat template in the language of Jinja, which runs code."""
    made = Gguf().head(1, 1)
    made.fact(b"tokenizer.chat_template", b"{{ 7*7 }}{{ ''.__class__ }}" + code(home).encode())
    return made.tensor(b"a.weight", (5, 3)).pad(60)


GGUF = {
    "sound": gguf(Gguf().head(1, 0).tensor(b"a", (5, 3)), 60, "nothing", {"a": (3, 5)}),
    **{f"tensors: {count:,}": gguf(Gguf().head(count, 0), 100, "a loop of years",
        f"it claims {count:,} tensors")
       for count in (10**6, 2**32, HUGE, 2**64 - 1)},
    **{f"fields: {count:,}": gguf(Gguf().head(0, count), 100, "a loop of years",
        f"it claims {count:,} metadata fields")
       for count in (10**6, 2**32, HUGE, 2**64 - 1)},
    "a key of 2^63": gguf(Gguf().head(0, 1).text(b"k", 2**63), 100, "memory ahead of the bytes", "bytes"),
    "a text of 2^64": gguf(
        Gguf().head(0, 1).text(b"k").number("I", 8).text(b"v", 2**64 - 1), 100, "a sum that overflows",
            "bytes"),
    "an array of 2^62": gguf(
        Gguf().head(0, 1).text(b"k").number("I", 9).number("I", 0).number("Q", HUGE), 100, "memory", "bytes"),
    "an array of 2^62 texts": gguf(
        Gguf().head(0, 1).text(b"k").number("I", 9).number("I", 8).number("Q", HUGE), 100, "a loop of years",
            "strings"),
    "arrays of arrays": gguf(nested(), 0, "recursion", "deep"),
    "half a billion empty texts": Case(hole, "a loop of minutes in a file with a hole", Refused("strings"),
        "m.gguf",
                                       HEADERS),
    **{f"alignment {value:,}": gguf(aligned(value), 60, "a division by zero, or a sum that overflows",
        "not a power of two")
       for value in (0, 3, 48, 2**31 + 1)},
    "axes: 2^32 - 1": gguf(Gguf().head(1, 0).tensor(b"a", (5, 3), rank=2**32 - 1), 60, "memory", "axes"),
    "five axes": gguf(Gguf().head(1, 0).tensor(b"a", (2, 3, 5, 7, 11)), 60, "more axes than there are",
        "5 axes"),
    "a product of 2^63": gguf(Gguf().head(1, 0).tensor(b"a", (2**32, 2**31)), 60, "an overflow",
        "more values than 64 bits"),
    "beyond the end": gguf(Gguf().head(1, 0).tensor(b"a", (5, 3), 0, 2**40), 60, "a place outside",
        "reaches beyond the end of the file"),
    "an overlap": gguf(Gguf().head(2, 0).tensor(b"a", (17,)).tensor(b"b", (8,), 0, 32), 96, "bytes twice",
        "overlap"),
    "not aligned": gguf(Gguf().head(1, 0).tensor(b"a", (8,), 0, 33), 96, "odd", "not a multiple of 32"),
    "half a block": gguf(Gguf().head(1, 0).tensor(b"a", (8,), 2), 96, "a block beyond its row",
        "not a multiple of its block"),
    "an unknown type": gguf(Gguf().head(1, 0).tensor(b"a.weight", (5, 3), 999), 64, "a table's end",
        {"a.weight": (3, 5)}),
    "a name twice": gguf(
        Gguf().head(2, 0).tensor(b"a", (1,)).tensor(b"a", (1,), 0, 32), 64, "two answers", "twice"),
    "a key twice": gguf(Gguf().head(0, 2).fact(b"k", b"1").fact(b"k", b"2"), 0, "two answers", "twice"),
    "a name that is no text": gguf(Gguf().head(1, 0).tensor(b"\xff\xfe", (1,)), 32, "bytes in a name",
        "UTF-8"),
    "an unknown version": gguf(Gguf().head(1, 0, 77).tensor(b"a", (5, 3)), 60, "a format of the future",
        "version 77"),
    "a template that runs code": Case(
        file(template, "m.gguf"), "code in the chat template", Read({"a.weight": (3, 5)}, hides="7*7"),
            "m.gguf", HEADERS),
}  # fmt: skip


def npy(text: bytes, version: int = 1, length: int | None = None, data: bytes = bytes(60)) -> bytes:
    width = 2 if version == 1 else 4
    claimed = len(text) if length is None else length
    return b"\x93NUMPY" + bytes([version, 0]) + claimed.to_bytes(width, "little") + text + data


def header(shape: str = "(3, 5)", descr: str = "'<f4'", order: str = "False") -> bytes:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()


def array(text: bytes, tries: str, must: str | dict, version: int = 1, length: int | None = None) -> Case:
    return one("m.npy", npy(text, version, length), tries, must)


NUMPY = {
    "sound": array(header(), "nothing", {"m": (3, 5)}),
    "a header of 4 GiB": array(header(), "memory ahead of the bytes", "header", 2, 2**32 - 1),
    "a call": array(header("(lambda: 1)()"), "code in a literal", "header"),
    "an import": array(header(descr="__import__('os')"), "code in a literal", "header"),
    "a text that is filled in": array(header(descr="f'{1}'"), "code in a literal", "header"),
    "brackets": array(header("(" * 5000 + ")" * 5000), "a parser that crashes", "header"),
    "signs": array(header("-" * 5000 + "1"), "a parser that crashes", "header"),
    "sums": array(header("1" + "+1" * 5000), "a parser that crashes", "header"),
    "digits": array(header("(" + "9" * 5000 + ",)"), "a number of 5,000 digits", "header"),
    "a shape of 2^124": array(header(f"({HUGE}, {HUGE})"), "an overflow", "header"),
    "a negative length": array(header("(3, -5)"), "a negative length", "header"),
    "a truth value": array(header("(3, True)"), "a length that is none", "header"),
    "more than there is": array(header("(3, 6)"), "bytes that are not there", "72 bytes"),
    "a version of the future": array(header(), "another format", "version 4.0", 4),
}  # fmt: skip


def msgpack(raw: bytes, tries: str, must: str | dict, values: int = 0) -> Case:
    return replace(one("m.msgpack", raw, tries, must), work={"values of a msgpack file": values})


ARRAY = b"\xc7\x4a\x01\x93\x92\x03\x05\xa7float32\xc4\x3c" + bytes(60)
LENGTHS = {
    "bin": b"\xc6\xff\xff\xff\xff", "text": b"\xdb\xff\xff\xff\xff", "array": b"\xdd\xff\xff\xff\xff",
    "map": b"\xdf\xff\xff\xff\xff", "ext": b"\xc9\xff\xff\xff\xff\x01",
}  # fmt: skip

MSGPACK = {
    "sound": msgpack(b"\x81\xa1a" + ARRAY, "nothing", {"a": (3, 5)}),
    **{f"{name} of 4 GiB": msgpack(b"\x82\xa1a" + ARRAY + b"\xa1b" + mark + bytes(100),
        "memory ahead of the bytes",
                                   "bytes") for name, mark in LENGTHS.items()},
    "numbers without end": msgpack(
        b"\xdf" + (700_000).to_bytes(4, "big") + b"".join(b"\xa6%06d\x01" % n for n in range(700_000)),
        "memory", "more than 600,000 values", 600_000),
    "maps in maps": msgpack(b"\x82\xa1b" + ARRAY + b"\xa1a" + b"\x81\xa1a" * 100_000 + b"\xc0", "recursion",
        "deep"),
    "lists in lists": msgpack(b"\x82\xa1b" + ARRAY + b"\xa1a" + b"\x91" * 100_000 + b"\xc0", "recursion",
        "deep"),
    "a list as a key": msgpack(b"\x82\xa1b" + ARRAY + b"\x91\x01\x01", "a key that cannot be hashed", "key"),
    "a key twice": msgpack(b"\x82\xa1a" + ARRAY + b"\xa1a" + ARRAY, "two answers", "twice"),
    "bytes behind the end": msgpack(b"\x81\xa1a" + ARRAY + b"\x00", "a file behind the file",
        "follow the end"),
    "a shape of more": msgpack(
        b"\x81\xa1a" + ARRAY.replace(b"\x92\x03\x05", b"\x92\x03\x06"), "bytes that are not there", "bytes"),
    "a shape of 2^126": msgpack(
        b"\x81\xa1a\xc7\x20\x01\x93\x92" + (b"\xcf" + struct.pack(">Q",
            2**63)) * 2 + b"\xa7float32\xc4\x02\x00\x00",
        "an overflow", "more values than 64 bits count"),
}  # fmt: skip

#: A root table at 20 whose third field, the list of graphs, is said to be 2 GiB further on.
LITE = struct.pack("<I4s5HHiI", 20, b"TFL3", 10, 8, 0, 0, 4, 0, 12, 2**31)


def orbax(shape: list[int]) -> bytes:
    """The metadata of a checkpoint of one array."""
    told = {"value_type": "jax.Array", "skip_deserialize": False, "write_shape": shape}
    value = {"key_metadata": [{"key": "a", "key_type": 2}], "value_metadata": told}
    return json.dumps({"tree_metadata": {"('a',)": value}}).encode()


OTHERS = {
    "tflite: a place outside": one("m.tflite", LITE + bytes(40), "a pointer out of the file",
        "were requested"),
    "tflite: nothing but its mark": one("m.tflite", b"\x1c\0\0\0TFL3" + bytes(8), "a table beyond the end",
        "were requested"),
    "tensorflow: an index of no table": one(
        "ck.index", bytes(40) + struct.pack("<Q", 0xDB4775248B80FB57), "a block beyond the end", "ck.index"),
    "tensorflow: a block of 2^40": one(
        "ck.index", (b"\xff" * 4 + b"\x7f\x80\x80\x80\x80\x20").ljust(40, b"\0") + struct.pack("<Q",
            0xDB4775248B80FB57),
        "memory ahead of the bytes", "ck.index"),
    "tensorflow: a length of 2^63": one("m.pb", b"\x0a" + b"\xff" * 8 + b"\x7f", "a sum that overflows",
        "m.pb"),
    "orbax: an array of 2^126": Case(
        file(lambda: orbax([2**63, 2**63]), "_METADATA"),
        "an overflow", Refused("shape"), ".", HEADERS),
}  # fmt: skip

CASES: dict[str, Case] = {
    **{f"safetensors: {name}": case for name, case in TENSORS.items()},
    **{f"gguf: {name}": case for name, case in GGUF.items()},
    **{f"numpy: {name}": case for name, case in NUMPY.items()},
    **{f"msgpack: {name}": case for name, case in MSGPACK.items()},
    **OTHERS,
}

if __name__ == "__main__":
    main(CASES)
