"""Break working scripts in one place, run each under the debugger, and judge what it prints.

    python tests/mutants/score.py                     a sample of every framework's scripts
    python tests/mutants/score.py torch -n 100        the first hundred mutants of the torch scripts
    python tests/mutants/score.py keras --kind drop   those of one kind of change
    python tests/mutants/score.py --keep FOLDER       each mutant, its screen and its judgement in a folder

The order is drawn by a seed and goes round all scripts and kinds, so that the first n of it are a fair
sample. A mutant counts where it fails with a framework's error of shape, dtype or index. What is judged:
something is printed; the statement or the layer that failed is named (*layer*); the changed line, or a layer
made there, is named anywhere on the screen (*cause*); the first fix, pasted, lets the script run to its end
(*works*), with the original's own text or printed shapes (*kept*); a fix that is said to run to the end and
fails in just that statement is a *false claim*.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import farm  # noqa: E402  # it lies beside this file, which is no package
import judging  # noqa: E402  # as above
from mutate import ordered  # noqa: E402  # as above

FRAMEWORKS = ("torch", "keras", "onnx")
MARKS = ("printed", "layer", "cause", "works", "kept")


class Cache(dict[str, Any]):
    """Outcomes of runs without the debugger, kept in a file between runs of this program."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists():
            for line in path.read_text().splitlines():
                text, outcome = json.loads(line)
                super().__setitem__(text, outcome)

    def __setitem__(self, text: str, outcome: dict[str, Any]) -> None:
        super().__setitem__(text, outcome)
        if outcome["error"] == farm.ENDED:
            return  # stopped from outside, or out of time: it may end in another way
        kept = {name: value for name, value in outcome.items() if name not in ("stderr", "seconds")}
        with self.path.open("a") as file:
            file.write(json.dumps([text, kept]) + "\n")


def scores(framework: str, chosen: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Judge the first mutants of a framework's scripts, in this process and its children."""
    farm.prepare(framework)
    folder = Path(tempfile.gettempdir()) / f"shapeinspect-mutants-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    known = Cache(folder / f"{framework}.jsonl")
    names = sorted(p.stem for p in (HERE / "scripts").glob(f"{framework}_*.py"))
    names = [name for name in names if chosen.script is None or chosen.script in name]
    texts = {name: (HERE / "scripts" / f"{name}.py").read_text() for name in names}
    printed = {}
    for name, text in texts.items():
        if text not in known:
            known[text] = farm.one(text, name)
        if known[text]["error"] is not None:
            raise SystemExit(f"{name} itself fails: {known[text]['error']}: {known[text].get('message')}")
        printed[name] = known[text]["stdout"]
    order = ordered(HERE / "scripts", names, chosen.kind and set(chosen.kind))
    if chosen.mutant:
        order = [m for m in order if m.key in chosen.mutant]
    kept, active = 0, 0
    waiting = iter(order[chosen.skip :])

    def tasks() -> Iterator[farm.Task | None]:
        nonlocal active
        while True:
            if kept + active >= chosen.n:
                if not active:
                    return
                yield None
                continue
            mutant = next(waiting, None)
            if mutant is None:
                return
            active += 1
            yield judging.judged(mutant, texts[mutant.script], printed[mutant.script], known)

    for result in farm.run(tasks(), chosen.j):
        active -= 1
        if result is not None:
            kept += 1
            yield result


def keep(folder: Path, result: dict[str, Any]) -> None:
    """Leave a mutant, and its screen and judgement, in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{result['key']}.py").write_text(result["text"])
    judgement = {name: value for name, value in result.items() if name not in ("text", "screen")}
    (folder / f"{result['key']}.txt").write_text(f"{result['screen']}\n\n{json.dumps(judgement, indent=1)}\n")


def table(results: list[dict[str, Any]], by: str) -> Iterator[str]:
    """The score as rows, one for each kind or script."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        groups.setdefault(result[by], []).append(result)
    groups = dict(sorted(groups.items())) | {"all": results}
    yield f"| {by:<22} |   n | " + " | ".join(f"{mark:>7}" for mark in MARKS) + " | a fix | false |"
    yield "|" + " --- |" * (len(MARKS) + 4)
    for name, members in groups.items():
        shares = [
            f"{100 * sum(bool(m[mark]) for m in members) / max(len(members), 1):5.0f} %" for mark in MARKS
        ]
        fixed = f"{100 * sum(bool(m['fixes']) for m in members) / max(len(members), 1):3.0f} %"
        yield (
            f"| {name:<22} | {len(members):>3} | "
            + " | ".join(shares)
            + (f" | {fixed} | {sum(bool(m['false']) for m in members):>5} |")
        )


def main(arguments: list[str]) -> int:
    """Print the score; the exit code is 1 where a claim is false or a screen is empty."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("framework", nargs="?", choices=FRAMEWORKS)
    parser.add_argument("-n", type=int, default=20, help="mutants of each framework")
    parser.add_argument("-j", type=int, default=1, help="children at a time")
    parser.add_argument("--skip", type=int, default=0, help="leave out the first of the order")
    parser.add_argument("--kind", action="append", help="only this kind of change; may be repeated")
    parser.add_argument("--script", help="only scripts with this in their name")
    parser.add_argument("--mutant", action="append", help="only this mutant, by its key; may be repeated")
    parser.add_argument("--keep", type=Path, help="a folder for the mutants, screens and judgements")
    parser.add_argument("--json", action="store_true", help="one JSON line for each mutant, and no table")
    chosen = parser.parse_args(arguments)
    if chosen.framework is None:
        # Each framework has a process of its own: the debugger looks at what is imported.
        rest = [a for a in arguments if a not in FRAMEWORKS]
        return max(subprocess.call([sys.executable, __file__, f, *rest]) for f in FRAMEWORKS)
    results = []
    for result in scores(chosen.framework, chosen):
        results.append(result)
        if chosen.keep:
            keep(chosen.keep, result)
        if chosen.json:
            print(json.dumps({k: v for k, v in result.items() if k != "text"}), flush=True)
            continue
        marks = " ".join(mark if result[mark] else "-" * len(mark) for mark in MARKS)
        print(f"{len(results):>4}  {marks}  {result['seconds']:>5} s  {result['key']}", flush=True)
        for kind in ("false", "suspect"):
            for claim in result[kind]:
                print(f"      {kind.upper()}: {claim}", flush=True)
        if result["broken"]:
            print(f"      BROKEN: {result['broken']}", flush=True)
    if not chosen.json:
        for by in ("kind", "script"):
            print("", *table(results, by), sep="\n")
    return int(any(r["false"] or not r["printed"] for r in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
