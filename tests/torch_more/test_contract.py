"""The adapters of programs, of distributed checkpoints and of model directories keep the contract."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
import torch.distributed.checkpoint as dcp
from safetensors.torch import save_file
from torch import nn

from shapeinspect.sources.source import from_path
from shapeinspect.testing import AdapterContract, Case


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(11, 13)
        self.conv = nn.Conv1d(13, 5, 3)
        self.bn = nn.BatchNorm1d(5)
        self.back = nn.Linear(5, 13)
        self.head = nn.Linear(13, 11, bias=False)
        self.head.weight = self.emb.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.bn(self.conv(self.emb(ids).transpose(1, 2)))
        return self.head(self.back(x.transpose(1, 2)))


def count(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.filterwarnings("ignore")
class TestExport(AdapterContract):
    def entry_point(self) -> str:
        return "torch-export"

    def cases(self, folder: Path) -> Sequence[Case]:
        net = Tied().eval()
        ids = torch.zeros(2, 7, dtype=torch.long)
        dynamic = ({1: torch.export.Dim("time", min=4, max=90)},)
        path = folder / "net.pt2"
        torch.export.save(torch.export.export(net, (ids,), dynamic_shapes=dynamic), path)
        return [Case(from_path(path), count(net))]


@pytest.mark.filterwarnings("ignore")
class TestDistributed(AdapterContract):
    def entry_point(self) -> str:
        return "torch-distributed"

    def cases(self, folder: Path) -> Sequence[Case]:
        # Tied weights are saved one by one: the format has no word for them.
        net = Tied()
        net.head = nn.Linear(13, 11)
        dcp.save({"model": net.state_dict(), "a\x1b[31m": 3}, checkpoint_id=folder / "set", no_dist=True)
        return [Case(from_path(folder / "set"), count(net))]


class TestDirectory(AdapterContract):
    def entry_point(self) -> str:
        return "safetensors"

    def cases(self, folder: Path) -> Sequence[Case]:
        net = Tied()
        state = {name: tensor for name, tensor in net.state_dict().items() if name != "head.weight"}
        model, lora = folder / "model", folder / "lora"
        for made in (model, lora):
            made.mkdir()
        save_file(state, model / "model.safetensors", metadata={"format": "pt"})
        config = {"model_type": "llama", "architectures": ["Evil\x1b[31mForCausalLM"], "hidden_size": 13}
        (model / "config.json").write_text(json.dumps(config))
        pair = {"fc.lora_A.weight": torch.zeros(3, 7), "fc.lora_B.weight": torch.zeros(5, 3)}
        save_file(pair, lora / "adapter_model.safetensors")
        (lora / "adapter_config.json").write_text(
            json.dumps({"r": 3, "lora_alpha": 6, "peft_type": "LORA\x9b"})
        )
        return [Case(from_path(model), count(net)), Case(from_path(lora), 36)]
