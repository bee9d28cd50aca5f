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

#: Seconds of processor time: for a small store, for each key, and the most in all; a key takes 60 µs.
_SECONDS, _SECONDS_A_KEY, _LONGEST = 2.0, 80e-6, 10.0
#: The longest value that is returned, in bytes, and how many are read at a time.
MOST, _AT_ONCE = 1 << 20, 100
#: Fewer threads than tensorstore starts otherwise: their stacks count as memory, filled or not.
_CONTEXT = {
    "data_copy_concurrency": {"limit": 1}, "file_io_concurrency": {"limit": 1},
    "cache_pool": {"total_bytes_limit": 32 << 20},
}  # fmt: skip


def respond(tensorstore: Any, words: Sequence[str], keys: Sequence[str]) -> str:
    """Return the answer to a request.

    Args:
        tensorstore: the library.
        words: the arguments of the program.
        keys: the keys.
    """
    folder, limits, parent = words
    bounds = runpy.run_path(limits)
    bounds["limit"](bounds["MEMORY"], min(_SECONDS + len(keys) * _SECONDS_A_KEY, _LONGEST), int(parent))
    base = {"driver": "file", "path": folder + "/"}
    store = tensorstore.KvStore.open({"driver": "ocdbt", "base": base, "context": _CONTEXT}).result()
    texts: list[str | None] = []
    for start in range(0, len(keys), _AT_ONCE):
        pending = [store.read(key) for key in keys[start : start + _AT_ONCE]]
        for value in [future.result().value for future in pending]:
            texts.append(value.decode("utf-8", "replace") if 0 < len(value) <= MOST else None)
    return json.dumps(texts)


def main() -> None:
    """Answer one request."""
    import tensorstore

    sys.stdout.write(respond(tensorstore, sys.argv[1:], json.load(sys.stdin)))


if __name__ == "__main__":
    main()
