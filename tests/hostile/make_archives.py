"""Archives that lie, lead outside or swell: ``python make_archives.py FOLDER``.

The archives of torch, Keras and NumPy are read by readers of their own, so each trick is tried on each.
"""

from __future__ import annotations

import io
import json
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from cases import ARCHIVES, Case, Read, Refused, file, main, outside, packed
from make_hdf5 import sound
from make_pickles import TENSOR, beside, text

Change = Callable[[bytes], bytes]


def npy(shape: str = "(3, 5)", data: bytes = bytes(60), descr: str = "<f4") -> bytes:
    """An array as NumPy writes it."""
    head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data


CONFIG = {"class_name": "Sequential", "config": {"name": "s", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_shape": [None, 3]}},
    {"class_name": "Dense", "config": {"name": "fc", "units": 5}},
]}}  # fmt: skip

#: A sound archive of each format, the member that matters, and what is listed.
MEMBERS: dict[str, tuple[str, dict[str, bytes], str, dict[str, tuple]]] = {
    "torch": ("m.pt", {
        "m/data.pkl": b"\x80\x02}" + text("w") + TENSOR + b"s.", "m/version": b"3\n", "m/data/0": bytes(60),
    }, "m/data.pkl", {"w": (3, 5)}),
    "numpy": ("m.npz", {"w.npy": npy(), "b.npy": npy("(5,)", bytes(20))}, "w.npy", {"w": (3, 5), "b": (5,)}),
    "keras": ("m.keras", {
        "metadata.json": b"{}", "config.json": json.dumps(CONFIG).encode(),
    }, "config.json", {}),
}  # fmt: skip


def changed(kind: str, change: Change) -> Callable[[Path], None]:
    """Write the sound archive with its bytes changed."""
    name, members, _, _ = MEMBERS[kind]
    return file(lambda: change(packed(members)), name)


def more(kind: str, *added: tuple[str, bytes]) -> Callable[[Path], None]:
    """Write the sound archive with more members."""
    name, members, _, _ = MEMBERS[kind]

    def make() -> bytes:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zipfile says which name is there twice
            for member, data in [*members.items(), *added]:
                archive.writestr(zipfile.ZipInfo(member), data)
        return made.getvalue()

    return file(make, name)


def listed(raw: bytes, member: str) -> int:
    """Where the central directory's entry of a member begins."""
    at = raw.find(b"PK\x01\x02")
    while raw[at + 46 : at + 46 + len(member)] != member.encode():
        at = raw.find(b"PK\x01\x02", at + 4)
    return at


def poke(member: str, at: int, value: int, width: int = 2) -> Change:
    """Change an integer of the central directory's entry."""

    def change(raw: bytes) -> bytes:
        start = listed(raw, member) + at
        return raw[:start] + value.to_bytes(width, "little") + raw[start + width :]

    return change


def twice(member: str, size: int) -> Change:
    """Give a member another inflated size, in the directory and in its own header."""

    def change(raw: bytes) -> bytes:
        at = raw.find(member.encode()) - 30 + 22
        return poke(member, 24, size, 4)(raw[:at] + size.to_bytes(4, "little") + raw[at + 4 :])

    return change


def shorter(member: str) -> Change:
    """Give a member another size in its own header than in the directory."""

    def change(raw: bytes) -> bytes:
        at = raw.find(member.encode()) - 30 + 22
        return raw[:at] + b"\x07\0\0\0" + raw[at + 4 :]

    return change


def renamed(member: str) -> Change:
    """Give a member another name in its own header than in the directory."""
    name = member.encode()
    return lambda raw: raw.replace(name, name[:-1] + b"~", 1)


def end(at: int, value: int, width: int = 2) -> Change:
    """Change an integer of the end record."""

    def change(raw: bytes) -> bytes:
        start = raw.rfind(b"PK\x05\x06") + at
        return raw[:start] + value.to_bytes(width, "little") + raw[start + width :]

    return change


def swelling(kind: str, said: int | None) -> Callable[[Path], None]:
    """A deflated member of 20 MiB that is said to have fewer bytes, or as many as it has."""
    name, members, main_one, _ = MEMBERS[kind]
    size = 20 << 20

    def make() -> bytes:
        long = {"torch": b"\x80\x02" + b"N0" * (size // 2) + b".", "numpy": npy("(5242880,)", bytes(size)),
                "keras": json.dumps(CONFIG).encode() + b" " * size}  # fmt: skip
        raw = packed({**members, main_one: long[kind]}, zipfile.ZIP_DEFLATED)
        return raw if said is None else twice(main_one, said)(raw)

    return file(make, name)


def overlapping() -> bytes:
    """Two arrays of which one lies in the other, as in a bomb that needs no nesting."""
    inner = packed({"b.npy": npy()})
    second = inner[: inner.find(b"PK\x01\x02")]
    raw = packed({"a.npy": npy("(1,)", bytes(4) + second), "b.npy": second[35:]})
    return poke("b.npy", 42, raw.find(second), 4)(raw)


def half_a_gigabyte() -> bytes:
    """An honest array of 512 MiB of zeros, of which the first kilobytes are all that is there."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = packer.compress(npy("(134217728,)", b""))
    data += b"".join(packer.compress(bytes(1 << 20)) for _ in range(8)) + packer.flush()
    name, size = b"a.npy", (1 << 29) + len(npy("(134217728,)", b""))
    facts = (20, 0, 8, 0, 0, 0, len(data), size, len(name), 0)
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", *facts) + name + data
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, *facts, 0, 0, 0, 0, 0) + name
    return local + entry + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(entry), len(local), 0)


def linked(home: Path) -> bytes:
    """A member that is a symbolic link, as Unix zips keep them."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in MEMBERS["torch"][1].items():
            archive.writestr(zipfile.ZipInfo(name), data)
        link = zipfile.ZipInfo("m/data/1")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, str(outside(home)))
    return made.getvalue()


def case(make: Callable[[Path], None], kind: str, tries: str, must: str | dict) -> Case:
    """Refused for a reason, or read with these weights."""
    said = Refused(must) if isinstance(must, str) else Read(must)
    return Case(make, tries, said, MEMBERS[kind][0], ARCHIVES)


LEADING = ("../x.pkl", "/x.pkl", "m/../x", "m\\x", "C:/x", "m//x")


def tricks(kind: str) -> dict[str, Case]:
    """What is tried on every format."""
    _, _, member, _ = MEMBERS[kind]
    said = SAID[kind]
    return {
        f"{kind}: sound": case(changed(kind, bytes), kind, "nothing", MEMBERS[kind][3]),
        f"{kind}: a member twice": case(more(kind, (member, b"N.")), kind, "two answers", said["twice"]),
        f"{kind}: another name in the local header": case(
            changed(kind, renamed(member)), kind, "two answers", said["other"]),
        f"{kind}: encrypted": case(changed(kind, poke(member, 8, 1)), kind, "a password", said["encrypted"]),
        f"{kind}: an unknown compression": case(
            changed(kind, poke(member, 10, 12)), kind, "another decoder", said["method"]),
        f"{kind}: a member beyond the end": case(
            changed(kind, poke(member, 42, 2**31, 4)), kind, "a place outside the file", said["beyond"]),
        f"{kind}: a member of 4 GiB": case(
            changed(kind, lambda raw: poke(member, 24, 2**32 - 2, 4)(poke(member, 20, 2**32 - 2, 4)(raw))),
                kind,
            "memory ahead of the bytes", said["size"]),
        f"{kind}: more members than there are": case(
            changed(kind, lambda raw: end(8, 9)(end(10, 9)(raw))), kind, "a directory that is none",
                said["count"]),
        f"{kind}: a directory beyond the end": case(
            changed(kind, end(16, 2**32 - 2, 4)), kind, "a directory that is none", said["directory"]),
        f"{kind}: in several files": case(
            changed(kind, lambda raw: end(4, 1)(end(6, 1)(raw))), kind, "more files", said["split"]),
        f"{kind}: a bomb that says less": case(swelling(kind, 100), kind, "20 MiB of memory", said["swells"]),
        f"{kind}: another size in the local header": case(
            changed(kind, shorter(member)), kind, "two answers", said["other"]),
        f"{kind}: cut off": case(changed(kind, lambda raw: raw[:-30]), kind, "half an archive", said["cut"]),
    }  # fmt: skip


#: One reader reads them all: what it says where a format's own first look does not come before it.
REASONS: dict[str, str | dict] = {
    "twice": "occurs twice", "other": "contradicts the directory", "encrypted": "is encrypted",
    "method": "method (12)", "beyond": "beyond the end", "size": "beyond the end", "count": "cannot hold",
    "directory": "does not end where", "split": "split into several files",
    "swells": "does not inflate to its stated 100 bytes", "cut": "cut off",
}  # fmt: skip
SAID: dict[str, dict[str, str | dict]] = {
    "torch": REASONS,
    "numpy": {**REASONS, "swells": "bytes of data, but has 100"},
    "keras": REASONS,
}

TORCH = MEMBERS["torch"][1]
OTHERS = {
    **{f"torch: a member {name!r}": case(more("torch", (name, b"x")), "torch", "a place outside",
        "outside the archive")
       for name in LEADING},
    "torch: two roots": case(more("torch", ("other/data.pkl", b"N.")), "torch", "two answers",
        "2 root directories"),
    "torch: no pickle": case(file(lambda: packed({"m/readme": b"x"})), "torch",
        "an archive of something else",
                             "no data.pkl"),
    "torch: a pickle larger than all": case(
        file(lambda: poke("m/data.pkl", 24, 1 << 30, 4)(packed(TORCH, zipfile.ZIP_DEFLATED))), "torch",
        "1 GiB of memory", "more than"),
    "torch: no storage": case(
        file(lambda: packed({name: data for name, data in TORCH.items() if name != "m/data/0"})), "torch",
        "a weight that is nowhere", "no storage '0'"),
    "torch: a short storage": case(
        file(lambda: packed({**TORCH, "m/data/0": bytes(56)})), "torch", "a weight beyond its bytes",
        "storage '0' has 56 bytes, not 60"),
    "torch: bytes behind the end": case(changed("torch", lambda raw: raw + b"more"), "torch", "a second file",
                                        "bytes follow the end"),
    "torch: a comment": case(changed("torch", lambda raw: raw[:-2] + b"\x04\x00more"), "torch",
        "a second file",
                             {"w": (3, 5)}),
    "torch: a comment that is an archive": case(
        changed("torch", lambda raw: raw[:-2] + struct.pack("<H", 22) + struct.pack("<4s4H2LH", b"PK\x05\x06",
                                                                                 *(0,) * 7)),
        "torch", "two ends", "the archive"),
    "torch: a byte order of its own": case(
        file(lambda: packed({**TORCH, "m/byteorder": b"\x1b[31m"})), "torch", "a third byte order",
            "byte order"),
    "torch: a bomb that is honest": Case(
        swelling("torch", None), "21 million opcodes", Refused("data.pkl' inflates from"), "m.pt", ARCHIVES),
    "torch: as many opcodes, as they are": Case(
        file(lambda: packed({**TORCH, "m/data.pkl": b"\x80\x02" + b"N0" * 10_500_000 + b"N."})),
        "21 million opcodes", Refused("opcodes"), "m.pt", ARCHIVES,
        work={"opcodes of a pickle": 11_000_000}, forms=("json",)),
    "torch: a link": case(file(linked), "torch", "a member that is a symbolic link", {"w": (3, 5)}),
    "torch: behind other bytes": case(
        file(lambda: b"#!/bin/sh\nexit 0\n" + packed(TORCH)), "torch", "a script that is an archive",
            "unknown format"),
    "torch: zip inside zip": case(
        file(lambda: packed({"m/data.pkl": beside(b"N")})), "torch", "an archive as the pickle", "malformed"),
    "numpy: one array in another": case(file(overlapping, "m.npz"), "numpy", "the same bytes twice",
        "overlaps"),
    "numpy: half a gigabyte of zeros": case(
        file(half_a_gigabyte, "m.npz"), "numpy", "512 MiB of memory", {"a": (134217728,)}),
    "numpy: an object array": case(
        file(lambda: packed({"a.npy": npy(descr="|O")}), "m.npz"), "numpy",
        "a pickle in an array", {"a": (3, 5)}),
    "keras: a bomb that is honest": case(
        swelling("keras", None), "keras", "20 MiB of memory", "config.json' inflates from"),
    "keras: compressed weights": case(
        file(lambda: packed({**MEMBERS["keras"][1], "model.weights.h5": sound()}, zipfile.ZIP_DEFLATED),
            "m.keras"),
        "keras", "HDF5 that has no place in the file", "compressed"),
    "keras: nothing of Keras": case(file(lambda: packed({"readme.txt": b"x"}), "m.keras"), "keras",
                                    "an archive of something else", "config.json"),
}  # fmt: skip

CASES: dict[str, Case] = {**tricks("torch"), **tricks("numpy"), **tricks("keras"), **OTHERS}

if __name__ == "__main__":
    main(CASES)
