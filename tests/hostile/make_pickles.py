"""Pickles that would run code, eat memory or never end: ``python make_pickles.py FOLDER``.

Each is the ``data.pkl`` of an archive as ``torch.save`` writes it, with a weight ``w`` of 3 × 5 beside
the trap, unless the whole pickle is malformed.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from pathlib import Path

from cases import Case, Read, Refused, code, file, main, packed

W = {"w": (3, 5)}


def text(value: str) -> bytes:
    """BINUNICODE."""
    raw = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(raw)) + raw


def tensor(key: str) -> bytes:
    """A tensor of 3 × 5 in the storage of this key."""
    storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu") + b"K\x0ftQ"
    shape = b"K\x00K\x03K\x05\x86K\x05K\x01\x86\x89ccollections\nOrderedDict\n)RtR"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + shape


TENSOR = tensor("0")


def archive(pickled: bytes) -> bytes:
    """An archive of torch's with this pickle and one storage of fifteen numbers."""
    return packed({"m/data.pkl": pickled, "m/version": b"3\n", "m/data/0": bytes(60)})


def beside(trap: bytes, protocol: int = 2, key: str = "0") -> bytes:
    """A checkpoint of a trap, which leaves one object on the stack, and a weight."""
    head = bytes([0x80, protocol]) if protocol > 1 else b""
    return archive(head + b"}(" + text("trap") + trap + text("w") + tensor(key) + b"u.")


def legacy(pickled: bytes, *keys: str) -> bytes:
    """The container of torch before 1.6."""
    parts = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    data = b"".join(pickle.dumps(part, 2) for part in parts) + pickled + pickle.dumps(list(keys), 2)
    return data + b"".join(struct.pack("<Q", 15) + bytes(60) for _ in keys)


def trap(inert: bytes | Callable[[], bytes], tries: str, must: Refused | Read | None = None) -> Case:
    """A case of opcodes beside a weight."""
    made = inert if callable(inert) else lambda: inert
    return Case(file(lambda: beside(made())), tries, must or Read(W))


def whole(pickled: bytes, reason: str) -> Case:
    """A case of a pickle that is malformed as a whole."""
    return Case(file(lambda: archive(pickled)), "a pickle that is none", Refused(reason, at=True))


class Trap:
    """Asks the unpickler to run code."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __reduce__(self) -> tuple:
        return exec, (code(self.home),)


def dumped(home: Path, protocol: int) -> bytes:
    """What the standard library writes of it, without what begins and ends a pickle."""
    data = pickle.dumps(Trap(home), protocol)
    start = 0 if protocol < 2 else 2 if protocol < 4 else 11
    return data[start:-1]


def by_protocol(protocol: int) -> Case:
    said = "__builtin__.exec" if protocol < 3 else "builtins.exec"
    return Case(
        file(lambda home: beside(dumped(home, protocol), protocol)),
        f"code that runs when it is loaded, protocol {protocol}",
        Read(W, f"not executed; globals referenced: {said}"),
        springs=True,
    )


EXEC = b"cbuiltins\nexec\n"


def runs(build: Callable[[bytes], bytes], tries: str, says: str = "builtins.exec") -> Case:
    """A case of opcodes that run code, whose text is their argument."""
    said = f"not executed; globals referenced: {says}"
    return Case(file(lambda home: beside(build(text(code(home))))), tries, Read(W, said), springs=True)


CALLS = {
    "REDUCE": runs(lambda run: EXEC + run + b"\x85R", "a call"),
    "INST": runs(lambda run: b"(" + run + b"ibuiltins\nexec\n", "a call, as protocol 0 writes an instance"),
    "OBJ": runs(lambda run: b"(" + EXEC + run + b"o", "a call, as protocol 1 writes an instance"),
    "NEWOBJ": runs(
        lambda run: b"cfunctools\npartial\n" + EXEC + run + b"\x86\x81)R",
        "a class that keeps a call, then the call", "functools.partial, builtins.exec"),
    "NEWOBJ_EX": runs(
        lambda run: b"cfunctools\npartial\n" + EXEC + b"\x85}" + text(
            "x") + b"Ns\x920" + EXEC + run + b"\x85R",
        "a class that keeps a call, with keywords", "functools.partial, builtins.exec"),
    "BUILD: __setstate__": runs(
        lambda run: b"cargparse\nNamespace\n)R}" + text("__setstate__") + EXEC + b"sb" + run + b"b",
        "an object that is given exec as its __setstate__", "argparse.Namespace, builtins.exec"),
    "STACK_GLOBAL": runs(
        lambda run: text("builtins") + text("exec") + b"\x93" + run + b"\x85R", "a name from the stack"),
    "STACK_GLOBAL of a dotted name": runs(
        lambda run: b"\x80\x04" + text("builtins") + text("exec.__call__") + b"\x93" + run + b"\x85R",
        "a name that is looked up through another", "builtins.exec.__call__"),
    "GLOBAL from the memo": runs(
        lambda run: EXEC + b"q\x070" + run + b"r\xff\xff\xff\x7f0h\x07j\xff\xff\xff\x7f\x85R",
        "a function and its argument far apart"),
    "REDUCE of REDUCE": runs(
        lambda run: b"cbuiltins\ngetattr\n(cbuiltins\n__import__\n" + text("builtins") + b"\x85R"
        + text("exec") + b"tR" + run + b"\x85R",
        "a function that another one finds", "builtins.getattr, builtins.__import__"),
    "ADDITEMS, APPENDS and SETITEMS of an object": runs(
        lambda run: b"ccollections\ndeque\n)R(K\x01K\x02e0ccollections\ndefaultdict\n)R(K\x01K\x02u0"
        + b"\x8f(K\x01\x900" + EXEC + run + b"\x85R",
        "methods of objects", "collections.deque"),
}  # fmt: skip

#: Every opcode that is not among the calls, each beside a weight and without harm by itself.
INERT = {
    "INT": b"I12\n", "INT of a truth value": b"I01\n", "LONG": b"L-5L\n", "BININT": b"J\xff\xff\xff\xff",
    "BININT1": b"K\x07", "BININT2": b"M\x01\x02", "LONG1": b"\x8a\x02\x00\x80",
    "LONG4": b"\x8b\x01\x00\x00\x00\x7f", "FLOAT": b"F1.5\n", "BINFLOAT": b"G" + struct.pack(">d", -2.25),
    "FLOAT that is none": b"Fnan\n", "NONE": b"N", "NEWTRUE": b"\x88", "NEWFALSE": b"\x89",
    "STRING": b"S'a\\'b'\n", "STRING of bytes": b"S'\\xff'\n", "BINSTRING": b"T\x02\x00\x00\x00ab",
    "SHORT_BINSTRING": b"U\x02ab", "UNICODE": b"V\\u20acx\n", "BINUNICODE": text("ab"),
    "SHORT_BINUNICODE": b"\x8c\x02ab", "BINUNICODE8": b"\x8d\x02" + bytes(7) + b"ab",
    "BINUNICODE of a surrogate": b"X\x03\x00\x00\x00\xed\xa0\x80", "BINBYTES": b"B\x02\x00\x00\x00ab",
    "SHORT_BINBYTES": b"C\x02ab", "BINBYTES8": b"\x8e\x02" + bytes(7) + b"ab",
    "BYTEARRAY8": b"\x96\x02" + bytes(7) + b"ab", "EMPTY_LIST": b"]", "EMPTY_DICT": b"}", "EMPTY_TUPLE": b")",
    "EMPTY_SET": b"\x8f", "ADDITEMS": b"\x8f(K\x01\x90", "FROZENSET": b"(K\x01\x91", "LIST": b"(K\x01l",
    "DICT": b"(K\x01K\x02d", "TUPLE": b"(K\x01t", "TUPLE1": b"K\x01\x85", "TUPLE2": b"K\x01K\x02\x86",
    "TUPLE3": b"K\x01K\x02K\x03\x87", "APPEND": b"]K\x01a", "APPENDS": b"](K\x01e",
        "SETITEM": b"}K\x01K\x02s",
    "SETITEMS": b"}(K\x01K\x02u", "POP": b"K\x01K\x020", "POP of a mark": b"K\x01(0", "DUP": b"]20",
    "POP_MARK": b"K\x01(K\x02K\x031", "PUT and GET": b"K\x07p5\n0g5\n",
        "BINPUT and BINGET": b"K\x07q\x050h\x05",
    "LONG_BINPUT and LONG_BINGET": b"K\x07r\xff\xff\xff\x7f0j\xff\xff\xff\x7f", "MEMOIZE": b"K\x07\x94",
    "PROTO in the middle": b"\x80\x03N", "FRAME of no use": b"\x95\x01" + bytes(7) + b"N",
    "GLOBAL": b"cos\nsystem\n", "NEXT_BUFFER": b"\x97", "READONLY_BUFFER": b"\x97\x98",
}  # fmt: skip

_NAME = "a class name in it is not text"
#: What is put where a name belongs.
ODD = {
    "a number": (b"K\x01", _NAME), "nothing": (b"N", _NAME), "a list": (b"]", _NAME), "bytes": (b"C\x02os",
        _NAME),
    "a function": (b"cos\nsystem\n", _NAME), "a tuple": (b")", _NAME), "a call": (b"cos\nsystem\n)R", _NAME),
    "a weight": (TENSOR, _NAME),
}  # fmt: skip

OUTSIDE = {
    "PERSID": trap(b"Pfive\n", "a persistent id that is a text"),
    "BINPERSID": trap(text("five") + b"Q", "a persistent id that is no storage"),
    "BINPERSID of a list": trap(b"]Q", "a persistent id that cannot be hashed"),
    "EXT1": trap(b"\x82\x07", "a class by a number", Read(W, "copyreg.extension 7")),
    "EXT2": trap(b"\x83\x01\x01", "a class by a number", Read(W, "copyreg.extension 257")),
    "EXT4": trap(b"\x84\x01\x00\x01\x00", "a class by a number", Read(W, "copyreg.extension 65537")),
    "a module that prints": trap(b"cthis\ns\n", "an import with an effect", Read(W, "this.s")),
    "a module of another machine": trap(b"cnt\nsystem\n", "a shell", Read(W, "nt.system")),
}


#: Functions of the modules that tensors come from, which run what they are given.
KNOWN_MODULES = {
    name: trap(b"c" + name.replace(":", "\n").encode() + b"\n)R", "code in a module that is often named",
               Read(W, name.replace(":", ".")))
    for name in ("torch:load", "torch:compile", "torch.storage:_load_from_bytes", "torch.serialization:load",
                 "torch._utils:_import_dotted_name", "numpy:load", "numpy.core.multiarray:frombuffer")
}  # fmt: skip

DEEP = 10_001
MALFORMED = {
    "unknown opcode": (b"\xff.", "unknown pickle opcode 0xff"),
    "protocol of the future": (b"\x80\x06N.", "protocol 6"),
    "empty stack": (b"0NNNN.", "takes more than the stack holds"),
    "nothing to stop with": (b".", "cut off"),
    "tuple of too few": (b"K\x01\x87NNNN.", "takes more than the stack holds"),
    "no mark": (b"K\x01tNNNN.", "takes more than the stack holds"),
    "memo never set": (b"h\x05.", "that was never stored"),
    "get of no number": (b"gx\n.", "malformed"),
    "key without value": (b"}(K\x01u.", "key"),
    "append to a number": (b"K\x01K\x02a.", "append"),
    "set item of a list": (b"]K\x01K\x02s.", "set"),
    "state of a list": (b"]}b.", "state"),
    "unquoted string": (b"Sabc\n.", "is not quoted"),
    "text that is no UTF-8": (b"X\x01\x00\x00\x00\xff.", "malformed"),
    "an integer of 65 bytes": (b"\x8a\x41" + bytes(65) + b".", "has 65 bytes"),
    "an integer of many digits": (b"I" + b"9" * 5000 + b"\n.", "has 5,000 digits"),
    "a line without end": (b"V" + b"a" * 100_000, "a line in the pickle does not end"),
    "deep marks": (b"(" * DEEP + b".", "nested deeper than 1,000"),
    "no end": (b"\x80\x02}", "cut off"),
}

#: Small files that make a real unpickler take gigabytes, hours, or the whole process.
BOMBS = {
    "memo far up": trap(b"Nr\x00\x00\x00\x20", "a memo of 2^29 places: 8 GiB"),
    "bytearray of 4 GiB": trap(b"\x96" + struct.pack("<Q", 4 << 30), "memory ahead of the bytes",
        Refused("cut off")),
    "bytes of 2^63": trap(b"\x8e" + struct.pack("<Q", 2**63), "memory ahead of the bytes",
        Refused("cut off")),
    "text of 4 GiB": trap(b"X\xff\xff\xff\xff", "memory ahead of the bytes", Refused("cut off")),
    "frame of 2^62": trap(b"\x95" + struct.pack("<Q", 2**62) + b"N", "memory ahead of the bytes",
        Refused("cut off")),
    "integer of 2 GiB": trap(b"\x8b\xff\xff\xff\x7f", "a number of 2 GiB",
        Refused("has 2,147,483,647 bytes")),
    "integer of a negative length": trap(b"\x8b\xff\xff\xff\xff", "a length of -1", Refused("bytes")),
    "doubling tuples as a key": trap(b"})" + b"2\x86" * 200 + b"K\x01s", "a hash that takes 2^200 steps"),
    "doubling lists": trap(
        b"]" + b"q\x000]h\x00ah\x00a" * 200, "a walk of 2^200 steps"),
    "nested tuple as a key": trap(lambda: b"})" + b"\x85" * 1_000_000 + b"K\x01s", "a stack that overflows"),
    "nested lists": trap(lambda: b"]" * 100_000 + b"a" * 99_999, "a stack that overflows"),
    "chain of calls": trap(
        lambda: b"cos\nsystem\n" + b")R" * 200_000, "objects that are never freed one by one", Read(W,
            "os.system")),
    "states of states": trap(
        lambda: b"cos\nsystem\n)R" + b"q\x000cos\nsystem\n)Rh\x00b" * 20_000, "recursion", Read(W,
            "os.system")),
    "a list in itself": trap(b"]q\x00h\x00a", "a walk without end"),
    "a dict in itself": trap(b"}q\x00K\x01h\x00s", "a walk without end"),
    "an object as its own state": trap(b"cos\nsystem\n)Rq\x00h\x00b", "a walk without end", Read(W,
        "os.system")),
}  # fmt: skip


def doubled() -> bytes:
    """Dicts of two entries that are the same dict of two entries, forty times, around a weight."""
    level = b"}" + text("w") + TENSOR + b"s"
    for _ in range(40):
        level += b"q\x000}(" + text("a") + b"h\x00" + text("b") + b"h\x00u"
    return archive(b"\x80\x02" + level + b".")


def modules(repeat: Callable[[object], object]) -> Callable[[Path], None]:
    """A pickled module, as torch saves it."""

    def write(home: Path) -> None:
        import torch

        torch.save(repeat(torch.nn.Linear(1, 1)), home / "m.pt")

    return write


def doubled_modules(inner: object) -> object:
    from torch import nn

    for _ in range(40):
        inner = nn.Sequential(inner, inner)
    return inner


def modules_in_themselves(inner: object) -> object:
    from torch import nn

    outer = nn.Sequential(inner)
    outer._modules["again"] = outer
    return outer


def polyglot(home: Path) -> bytes:
    """A legacy file with a trap, and behind it an archive: torch reads what the first bytes say."""
    body = b"\x80\x02}(" + text("trap") + dumped(home, 2) + text("w") + TENSOR + b"u."
    return legacy(body, "0") + archive(b"\x80\x02}" + text("other") + TENSOR + b"s.")


def objects(home: Path, pickled: bytes = b"") -> bytes:
    """An array of objects, as numpy saves it."""
    head = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"
    start = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head
    return start + (pickled or pickle.dumps([Trap(home)], 4))


def legacy_with(inert: bytes, place: int) -> bytes:
    """The container of torch before 1.6 with a trap in front of what one of its pickles holds."""
    parts: list = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    parts += [b"\x80\x02}" + text("w") + TENSOR + b"s.", pickle.dumps(["0"], 2)]
    parts[place] = b"\x80\x02" + inert + b"0" + parts[place][2:]
    return b"".join(parts) + struct.pack("<Q", 15) + bytes(60)


TREES = {
    "doubling dicts": Case(file(doubled), "2^40 rows", Refused("refer to each other too many times")),
    "doubling modules": Case(modules(doubled_modules), "2^40 layers",
        Refused("refer to each other too many times")),
    "modules in themselves": Case(modules(modules_in_themselves), "layers without end",
        Refused("nested deeper")),
    "weights in a dict in itself": Case(
        file(
            lambda: archive(
            b"\x80\x02}q\x00(" + text("w") + TENSOR + text("v") + TENSOR + text("a") + b"h\x00u.")),
        "rows without end", Refused("nested deeper")),
}  # fmt: skip

CONTAINERS = {
    "legacy": Case(
        file(lambda home: legacy(b"\x80\x02}(" + text("trap") + dumped(home, 2) + text("w") + TENSOR + b"u.",
            "0")),
        "code that runs when it is loaded, without an archive", Read(W, "__builtin__.exec")),
    "legacy in front of an archive": Case(
        file(polyglot), "two models in one file", Read(W, "__builtin__.exec")),
    "legacy whose magic number is code": Case(
        file(lambda home: pickle.dumps(Trap(home), 2) + pickle.dumps(1001, 2)),
        "code in the first pickle", Refused("not one that torch.save wrote"), springs=True),
    "a plain pickle": Case(
        file(lambda home: pickle.dumps({"w": Trap(home)}, 4), "m.pkl"),
        "code in a pickle of any origin", Refused("not one that torch.save wrote"), "m.pkl", springs=True),
    "in a .bin of a directory": Case(
        file(lambda home: beside(dumped(home, 4), 4), "pytorch_model.bin"),
        "code in a directory's weights", Read(W, "builtins.exec"), ".", springs=True),
    "in an array of objects": Case(
        file(objects, "m.npy"), "code in an array", Read({"m": (1,)}, "builtins.exec"),
        "m.npy"),
    "in an array of objects of an archive": Case(
        file(lambda home: packed({"w.npy": objects(home)}), "m.npz"), "code in an array",
        Read({"w": (1,)}, "builtins.exec"), "m.npz"),
    "in an array of objects, behind a name that is computed": Case(
        file(lambda home: objects(home, b"\x80\x04\x8c\x02os\x8c\x06system20\x93."), "m.npy"),
        "a name that no list shows", Read({"m": (1,)}, "os.system"), "m.npy"),
    "in an array of objects, behind a name that is no text": Case(
        file(lambda home: objects(home, b"\x80\x04N\x8c\x06system\x93."), "m.npy"),
        "a name that no list shows", Read({"m": (1,)}, "a computed name"), "m.npy"),
    "in the constants of TorchScript": Case(
        file(lambda home: packed({"m/constants.pkl": b"\x80\x02" + dumped(home, 2) + b".",
                                  "m/data.pkl": b"\x80\x02}" + text("w") + TENSOR + b"s.",
                                      "m/data/0": bytes(60)})),
        "code beside the model", Read(W, "__builtin__.exec")),
    **{f"legacy, code in pickle {number}": Case(
        file(lambda home, at=place: legacy_with(dumped(home, 2), at)), "code beside the model",
        Read(W, "__builtin__.exec")) for place, number in ((0, 1), (1, 2), (2, 3), (4, 5))},
}  # fmt: skip

CASES: dict[str, Case] = {
    **{f"protocol {protocol}": by_protocol(protocol) for protocol in range(6)},
    **{f"call: {name}": case for name, case in CALLS.items()},
    **{f"opcode: {name}": trap(data, "an opcode that few readers know") for name, data in INERT.items()},
    **{f"STACK_GLOBAL of {name}": trap(data + text("x") + b"\x93", "a class of no name", Refused(reason))
       for name, (data, reason) in ODD.items()},
    **{f"outside: {name}": case for name, case in OUTSIDE.items()},
    **{f"malformed: {name}": whole(data, reason) for name, (data, reason) in MALFORMED.items()},
    **{f"bomb: {name}": case for name, case in BOMBS.items()},
    **{f"known module: {name}": case for name, case in KNOWN_MODULES.items()},
    **{f"tree: {name}": case for name, case in TREES.items()},
    **{f"container: {name}": case for name, case in CONTAINERS.items()},
}  # fmt: skip

if __name__ == "__main__":
    main(CASES)
