"""Both adapters of files keep the published contract."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from shapeinspect.sources.source import from_object, from_path
from shapeinspect.testing import AdapterContract, Case


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(11, 13)
        self.conv = nn.Conv2d(3, 5, (2, 4))
        self.bn = nn.BatchNorm2d(5)
        self.lstm = nn.LSTM(3, 7)
        self.head = nn.Linear(13, 11, bias=False)
        self.head.weight = self.emb.weight


def count(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.filterwarnings("ignore")
class TestTorch(AdapterContract):
    def entry_point(self) -> str:
        return "torch"

    def cases(self, folder: Path) -> Sequence[Case]:
        net = Tied()
        paths = [folder / name for name in ("zip.pt", "legacy.pt", "module.pt", "nested.ckpt")]
        torch.save(net.state_dict(), paths[0])
        torch.save(net.state_dict(), paths[1], _use_new_zipfile_serialization=False)
        torch.save(net, paths[2])
        torch.save({"state_dict": net.state_dict(), "a\x1b[31m": 1, "b": torch.zeros(4)}, paths[3])
        held = {"state_dict": net.state_dict(), "a\x1b[31m": 1}

        def state() -> object:
            return [(name, id(value), value.tolist()) for name, value in held["state_dict"].items()], [*held]

        return [
            *(Case(from_path(path), count(net)) for path in paths),
            Case(from_object(held), count(net), state),
        ]


class TestSafetensors(AdapterContract):
    def entry_point(self) -> str:
        return "safetensors"

    def cases(self, folder: Path) -> Sequence[Case]:
        net = Tied()
        state = {name: tensor for name, tensor in net.state_dict().items() if name != "head.weight"}
        file, directory = folder / "model.safetensors", folder / "whole"
        save_file(state, file, metadata={"format": "pt", "evil": "\x1b[31m"})
        directory.mkdir()
        save_file(state, directory / "model.safetensors")
        return [Case(from_path(path), count(net)) for path in (file, directory)]
