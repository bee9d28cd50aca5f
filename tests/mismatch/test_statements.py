"""Statements outside of every layer: what is run again touches nothing of the user's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import shapeinspect
from shapeinspect import registry
from shapeinspect.api.debugging import explain_error
from shapeinspect.mismatch import Diagnosis
from shapeinspect.plugin_api.arrays.edits import arrangements, trims
from shapeinspect.plugin_api.claims import Level


def _run(tmp_path: Path, body: str, **names: Any) -> tuple[dict[str, Any], Diagnosis | None]:
    """Run a script, and return its names and the diagnosis of its error."""
    path = tmp_path / "script.py"
    path.write_text(body)
    space: dict[str, Any] = {"torch": torch, "np": np, **names}
    try:
        with shapeinspect.debug():
            exec(compile(body, str(path), "exec"), space)
    except Exception as error:  # noqa: BLE001  # any exception is what the script is for
        return space, explain_error(error)
    raise AssertionError("it runs")


def test_a_trial_writes_into_no_array_of_the_user(tmp_path: Path) -> None:
    body = "bank, keys = torch.zeros(7, 3), torch.ones(5, 3)\nbank[4:9] = keys\n"
    space, found = _run(tmp_path, body)
    assert found is not None
    assert [one.claim.level for one in found.fixes] == [Level.WHOLE]
    assert not space["bank"].any()


def test_a_trial_writes_nothing_in_place(tmp_path: Path) -> None:
    body = "image, mean = torch.full((1, 8, 9), 2.0), torch.ones(3, 1, 1)\nimage.sub_(mean)\n"
    space, found = _run(tmp_path, body)
    assert found is not None
    assert found.fixes[0].text == "image.repeat(3, 1, 1).sub_(mean) instead of image.sub_(mean)"
    assert found.fixes[0].fix.alters
    assert bool((space["image"] == 2).all())


def test_no_function_of_the_user_is_called_again(tmp_path: Path) -> None:
    body = (
        "calls = []\ndef load():\n    calls.append(1)\n    return np.zeros((4, 6))\n"
        "joined = np.concatenate([load(), np.zeros(4)], axis=1)\n"
    )
    space, _ = _run(tmp_path, body)
    assert space["calls"] == [1]


def test_the_random_state_stays(tmp_path: Path) -> None:
    body = (
        "parts = [torch.zeros(4, 3), torch.zeros(2, 3)]\nbefore = torch.get_rng_state()\n"
        "both = torch.stack(parts) + torch.rand(3)\n"
    )
    space, found = _run(tmp_path, body)
    assert found is not None
    assert found.fixes
    assert torch.equal(space["before"], torch.get_rng_state())


def test_a_sum_that_would_become_a_table_of_pairs_is_no_fix(tmp_path: Path) -> None:
    body = "rows, other = np.zeros(40), np.zeros(30)\ntotal = rows + other\n"
    _, found = _run(tmp_path, body)
    assert found is not None
    assert found.fixes == ()


@pytest.mark.parametrize(
    ("passed", "fix"),
    [
        ("delta.unsqueeze(1)", "value.backward(delta) instead of value.backward(delta.unsqueeze(1))"),
        (
            "torch.unsqueeze(delta, 1)",
            "value.backward(torch.unsqueeze(delta, 1).squeeze(1)) instead of "
            "value.backward(torch.unsqueeze(delta, 1))",
        ),
        (
            "delta[:, None]",
            "value.backward(delta[:, None].squeeze(1)) instead of value.backward(delta[:, None])",
        ),
        ("gradient=delta[:3]", None),
    ],
)
def test_a_gradient_of_another_shape_is_told_and_mended(tmp_path: Path, passed: str, fix: str | None) -> None:
    body = "x = torch.rand(16, 4, requires_grad=True)\nvalue = x.sum(1)\ndelta = torch.rand(16)\n"
    _, found = _run(tmp_path, f"{body}value.backward({passed})\n")
    assert found is not None
    assert (found.layer.path, found.cause) == ("backward", "gradient")
    assert [one.text for one in found.fixes] == ([] if fix is None else [fix])


def test_an_error_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    _, found = _run(tmp_path, "int('seven')\n")
    assert found is None


def test_one_debugger_that_fails_leaves_the_error_to_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch_debugger = next(one for one in registry.debuggers() if one.packages == ("torch",))

    def fails(*_: Any) -> None:
        raise AttributeError("a mistake of the debugger")

    monkeypatch.setattr(type(torch_debugger), "recover", fails)
    body = "table, ages = np.zeros((9, 4)), np.zeros(9)\njoined = np.concatenate([table, ages], axis=1)\n"
    _, found = _run(tmp_path, body)
    assert found is not None
    with pytest.raises(RuntimeError) as raised, shapeinspect.debug():
        torch.zeros(2, 3) @ torch.zeros(4, 5)
    assert raised.value.__notes__ == [
        "shapeinspect: no diagnosis (AttributeError: a mistake of the debugger)"
    ]


@pytest.mark.parametrize(
    ("shape", "declared"),
    [
        ((64, 80, 3), ("N", 3, 64, 80)),
        ((2, 64, 80, 3), ("N", 3, 64, 80)),
        ((28, 20), ("N", 1, 28, 20)),
        ((1, 3, 96, 64), (1, 1, 3, 96, 64)),
        ((6, 1, 4), ("N", 4)),
        ((2, 240), (2, 3, 8, 10)),
        ((1, 23, 56), (1, 23, 100)),
        ((1, 23, 156), (1, 23, 100)),
    ],
)
def test_every_edit_of_an_array_gives_the_declared_shape(
    shape: tuple[int, ...], declared: tuple[Any, ...]
) -> None:
    edits = [*arrangements(shape, declared)] or [*trims(shape, declared)]
    assert edits
    for edit in edits:
        made = edit.of(np.zeros(shape)).shape
        assert len(made) == len(declared)
        assert all(
            not isinstance(wants, int) or wants == has for has, wants in zip(made, declared, strict=True)
        )
