"""A program of its own: shows models, and writes down what it opened, started and imported meanwhile.

``python probe.py {"name": [folder, model]} [PATH]``: a PATH is opened at the end, to prove that it is seen.
"""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path


def run() -> None:
    import watch

    del sys.path[0]  # this directory, where an import would look first
    from shapeinspect.cli import main

    asked = json.loads(sys.argv[1])
    watch.begin()
    codes = {}
    for name, (folder, path) in asked.items():
        watch.given.clear()
        watch.given.add(os.path.realpath(folder))
        try:
            main(["show", path])
        except SystemExit as stopped:
            codes[name] = stopped.code or 0
    if len(sys.argv) > 2:
        io.FileIO(Path(sys.argv[2])).close()  # as the package opens files
    watch.given.clear()
    print(json.dumps([codes, watch.seen, watch.imported()]), file=sys.stderr)


if __name__ == "__main__":
    run()
