"""Asks a child process that uses tensorstore for the array headers inside an OCDBT store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from subprocess import DEVNULL, PIPE

from shapeinspect.binary import child_limits, json_text
from shapeinspect.binary.child_process import Answer, answer_of
from shapeinspect.errors import UnreadableFileError
from shapeinspect.sources.source import Source

_CHILD = Path(__file__).with_name("ocdbt_child.py")
_CLOCK = 120
#: The most files and directories of a store; one of 100,000 arrays has some thousands.
_ENTRIES = 200_000


def is_available() -> bool:
    """Tell whether tensorstore is installed, without importing it."""
    return find_spec("tensorstore") is not None


def ask(words: Sequence[str], keys: Sequence[str]) -> Answer:
    """Run the child on a request and return its answer.

    Args:
        words: its arguments.
        keys: the keys to look up.
    """
    command = [sys.executable, "-I", str(_CHILD), *words]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL) as child:  # noqa: S603  # our own program
        return answer_of(child, _CLOCK, json_text.MAX_BYTES, json.dumps(list(keys)).encode())


def read_texts(source: Source, keys: Sequence[str]) -> list[str | None]:
    """Return the text under each key, or None where there is none.

    Args:
        source: the directory of the store, on this machine.
        keys: the keys to look up.

    Raises:
        UnreadableFileError: if tensorstore cannot read the store, or a link in it leads outside.
    """
    folder = source.local("tensorstore").absolute()
    _check_files(source, folder)
    answer = ask((str(folder), child_limits.__file__, str(os.getpid())), keys)
    if answer.late:
        raise UnreadableFileError(source.label, f"reading its OCDBT store took over {_CLOCK} s")
    if answer.code:
        raise UnreadableFileError(source.label, "tensorstore cannot read its OCDBT store")
    texts: list[str | None] = json_text.parse(answer.data, source.label, "the answer about the OCDBT store")
    return texts


def _check_files(source: Source, folder: Path) -> None:
    """Refuse links that lead outside and what is no file: tensorstore opens whatever has the name."""
    ahead, seen = [folder], 0
    while ahead:
        with os.scandir(ahead.pop()) as entries:
            for entry in entries:
                seen += 1
                name = Path(entry.path).relative_to(folder).as_posix()
                if seen > _ENTRIES:
                    raise UnreadableFileError(source.label, f"its store has more than {_ENTRIES:,} files")
                if entry.is_symlink() or not (entry.is_file() or entry.is_dir()):
                    source.sibling(name)
                elif entry.is_dir():
                    ahead.append(Path(entry.path))
