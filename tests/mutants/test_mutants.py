"""Programs that were broken by a program: nothing false is claimed of a fix, and no screen is empty.

First scores, before any change was made for these programs, of the first mutants of the seeded order:
torch, 106 mutants: printed 95 %, layer 95 %, cause 65 %, first fix works pasted 45 %, meaning kept 44 %.
When scripts were already run with changes: torch, the first 22: 95, 95, 73, 64 and 55 %; onnx, 11: 82, 82,
73, 73 and 64 %; keras, 10: 80, 70, 30, 10 and 10 %. No claim was proven false in any of these runs.

Whether the reasons (the rows ``because``) or the line of the failure name the changed line, for two samples
of torch's mutants behind the first 250 and the first 2000 of the order, before the effect of an edit was
told: 42 of 60, and 35 of 59. Of those that were run again afterwards: 36 instead of 25 of 40, and 27
instead of 21 of 35. Reasons name lines, and not that one: 3 instead of 14 of 40, and 7 instead of 13 of 35.
The first fix works: 38 instead of 36 of 40, and 33 of 35 both times. One claim was false before, none
afterwards. The kinds of changes in the first sample, and before the last of the changes those in the
second, were looked at.

A later sample, mostly of scripts that were written for it, at a load of 20 and more, before any change for
them: onnx, 15, with 150 s for the search: 100, 100, 93, 87 and 80 %; keras, 14: 79, 71, 43, 7 and 7 %.
Afterwards, of those that were run again: onnx, 14: as before; of a second sample, 15: 100, 93, 80, 87 and
73 %; keras, 10, for which it was 70, 60, 30, 0 and 0 %: 90, 80, 60, 20 and 20 %.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
SCRIPTS = sorted(p.stem for p in (HERE / "scripts").glob("*_*.py"))

SPEC = importlib.util.spec_from_file_location("mutants_mutate", HERE / "mutate.py")
assert SPEC is not None
assert SPEC.loader is not None
mutate = importlib.util.module_from_spec(SPEC)
sys.modules["mutants_mutate"] = mutate
SPEC.loader.exec_module(mutate)

#: Of each framework some of the first mutants: those that are explained in the least time.
CUT = {
    "torch": (
        "torch_audio-delete-30-8227ad86",
        "torch_cnn_flatten-axis-26-c6ce3434",
        "torch_cnn_flatten-constant-21-2e4ff8d8",
        "torch_dqn-axis-50-906e5595",
        "torch_dqn-line-36-27e48c78",
        "torch_graph-constant-44-0f84855c",
        "torch_graph-data-58-75c7664e",
        "torch_seq2seq-loss-81-30e80472",
    ),
    "keras": ("keras_seq2seq-slice-15-78743815", "keras_tabular-layer-14-92805be1"),
    "onnx": ("onnx_lora_state-items-58-4ef0bd5f", "onnx_torch_export-delete-33-e34abd25"),
}


def judged(framework: str, *arguments: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, str(HERE / "score.py"), framework, "--json", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert results, done.stderr
    return results


@pytest.mark.parametrize("framework", sorted(CUT))
def test_a_cut_of_the_mutants(framework: str) -> None:
    keys = CUT[framework]
    results = judged(framework, "-n", str(len(keys)), *(word for key in keys for word in ("--mutant", key)))
    assert {r["key"] for r in results} == set(keys)
    assert [claim for r in results for claim in r["false"]] == []
    assert [r["key"] for r in results if not r["printed"]] == []


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["torch", "keras", "onnx"])
def test_many_mutants(framework: str) -> None:
    results = judged(framework, "-n", "40", "-j", "2")
    assert [claim for r in results for claim in r["false"]] == []
    assert [r["key"] for r in results if r["broken"]] == []


def test_there_are_scripts_of_every_framework() -> None:
    counts = {f: sum(s.startswith(f) for s in SCRIPTS) for f in ("torch", "keras", "onnx")}
    assert counts == {"torch": 23, "keras": 18, "onnx": 13}


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_mutant_is_one_change_that_python_reads(script: str) -> None:
    text = (HERE / "scripts" / f"{script}.py").read_text()
    mutants = mutate.Mutator(script, text).mutants()
    assert len({m.key for m in mutants}) == len(mutants) > 30
    for mutant in mutants[::12]:
        changed = mutant.applied(text)
        assert ast.parse(changed)
        assert changed != text
        line = text.splitlines()[mutant.line - 1]
        assert mutant.before.split("\n")[0] in line, mutant.key


def test_the_order_goes_round_scripts_and_kinds() -> None:
    first = mutate.ordered(HERE / "scripts", [s for s in SCRIPTS if s.startswith("torch")])[:150]
    assert len({(m.script, m.kind) for m in first}) == len(first)
    assert first == mutate.ordered(HERE / "scripts", [s for s in SCRIPTS if s.startswith("torch")])[:150]
