"""Reads small values of an OCDBT store in a separate program, so that a hostile store kills only it.

Its arguments are a directory, the path of ``shapeinspect/binary/child_limits.py`` and the number of the
process that starts it. Its standard input is a JSON list of keys; it answers with a JSON list of their texts,
null where there is none.
"""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Sequence
from typing import Any

#: Seconds of processor time, and the longest value that is returned, in bytes.
CPU, MOST = 60, 1 << 20
#: Bytes of address space; the stacks of tensorstore's threads count, though they are never filled.
_SPACE = 2 << 30


def respond(tensorstore: Any, words: Sequence[str], keys: Sequence[str]) -> str:
    """Return the answer to a request.

    Args:
        tensorstore: the library.
        words: the arguments of the program.
        keys: the keys.
    """
    folder, limits, parent = words
    runpy.run_path(limits)["limit"](_SPACE, CPU, int(parent))
    base = {"driver": "file", "path": folder + "/"}
    store = tensorstore.KvStore.open({"driver": "ocdbt", "base": base}).result()
    pending = [store.read(key) for key in keys]
    values = [future.result().value for future in pending]
    texts = [value.decode("utf-8", "replace") if 0 < len(value) <= MOST else None for value in values]
    return json.dumps(texts)


def main() -> None:
    """Answer one request."""
    import tensorstore

    sys.stdout.write(respond(tensorstore, sys.argv[1:], json.load(sys.stdin)))


if __name__ == "__main__":
    main()
