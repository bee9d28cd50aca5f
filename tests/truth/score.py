"""Score every case: `python tests/truth/score.py [AREA[:NAME] ...] [--json FILE] [-v]`."""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
sys.path.insert(0, str(Path(__file__).parent))
warnings.simplefilter("ignore")

from truth_judge import CASES, judge  # noqa: E402  # after the path above

AREAS = ("keras", "onnx", "tf", "weights", "torch")
MODULES = sorted(Path(__file__).parent.glob("*_cases.py"))


def scored(area: str, title: str, build: Any, loud: bool) -> list[dict[str, Any]]:
    """Every file of one case, printed as it comes."""
    rows = []
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        try:
            for subject in build(Path(folder)):
                v = judge(subject)
                row = [area, title, v.label, v.exact, len(v.unknown), len(v.wrong), len(v.false)]
                rows.append({"row": row, "unknown": v.unknown, "wrong": v.wrong, "false": v.false})
                print(*row, flush=True)
                for kind in ("false", "wrong", "unknown"):
                    for text in getattr(v, kind)[: 40 if loud else 4]:
                        print("     ", kind, text[:400], flush=True)
        except Exception as error:  # noqa: BLE001  # a broken case is told and the next one scored
            print("   BROKEN", area, title, type(error).__name__, str(error)[:300], flush=True)
            if loud:
                traceback.print_exc()
    print("      took", round(time.process_time() - start, 1), area, title, flush=True)
    return rows


def main(words: list[str]) -> None:
    target = words[words.index("--json") + 1] if "--json" in words else None
    chosen = [w for w in words if w.split(":")[0] in AREAS] or list(AREAS)
    rows = []
    for pick in chosen:
        area, _, name = pick.partition(":")
        for module in MODULES:
            if module.name.startswith(area):
                importlib.import_module(module.stem)
        for title, build in CASES.get(area, []):
            if name in title:
                rows += scored(area, title, build, "-v" in words)
    if target:
        Path(target).write_text(json.dumps(rows, indent=1))
    for area in dict.fromkeys(r["row"][0] for r in rows):
        mine = [r["row"] for r in rows if r["row"][0] == area]
        sums = [
            f"{n} {sum(r[k] for r in mine)}" for k, n in enumerate(("exact", "unknown", "wrong", "false"), 3)
        ]
        print(area, "files", len(mine), "all exact", sum(not any(r[4:]) for r in mine), *sums)


main(sys.argv[1:])
