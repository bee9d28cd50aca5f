"""Training checkpoints: the model is chosen by what the entries are, and the rest is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn


def model() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 2))


def trained() -> tuple[dict, dict]:
    net = model()
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.rand(1, 3)).sum().backward()
    optimizer.step()
    return net.state_dict(), optimizer.state_dict()


STATE, OPTIMIZER = trained()
NAMES = ["0.weight", "0.bias", "1.weight", "1.bias"]
BIG = nn.Linear(50, 60).state_dict()

CASES = {
    "state dict": (STATE, NAMES, ()),
    "model and optimizer": (
        {"epoch": 3, "model": STATE, "optimizer": OPTIMIZER},
        NAMES,
        ("model", "optimizer", "epoch"),
    ),
    "the optimizer first": ({"optim": OPTIMIZER, "net": STATE}, NAMES, ("net", "optim")),
    "model_state_dict": (
        {"model_state_dict": STATE, "optimizer_state_dict": OPTIMIZER, "loss": 0.5},
        NAMES,
        ("model_state_dict", "optimizer_state_dict"),
    ),
    "Lightning": (
        {
            "epoch": 1,
            "global_step": 10,
            "pytorch-lightning_version": "2.0",
            "state_dict": STATE,
            "loops": {"fit": {"state": {}}},
            "callbacks": {"Best": {"score": torch.tensor(0.5)}},
            "optimizer_states": [OPTIMIZER],
            "lr_schedulers": [],
            "hyper_parameters": {"lr": 0.1},
        },
        NAMES,
        ("state_dict", "optimizer_states", "hyper_parameters", "callbacks"),
    ),
    "an average beside it": ({"ema": STATE, "model": dict(STATE)}, NAMES, ("model", "ema")),
    "two wrappers": ({"checkpoint": {"module": STATE, "lr": 1}}, NAMES, ("checkpoint.module",)),
    "a step counter": ({"params": STATE, "step": torch.tensor(3)}, NAMES, ("params", "step")),
    "two models": (
        {"G": STATE, "D": BIG, "opt_G": OPTIMIZER, "optimizer_D": OPTIMIZER},
        [*(f"G.{name}" for name in NAMES), "D.weight", "D.bias"],
        ("optimizer_D",),
    ),
    "list of state dicts": ([STATE, BIG], [*(f"0.{name}" for name in NAMES), "1.weight", "1.bias"], ()),
    "only an optimizer": (OPTIMIZER, None, ()),
    "an average of the same names": ({"G": STATE, "G_ema": dict(STATE)}, NAMES, ("G", "G_ema")),
    "equal blocks in trees": (
        {"one": {"w": torch.zeros(2, 3)}, "two": {"w": torch.zeros(2, 3)}},
        ["one.w", "two.w"],
        (),
    ),
    "weights in trees": (
        {"encoder": {"w": torch.zeros(2, 3), "deep": {"b": torch.zeros(4)}}, "head": torch.zeros(5)},
        ["encoder.w", "encoder.deep.b", "head"],
        (),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_choice(tmp_path: Path, read, weights, name: str) -> None:
    value, names, told = CASES[name]
    path = tmp_path / "a.ckpt"
    torch.save(value, path)
    found = read(path)
    held = weights(found)
    if names is None:
        assert len(held) == 3 * 4, "step and two moments for each parameter"
    else:
        assert list(held) == names
    text = " ".join(note.text for note in found.notes)
    for key in told:
        assert f'"{key}"' in text


def test_what_is_left_out_is_weighed(tmp_path: Path, read) -> None:
    path = tmp_path / "a.ckpt"
    torch.save({"model": STATE, "optimizer": OPTIMIZER, "epoch": 3}, path)
    values = sum(t.numel() for state in OPTIMIZER["state"].values() for t in state.values())
    texts = [note.text for note in read(path).notes]
    assert f'shown is "model"; the file also holds "optimizer" ({values} values in 12 tensors)' in texts
    assert 'without tensors, and not shown: "epoch"' in texts


def test_two_tensors_of_one_name_are_refused(tmp_path: Path, read) -> None:
    from shapeinspect.errors import UnreadableFileError

    path = tmp_path / "a.ckpt"
    torch.save({"a.b": torch.zeros(2), "a": {"b": torch.zeros(3)}, "c": torch.zeros(9)}, path)
    with pytest.raises(UnreadableFileError, match="two of its tensors are named"):
        read(path)


def test_only_tensors_reference_no_other_globals(tmp_path: Path, read) -> None:
    import pathlib

    path = tmp_path / "a.ckpt"
    torch.save({"model": STATE}, path)
    assert not any("not executed" in note.text for note in read(path).notes)
    torch.save({"model": STATE, "where": pathlib.PurePosixPath("x")}, path)
    (note,) = (note for note in read(path).notes if "not executed" in note.text)
    assert note.text == "not executed; globals referenced: pathlib.PurePosixPath"
