"""A hostile file: what makes it, what it tries, and what must come of it. The scripts' command line."""

from __future__ import annotations

import io
import json
import re
import struct
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PATHS = "paths in files"
ARCHIVES = "zip bombs, traversal"
JSON = "JSON"
TERMINAL = "terminal escapes in names"
TABLES = "HTML, CSV"
IMPORTS = "a module in the current directory"
REMOTE = "remote"
PRIVACY = "privacy"
PICKLES = "pickles"
HDF5 = "HDF5"
HEADERS = "headers that lie"
CODE = "code in a model's description"

#: What an attacker tries. Every row has a case.
ROWS = (PATHS, ARCHIVES, JSON, TERMINAL, TABLES, IMPORTS, REMOTE, PRIVACY, PICKLES, HDF5, HEADERS, CODE)


#: Seconds of processor time that any file may take.
ANY = 2.0
#: What honest work may take: its own time so many times, and so many seconds for all around it. A reader that
#: takes twice its time on such a file exceeds that, with convolutions on the largest, of the slow runs.
SPARE, AROUND = 1.25, 0.4
#: What honest work of a size needs: microseconds of processor time an item, a tenth more than was measured on
#: the machine that the limits are made for, where a million rounds of an empty loop take 20 ms.
WORK = {
    "weights of a safetensors file": 28,
    "variables of a checkpoint": 38,
    "convolutions of symbolic lengths": 450,
    "members of an archive": 24,
    "groups of an HDF5 file": 40,
    "opcodes of a pickle": 0.2,
    "values of a msgpack file": 3,
    "seconds of onnx's inference": 1e6,  # until its limit for a graph of that size, which SECURITY.md states
    "nodes of an ONNX graph": 110,  # of which the inference takes a fifth
}


@dataclass(frozen=True, slots=True)
class Refused:
    """The file is refused.

    Args:
        reason: is a part of the error.
        code: the command's exit code.
        at: whether the error names the byte.
    """

    reason: str
    code: int = 3
    at: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """The file is read.

    Args:
        weights: every weight that is listed, with its shape in the source's own order.
        says: is a part of a note.
        hides: no form of the output holds it.
    """

    weights: Mapping[str, tuple[int | None, ...]]
    says: str = ""
    hides: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One hostile file.

    Args:
        make: writes it, and all that belongs to it, into an empty directory.
        tries: what it tries.
        must: what must come of it.
        show: what is shown, relative to that directory.
        row: which row of the attack table it belongs to.
        springs: whether its pickle does write the marker in a real unpickler.
        alone: whether the command is run in the directory, by its own name.
        server: answers the requests if the file is shown by its URL.
        work: how many of what :data:`WORK` counts are honestly read before it is shown or refused.
        forms: the forms of the output in which it is shown; all of them where there are none.
        slow: whether it is shown in the slow runs only.
    """

    make: Callable[[Path], object]
    tries: str
    must: Refused | Read
    show: str = "m.pt"
    row: str = PICKLES
    springs: bool = False
    alone: bool = False
    server: type | None = None
    work: Mapping[str, int] = field(default_factory=dict)
    forms: tuple[str, ...] = ()
    slow: bool = False

    @property
    def seconds(self) -> float:
        """How much processor time it may take: that of any file, or what its honest work needs."""
        work = sum(count * WORK[item] for item, count in self.work.items()) / 1e6
        return min(ANY + work, AROUND + SPARE * work) if work else ANY


def marker(home: Path) -> Path:
    """What a file that is executed writes; it lies outside the directory that is given."""
    return home.with_name(f"{home.name}.executed")


def outside(home: Path) -> Path:
    """A file that no model may lead to; written if there is none."""
    there = home.with_name(f"{home.name}.outside")
    if not there.exists():
        there.write_text("not yours")
    return there


def code(home: Path) -> str:
    """Python code that writes the marker."""
    return f"open({str(marker(home))!r}, 'w').close()"


def file(content: bytes | Callable[[], bytes] | Callable[[Path], bytes], name: str = "m.pt") -> Callable:
    """Make what writes one file: bytes, or what makes them, also from the directory's path."""

    def write(home: Path) -> None:
        made = content
        if callable(made):
            made = made(home) if made.__code__.co_argcount else made()
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made)

    return write


def packed(members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return made.getvalue()


def safetensors(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file with a header that is true or not."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(shape: object = (3, 5), start: object = 0, end: object = 60, dtype: object = "F32") -> dict:
    """One tensor of a safetensors header."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def main(cases: Mapping[str, Case]) -> None:
    """Write every case into a directory of its own below the one that the command line names."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: python {sys.argv[0]} FOLDER")
    for number, (name, case) in enumerate(cases.items(), 1):
        words = re.sub(r"\W+", "-", name).strip("-")
        home = Path(sys.argv[1]).resolve() / f"{number:03}-{words}"
        home.mkdir(parents=True)
        case.make(home)
        print(home / case.show)
        print(f"  tries  {case.tries}")
        print(f"  must   {case.must}")
