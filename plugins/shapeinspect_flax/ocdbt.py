"""Asks a child process that uses tensorstore for the array headers inside an OCDBT store."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from shapeinspect.binary import json_text
from shapeinspect.errors import UnreadableFileError

_CHILD = Path(__file__).with_name("_ocdbt_child.py")
_CLOCK = 120


def is_available() -> bool:
    """Tell whether tensorstore is installed, without importing it."""
    return find_spec("tensorstore") is not None


def read_texts(folder: Path, keys: Sequence[str], label: str) -> list[str | None]:
    """Return the text under each key, or None where there is none.

    Args:
        folder: the directory of the store.
        keys: the keys to look up.
        label: how errors name the checkpoint.

    Raises:
        UnreadableFileError: if tensorstore cannot read the store.
    """
    try:
        done = subprocess.run(  # noqa: S603  # our own interpreter and our own program
            [sys.executable, "-I", str(_CHILD), str(folder.absolute())],
            input=json.dumps(list(keys)).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_CLOCK,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnreadableFileError(label, f"reading its OCDBT store took over {_CLOCK} s") from None
    if done.returncode:
        raise UnreadableFileError(label, "tensorstore cannot read its OCDBT store")
    texts: list[str | None] = json_text.parse(done.stdout, label, "the answer about the OCDBT store")
    return texts
