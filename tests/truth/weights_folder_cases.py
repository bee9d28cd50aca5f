"""Weight files and folders as trainers leave them: GGUF, shards, tied weights, archives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from truth_judge import Subject, case
from truth_weights import (
    LLAMA,
    LOGICAL,
    RNG,
    folder_of,
    half,
    llama,
    read_from,
    words,
)


@case("weights")
def gguf_types(folder: Path) -> Iterator[Subject]:
    import gguf

    types = [
        gguf.GGMLQuantizationType[n]
        for n in (
            "F32",
            "F16",
            "BF16",
            "Q4_0",
            "Q4_1",
            "Q5_0",
            "Q5_1",
            "Q8_0",
            "Q2_K",
            "Q3_K",
            "Q4_K",
            "Q5_K",
            "Q6_K",
            "IQ4_NL",
            "IQ4_XS",
            "TQ1_0",
            "TQ2_0",
            "IQ2_XXS",
            "IQ3_S",
            "IQ1_M",
            "MXFP4",
        )
    ]
    path = folder / "types.gguf"
    writer = gguf.GGUFWriter(path, "stablelm")  # of which no tensor is demanded
    writer.add_block_count(1)
    writer.add_embedding_length(512)
    count = 0
    for k, kind in enumerate(types):
        rows, columns = 7 + k, 512
        size, each = gguf.GGML_QUANT_SIZES[kind]
        name = f"blk.{k}.attn_q.weight"
        if kind == gguf.GGMLQuantizationType.F32:
            writer.add_tensor(name, RNG.normal(size=(rows, columns)).astype("float32"))
        elif kind == gguf.GGMLQuantizationType.F16:
            writer.add_tensor(name, RNG.normal(size=(rows, columns)).astype("float16"))
        else:
            data = RNG.integers(0, 255, (rows, columns // size * each)).astype("uint8")
            writer.add_tensor(name, data, raw_dtype=kind)
        count += rows * columns
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    yield Subject("types.gguf", path, params=count)


@case("weights")
def tied_and_sharded(folder: Path) -> Iterator[Subject]:
    """torch.save keeps what is tied; safetensors keeps one of both; indexes name shards."""
    import torch
    from safetensors.torch import save_file, save_model

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = torch.nn.Embedding(30, 8)
            self.norm = torch.nn.BatchNorm1d(8)
            self.head = torch.nn.Linear(8, 30, bias=False)
            self.head.weight = self.embed.weight

    net = Net()
    params = sum(p.numel() for p in net.parameters())
    torch.save(net.state_dict(), folder / "tied.pt")
    yield Subject("tied.pt", folder / "tied.pt", params=params)
    torch.save(
        {
            "model": net.state_dict(),
            "optimizer": torch.optim.AdamW(net.parameters()).state_dict(),
            "epoch": 3,
        },
        folder / "train.ckpt",
    )
    yield Subject("train.ckpt", folder / "train.ckpt", params=params)
    torch.save(
        {
            "state_dict": {f"module.{k}": v for k, v in net.state_dict().items()},
            "hyper_parameters": {"lr": 0.1},
            "pytorch-lightning_version": "2.2",
        },
        folder / "light.ckpt",
    )
    yield Subject("light.ckpt", folder / "light.ckpt", params=params)
    torch.save(net.state_dict(), folder / "old.pth", _use_new_zipfile_serialization=False)
    yield Subject("old.pth", folder / "old.pth", params=params)
    save_model(net, str(folder / "tied.safetensors"))
    yield Subject("tied.safetensors", folder / "tied.safetensors", params=params)
    parts = list(net.state_dict().items())
    where = {}
    for k, part in enumerate((parts[:2], parts[2:])):
        torch.save(dict(part), folder / f"pytorch_model-{k + 1:05}-of-00002.bin")
        where.update({n: f"pytorch_model-{k + 1:05}-of-00002.bin" for n, _ in part})
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
    yield Subject(
        "pytorch_model.bin.index.json", folder / "pytorch_model.bin.index.json", params=params + 240
    )
    lora = {
        f"base_model.model.layers.{k}.q_proj.lora_{ab}.weight": half(*s)
        for k in range(2)
        for ab, s in (("A", (4, 64)), ("B", (32, 4)))
    }
    save_file(lora, folder / "adapter_model.safetensors")
    yield Subject("adapter_model.safetensors", folder / "adapter_model.safetensors", params=2 * (256 + 128))


@case("weights")
def torch_quantized(folder: Path) -> Iterator[Subject]:
    """torch's own dynamic quantization: a packed Linear in a state dict has its weights and biases."""
    import warnings

    import torch

    net = torch.nn.Sequential(torch.nn.Linear(12, 30), torch.nn.ReLU(), torch.nn.Linear(30, 5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.backends.quantized.engine = (
            "onednn" if "onednn" in torch.backends.quantized.supported_engines else "qnnpack"
        )
        small = torch.ao.quantization.quantize_dynamic(net, {torch.nn.Linear}, dtype=torch.qint8)
        torch.save(small.state_dict(), folder / "dynamic.pt")
    yield Subject("dynamic.pt", folder / "dynamic.pt", params=12 * 30 + 30 + 150 + 5)


@case("weights")
def numpy_archives(folder: Path) -> Iterator[Subject]:
    """A number of steps is no parameter, as it is none in a state dict."""
    told = {
        "conv1/kernel": RNG.normal(size=(3, 3, 2, 5)),
        "conv1/bias": RNG.normal(size=5),
        "step": np.array(7),
    }
    np.savez(folder / "weights.npz", **told)
    yield Subject("weights.npz", folder / "weights.npz", params=95)
    np.savez_compressed(folder / "packed.npz", **told)
    yield Subject("packed.npz", folder / "packed.npz", params=95)


@case("weights")
def whole_folders(folder: Path) -> Iterator[Subject]:
    """The same folders named as folders."""

    def plain(path: str, o: int, i: int) -> dict[str, Any]:
        return {f"{path}.weight": half(o, i)}

    target = folder_of(folder, "plain", llama(plain), LLAMA, shards=3)
    yield Subject("plain (index)", read_from(target), params=LOGICAL)
    yield Subject("plain (folder)", target, params=LOGICAL)

    def pack(path: str, o: int, i: int) -> dict[str, Any]:
        return {
            f"{path}.qweight": words(i, o // 8),
            f"{path}.qzeros": words(i // 32, o // 8),
            f"{path}.scales": half(i // 32, o),
        }

    config = {
        **LLAMA,
        "quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm"},
    }
    yield Subject("awq (folder)", folder_of(folder, "awq_folder", llama(pack), config), params=LOGICAL)
    bare = folder_of(folder, "awq_bare", llama(pack), None)
    yield Subject("awq without config", read_from(bare))
