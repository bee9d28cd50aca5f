"""Hostile and damaged programs: one class of errors, bounded work, nothing executed."""

from __future__ import annotations

import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from shapeinspect import layout
from shapeinspect.errors import UnreadableFileError
from shapeinspect.infer import infer
from shapeinspect.sources.source import from_path
from shapeinspect_torch.adapters.export import ADAPTER

pytestmark = pytest.mark.filterwarnings("ignore")


def attempt(path: Path) -> str:
    """Read a file; what it is refused for, or an empty text."""
    source = from_path(path)
    if not ADAPTER.match(source):
        return "not taken"
    try:
        infer(layout.normalize(ADAPTER.read(source)))
    except UnreadableFileError as error:
        return str(error)
    return ""


def changed(
    path: Path, target: Path, change: Callable[[dict], None], ending: str = "models/model.json"
) -> Path:
    """Write the archive again with one JSON member changed."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            data = old.read(info)
            if info.filename.endswith(ending):
                told = json.loads(data)
                change(told)
                data = json.dumps(told).encode()
            new.writestr(info.filename, data)
    return target


def graph(told: dict) -> dict:
    return told["graph_module"]["graph"]


def test_cut_off(programs, tmp_path: Path) -> None:
    whole = programs("text")[1].read_bytes()
    for end in range(0, len(whole), 331):
        path = tmp_path / "a.pt2"
        path.write_bytes(whole[:end])
        assert attempt(path)


def test_changed_bytes(programs, tmp_path: Path) -> None:
    whole = programs("branches")[1].read_bytes()
    rng = random.Random(11)
    outcomes = set()
    for _ in range(500):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path = tmp_path / "a.pt2"
        path.write_bytes(data)
        outcomes.add(attempt(path) == "")
    assert outcomes == {True, False}


def places(told: Any, at: tuple = ()) -> list[tuple]:
    """The way to every value of a JSON text."""
    found = [at] if at else []
    inner = told.items() if isinstance(told, dict) else enumerate(told) if isinstance(told, list) else ()
    for key, value in inner:
        found += places(value, (*at, key))
    return found


def replace_at(told: Any, at: tuple, value: Any) -> None:
    for key in at[:-1]:
        told = told[key]
    told[at[-1]] = value


ODD = (None, True, -1, 2**70, 1.5, "", "x" * 300, [], {}, [[]], {"as_int": -5}, {"as_tensor": {"name": "x"}},
       {"as_expr": {"expr_str": "Max(s0, 1)"}}, [{"as_none": True}],
       {"as_sym_int": {"as_name": "q"}})  # fmt: skip


@pytest.mark.parametrize("name", ["branches", "text of any length"])
def test_other_values_anywhere(programs, tmp_path: Path, name: str) -> None:
    """Any value of the description replaced by another one is read or refused, never a crash."""
    path = programs(name)[1]
    with zipfile.ZipFile(path) as file:
        member = next(entry for entry in file.namelist() if entry.endswith("models/model.json"))
        every = places(json.loads(file.read(member)))
    rng = random.Random(13)
    outcomes = set()
    for _ in range(250):
        at, value = rng.choice(every), rng.choice(ODD)
        target = changed(
            path, tmp_path / "b.pt2", lambda told, at=at, value=value: replace_at(told, at, value)
        )
        outcomes.add(attempt(target) == "")
    assert outcomes == {True, False}


def sizes(told: dict, value: list) -> None:
    replace_at(graph(told), ("tensor_values", "relu", "sizes"), value)


ZZZ = {"as_tensor": {"name": "zzz"}}
CHANGES: dict[str, tuple[Callable[[dict], None], str]] = {
    "no graph": (lambda told: told.pop("graph_module"), "malformed"),
    "a negative length": (
        lambda told: sizes(told, [{"as_int": -1}]), "length"),
    "a length that is true": (
        lambda told: sizes(told, [{"as_int": True}]), "length"),
    "too many axes": (
        lambda told: sizes(told, [{"as_int": 1}] * 65), "shape"),
    "an unknown tensor": (
        lambda told: replace_at(graph(told), ("nodes", 0, "outputs"), [ZZZ]), "zzz"),
    "an unknown output": (
        lambda told: replace_at(told, ("graph_module", "signature", "output_specs"),
                                [{"user_output": {"arg": ZZZ}}]), "zzz"),
    "modules nested too deep": (
        lambda told: replace_at(graph(told), ("nodes", 1, "metadata", "nn_module_stack"),
                                ";".join(f"k{n},m{n},T" for n in range(500))), "deep"),
}  # fmt: skip


@pytest.mark.parametrize("change", list(CHANGES))
def test_what_is_refused(programs, tmp_path: Path, change: str) -> None:
    function, said = CHANGES[change]
    assert said in attempt(changed(programs("twice")[1], tmp_path / "a.pt2", function))


def test_a_weight_that_is_not_there(programs, tmp_path: Path) -> None:
    def elsewhere(told: dict) -> None:
        told["config"]["fc.weight"]["path_name"] = "../../../../etc/passwd"

    def larger(told: dict) -> None:
        told["config"]["fc.weight"]["tensor_meta"]["sizes"] = [{"as_int": 10**6}, {"as_int": 6}]

    path, ending = programs("twice")[1], "weights_config.json"
    assert "holds no" in attempt(changed(path, tmp_path / "a.pt2", elsewhere, ending))
    assert "where a tensor takes" in attempt(changed(path, tmp_path / "b.pt2", larger, ending))


def test_graphs_inside_graphs_end(programs, tmp_path: Path) -> None:
    def nest(told: dict) -> None:
        outer = graph(told)
        node = next(node for node in outer["nodes"] if "cond" in node["target"])
        for _ in range(20):
            held = json.loads(json.dumps({**outer, "nodes": [node]}))
            node = json.loads(json.dumps(node))
            for entry in node["inputs"]:
                if "as_graph" in entry["arg"]:
                    entry["arg"]["as_graph"]["graph"] = held
                    break
        outer["nodes"] = [node]

    assert "nested deeper" in attempt(changed(programs("branches")[1], tmp_path / "a.pt2", nest))


def test_nothing_is_opened_but_the_file(programs) -> None:
    import subprocess
    import sys

    path = programs("text")[1]
    code = f"""
import sys
from shapeinspect.sources.source import from_path
from shapeinspect_torch.exported import archive
import shapeinspect_torch.checkpoints.checkpoint
opened = []
sys.addaudithook(lambda name, args: opened.append(str(args[0])) if name == "open" else None)
archive.read_export(from_path({str(path)!r}))
print([name for name in opened if name != {str(path)!r} and not name.endswith((".pyc", ".py"))])
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "False"]


def test_reads_do_not_grow_with_the_weights(tmp_path: Path, monkeypatch) -> None:
    from shapeinspect.sources.source import Source

    class Counting:
        def __init__(self, file) -> None:
            self.file, self.total = file, 0

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def seek(self, *args):
            return self.file.seek(*args)

        def read(self, size=-1):
            data = self.file.read(size)
            self.total += len(data)
            return data

    totals = []
    real = Source.open
    for width in (30, 3000):
        path = tmp_path / f"{width}.pt2"
        net = torch.nn.Linear(width, width)
        torch.export.save(torch.export.export(net, (torch.zeros(1, width),)), path)
        files = []

        def counting(source, files=files):
            files.append(Counting(real(source)))
            return files[-1]

        monkeypatch.setattr(Source, "open", counting)
        ADAPTER.read(from_path(path))
        totals.append(sum(file.total for file in files))
        monkeypatch.undo()
    small, large = totals
    assert large < small + 70_000  # the end record is looked for in the last 64 KiB, weights or not
