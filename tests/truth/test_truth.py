"""Models as strangers have them: nothing that is said of them is wrong, and what is unknown is counted.

Each case makes a model, runs it in its framework and compares. What came of all of them before anything was
changed for them stands in [UNSEEN.md](UNSEEN.md); `score.py` prints every difference.
"""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path

import pytest
from truth_judge import CASES, judge

AREAS = ("keras", "onnx", "tf", "weights", "torch")
for _module in sorted(Path(__file__).parent.glob("*_cases.py")):
    importlib.import_module(_module.stem)

OPEN = json.loads(Path(__file__).with_name("open.json").read_text())
"""For each file that is not read in full: how many values are unknown, and the wrong ones, by their words."""

SLOW = set(json.loads(Path(__file__).with_name("slow.json").read_text()))
PARAMS = [
    pytest.param(
        area, name, id=f"{area}-{name}", marks=[pytest.mark.slow] if f"{area}:{name}" in SLOW else []
    )
    for area in AREAS
    for name, _ in CASES[area]
]


@pytest.mark.parametrize(("area", "name"), PARAMS)
def test_nothing_is_wrong(area: str, name: str, tmp_path: Path) -> None:
    build = dict(CASES[area])[name]
    here = os.getcwd()
    files = 0
    for subject in build(tmp_path):
        files += 1
        verdict = judge(subject)
        known = OPEN.get(f"{area}:{name}:{subject.label}", {})
        assert [text for text in verdict.wrong if text.split(":")[0] not in known.get("wrong", [])] == []
        assert len(verdict.false) <= known.get("false", 0), verdict.false
        assert len(verdict.unknown) <= known.get("unknown", 0), verdict.unknown
    assert files
    assert os.getcwd() == here
