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

_CHILD = Path(__file__).with_name("ocdbt_child.py")
_CLOCK = 120


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


def read_texts(folder: Path, keys: Sequence[str], label: str) -> list[str | None]:
    """Return the text under each key, or None where there is none.

    Args:
        folder: the directory of the store.
        keys: the keys to look up.
        label: how errors name the checkpoint.

    Raises:
        UnreadableFileError: if tensorstore cannot read the store.
    """
    answer = ask((str(folder.absolute()), child_limits.__file__, str(os.getpid())), keys)
    if answer.late:
        raise UnreadableFileError(label, f"reading its OCDBT store took over {_CLOCK} s")
    if answer.code:
        raise UnreadableFileError(label, "tensorstore cannot read its OCDBT store")
    texts: list[str | None] = json_text.parse(answer.data, label, "the answer about the OCDBT store")
    return texts
