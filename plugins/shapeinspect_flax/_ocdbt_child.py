"""Reads small values of an OCDBT store in a separate program, so that a hostile store kills only it.

Its argument is a directory and its standard input a JSON list of keys; it answers with a JSON list
of their texts, null where there is none.
"""

from __future__ import annotations

import json
import sys

#: Seconds of CPU time, bytes of address space, and the longest value that is returned.
CPU, SPACE, MOST = 60, 8 << 30, 1 << 20


def _bound() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    for kind, most in ((resource.RLIMIT_CPU, CPU), (resource.RLIMIT_AS, SPACE)):
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def main() -> None:
    """Answer one request."""
    _bound()
    import tensorstore

    base = {"driver": "file", "path": sys.argv[1] + "/"}
    store = tensorstore.KvStore.open({"driver": "ocdbt", "base": base}).result()
    pending = [store.read(key) for key in json.load(sys.stdin)]
    values = [future.result().value for future in pending]
    texts = [value.decode("utf-8", "replace") if 0 < len(value) <= MOST else None for value in values]
    json.dump(texts, sys.stdout)


if __name__ == "__main__":
    main()
