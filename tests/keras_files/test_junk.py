"""Operations whose settings or arguments hold anything are read without harm, and in time."""

from __future__ import annotations

import json
import runpy
import zipfile
from pathlib import Path
from typing import Any

import pytest

import shapeinspect
from shapeinspect_keras.calls.outputs import output_count

JUNK: list[Any] = ["x", None, -1, 10**18, [], [[1], [2, 3]], {}, 0.5, True, [10**9, -(10**9)], {"a": [None]}]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    zoo = runpy.run_path(str(Path(__file__).with_name("zoo.py")))
    path = tmp_path_factory.mktemp("junk") / "operations.keras"
    zoo["together"](zoo["OPERATIONS"]).save(path)
    return path


def spoiled(value: Any, junk: Any) -> Any:
    """Replace everything in a call's arguments that is not a tensor."""
    if isinstance(value, list):
        return [spoiled(item, junk) for item in value]
    is_tensor = isinstance(value, dict) and value.get("class_name") == "__keras_tensor__"
    return value if is_tensor else junk


def rewritten(path: Path, target: Path, junk: Any, part: str) -> int:
    """Copy an archive with junk in its operations' settings or arguments; return their number."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    operations = [layer for layer in config["config"]["layers"] if ".ops." in layer["module"]]
    for layer in operations:
        if part == "settings":
            layer["config"] = {name: junk for name in layer["config"] if name != "name"}
        else:
            for call in layer["inbound_nodes"]:
                call["args"] = spoiled(call["args"], junk)
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return len(operations)


@pytest.mark.parametrize("part", ["settings", "arguments"])
@pytest.mark.parametrize("junk", JUNK, ids=json.dumps)
def test_junk_harms_nothing(saved: Path, junk: Any, part: str, tmp_path: Path) -> None:
    count = rewritten(saved, tmp_path / "junk.keras", junk, part)
    assert count > 90
    report = shapeinspect.inspect(tmp_path / "junk.keras")
    assert len(report) > count
    assert len(report.model.values) < 2000
    assert str(report)


def test_a_file_cannot_ask_for_any_number_of_outputs() -> None:
    assert output_count("split", {"axis": 0, "sections": 10**9}) == 1
    assert output_count("unstack", {"axis": 0}, [(10**12, 3)]) == 1
    assert output_count("split", {"axis": 0, "sections": 7}) == 7
