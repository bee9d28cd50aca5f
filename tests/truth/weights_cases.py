"""Weight files and folders as quantizers and trainers leave them, packed by their published formats."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from truth_judge import Subject, case

RNG = np.random.default_rng(0)


def folder_of(
    folder: Path, name: str, tensors: Mapping[str, Any], config: Mapping[str, Any] | None, shards: int = 1
) -> Path:
    """A folder as the Hub has it: safetensors, an index where there is more than one, and `config.json`."""
    from safetensors.torch import save_file

    target = folder / name
    target.mkdir()
    names = list(tensors)
    if shards == 1:
        save_file(dict(tensors), target / "model.safetensors", metadata={"format": "pt"})
    else:
        where = {}
        for k in range(shards):
            part = names[k::shards]
            file = f"model-{k + 1:05}-of-{shards:05}.safetensors"
            save_file({n: tensors[n] for n in part}, target / file, metadata={"format": "pt"})
            where.update(dict.fromkeys(part, file))
        (target / "model.safetensors.index.json").write_text(
            json.dumps({"metadata": {"total_size": 0}, "weight_map": where})
        )
    if config is not None:
        (target / "config.json").write_text(json.dumps(config))
    return target


def read_from(target: Path) -> Path:
    """What a user names: the index of shards, or the only file."""
    index = target / "model.safetensors.index.json"
    return index if index.exists() else target / "model.safetensors"


def half(*shape: int) -> Any:
    import torch

    return torch.from_numpy(RNG.normal(size=shape).astype("float32")).half()


def words(*shape: int) -> Any:
    import torch

    return torch.from_numpy(RNG.integers(-(2**31), 2**31 - 1, shape).astype("int32"))


def bytes_of(*shape: int) -> Any:
    import torch

    return torch.from_numpy(RNG.integers(0, 255, shape).astype("uint8"))


LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 192,
    "num_hidden_layers": 2,
    "vocab_size": 320,
}
SHAPES = {
    "self_attn.q_proj": (64, 64),
    "self_attn.k_proj": (32, 64),
    "self_attn.v_proj": (32, 64),
    "self_attn.o_proj": (64, 64),
    "mlp.gate_proj": (192, 64),
    "mlp.up_proj": (192, 64),
    "mlp.down_proj": (64, 192),
}
LOGICAL = 2 * (sum(o * i for o, i in SHAPES.values()) + 2 * 64) + 320 * 64 * 2 + 64


def llama(pack: Any) -> dict[str, Any]:
    """All tensors of a small decoder, with every matrix packed by `pack(path, out, in)`."""
    told = {
        "model.embed_tokens.weight": half(320, 64),
        "model.norm.weight": half(64),
        "lm_head.weight": half(320, 64),
    }
    for k in range(2):
        for name, (o, i) in SHAPES.items():
            told.update(pack(f"model.layers.{k}.{name}", o, i))
        told[f"model.layers.{k}.input_layernorm.weight"] = half(64)
        told[f"model.layers.{k}.post_attention_layernorm.weight"] = half(64)
    return told


def both(label: str, target: Path, params: int, **more: Any) -> Iterator[Subject]:
    path = "model.layers.1.mlp.down_proj"
    sizes = {path: {"in_features": 192, "out_features": 64}} if params == LOGICAL else {}
    yield Subject(f"{label} (file)", read_from(target), params=params, settings=sizes, **more)


@case("weights")
def gptq(folder: Path) -> Iterator[Subject]:
    """`qweight` packs rows of the input axis, 32 // bits a word; AutoGPTQ 0.7, GPTQModel."""
    import torch

    for bits, group in ((4, 32), (8, 64), (3, 32), (2, 16)):

        def pack(path: str, o: int, i: int, bits: int = bits, group: int = group) -> dict[str, Any]:
            return {
                f"{path}.qweight": words(i * bits // 32, o),
                f"{path}.qzeros": words(i // group, o * bits // 32),
                f"{path}.scales": half(i // group, o),
                f"{path}.g_idx": torch.arange(i, dtype=torch.int32) // group,
            }

        config = {
            **LLAMA,
            "quantization_config": {
                "quant_method": "gptq",
                "bits": bits,
                "group_size": group,
                "desc_act": False,
                "sym": True,
            },
        }
        target = folder_of(folder, f"gptq{bits}", llama(pack), config, shards=1 if bits != 8 else 3)
        yield from both(f"gptq {bits} bits", target, LOGICAL)


@case("weights")
def awq(folder: Path) -> Iterator[Subject]:
    """AWQ packs along the output axis."""

    def pack(path: str, o: int, i: int) -> dict[str, Any]:
        return {
            f"{path}.qweight": words(i, o // 8),
            f"{path}.qzeros": words(i // 32, o // 8),
            f"{path}.scales": half(i // 32, o),
        }

    config = {
        **LLAMA,
        "quantization_config": {
            "quant_method": "awq",
            "bits": 4,
            "group_size": 32,
            "version": "gemm",
            "zero_point": True,
        },
    }
    yield from both("awq", folder_of(folder, "awq", llama(pack), config), LOGICAL)


@case("weights")
def bitsandbytes_files(folder: Path) -> Iterator[Subject]:
    """nf4 and fp4 keep a flat column of bytes and a quantization state; int8 keeps `SCB`."""
    import torch

    for kind in ("nf4", "fp4"):

        def pack(path: str, o: int, i: int, kind: str = kind) -> dict[str, Any]:
            state = json.dumps(
                {
                    "quant_type": kind,
                    "blocksize": 64,
                    "dtype": "float16",
                    "shape": [o, i],
                    "nested_blocksize": 256,
                    "nested_dtype": "float32",
                    "nested_offset": 0.05,
                }
            ).encode()
            return {
                f"{path}.weight": bytes_of(o * i // 2, 1),
                f"{path}.weight.absmax": bytes_of(o * i // 64),
                f"{path}.weight.nested_absmax": torch.zeros(-(-o * i // 64 // 256)),
                f"{path}.weight.nested_quant_map": torch.zeros(256),
                f"{path}.weight.quant_map": torch.zeros(16),
                f"{path}.weight.quant_state.bitsandbytes__{kind}": torch.from_numpy(
                    np.frombuffer(state, "uint8").copy()
                ),
            }

        config = {
            **LLAMA,
            "quantization_config": {
                "quant_method": "bitsandbytes",
                "load_in_4bit": True,
                "bnb_4bit_quant_type": kind,
                "bnb_4bit_use_double_quant": True,
            },
        }
        yield from both(kind, folder_of(folder, kind, llama(pack), config), LOGICAL)

    def pack8(path: str, o: int, i: int) -> dict[str, Any]:
        return {
            f"{path}.weight": bytes_of(o, i).to(torch.int8),
            f"{path}.SCB": torch.zeros(o),
            f"{path}.weight_format": torch.tensor(0, dtype=torch.uint8),
        }

    config = {**LLAMA, "quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}}
    yield from both("int8", folder_of(folder, "int8", llama(pack8), config), LOGICAL)


@case("weights")
def hqq(folder: Path) -> Iterator[Subject]:
    """HQQ: `W_q` of bytes, two 4-bit numbers each, with scale, zero and metadata as tensors."""
    import torch

    def pack(path: str, o: int, i: int) -> dict[str, Any]:
        n = o * i // 64
        return {
            f"{path}.W_q": bytes_of(n // 2, 64),
            f"{path}.scale": half(n, 1),
            f"{path}.zero": half(n, 1),
            f"{path}.shape": torch.tensor([o, i]),
            f"{path}.nbits": torch.tensor(4),
            f"{path}.group_size": torch.tensor(64),
            f"{path}.axis": torch.tensor(1),
            f"{path}.packing": torch.tensor(list(b"4bit_u8"), dtype=torch.uint8),
        }

    config = {
        **LLAMA,
        "quantization_config": {
            "quant_method": "hqq",
            "quant_config": {"weight_quant_params": {"nbits": 4, "group_size": 64, "axis": 1}},
        },
    }
    yield from both("hqq", folder_of(folder, "hqq", llama(pack), config), LOGICAL)


@case("weights")
def mlx(folder: Path) -> Iterator[Subject]:
    """mlx_lm: words of `32 // bits` numbers along the input, scales and biases a group."""
    for bits, group in ((4, 64), (8, 32), (6, 64), (3, 32)):

        def pack(path: str, o: int, i: int, bits: int = bits, group: int = group) -> dict[str, Any]:
            return {
                f"{path}.weight": words(o, i * bits // 32).view(__import__("torch").uint32),
                f"{path}.scales": half(o, i // group),
                f"{path}.biases": half(o, i // group),
            }

        told = llama(pack)
        told.update(pack("model.embed_tokens", 320, 64))
        told.update(pack("lm_head", 320, 64))
        config = {**LLAMA, "quantization": {"group_size": group, "bits": bits}}
        yield from both(f"mlx {bits} bits", folder_of(folder, f"mlx{bits}", told, config), LOGICAL)
    mixed = llama(
        lambda path, o, i: {
            f"{path}.weight": words(o, i * (6 if "down" in path else 4) // 32).view(
                __import__("torch").uint32
            ),
            f"{path}.scales": half(o, i // 64),
            f"{path}.biases": half(o, i // 64),
        }
    )
    rule = {f"model.layers.{k}.mlp.down_proj": {"group_size": 64, "bits": 6} for k in range(2)}
    config = {**LLAMA, "quantization": {"group_size": 64, "bits": 4, **rule}}
    yield from both("mlx mixed", folder_of(folder, "mlx_mixed", mixed, config), LOGICAL)


@case("weights")
def compressed_tensors(folder: Path) -> Iterator[Subject]:
    """llm-compressor: pack-quantized, int8, float8 by channel and tensor, nvfp4."""
    import torch

    def scheme(form: str, bits: int, kind: str, strategy: str, group: int | None) -> dict[str, Any]:
        weights = {
            "num_bits": bits,
            "type": kind,
            "strategy": strategy,
            "group_size": group,
            "symmetric": True,
        }
        return {
            **LLAMA,
            "quantization_config": {
                "quant_method": "compressed-tensors",
                "format": form,
                "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}},
                "ignore": ["lm_head"],
            },
        }

    def packed(path: str, o: int, i: int) -> dict[str, Any]:
        return {
            f"{path}.weight_packed": words(o, i // 8),
            f"{path}.weight_scale": half(o, i // 32),
            f"{path}.weight_shape": torch.tensor([o, i]),
        }

    yield from both(
        "pack-quantized",
        folder_of(folder, "ct_pack", llama(packed), scheme("pack-quantized", 4, "int", "group", 32)),
        LOGICAL,
    )

    def asymmetric(path: str, o: int, i: int) -> dict[str, Any]:
        return {
            **packed(path, o, i),
            f"{path}.weight_zero_point": words(o // 8, i // 32),
            f"{path}.weight_g_idx": torch.arange(i, dtype=torch.int32),
        }

    yield from both(
        "pack-quantized, zero points",
        folder_of(folder, "ct_asym", llama(asymmetric), scheme("pack-quantized", 4, "int", "group", 32)),
        LOGICAL,
    )
    yield from both(
        "int-quantized",
        folder_of(
            folder,
            "ct_int8",
            llama(
                lambda p, o, i: {
                    f"{p}.weight": bytes_of(o, i).to(torch.int8),
                    f"{p}.weight_scale": half(o, 1),
                }
            ),
            scheme("int-quantized", 8, "int", "channel", None),
        ),
        LOGICAL,
    )
    yield from both(
        "float-quantized",
        folder_of(
            folder,
            "ct_fp8",
            llama(
                lambda p, o, i: {
                    f"{p}.weight": half(o, i).to(torch.float8_e4m3fn),
                    f"{p}.weight_scale": torch.ones(1),
                    f"{p}.input_scale": torch.ones(1),
                }
            ),
            scheme("float-quantized", 8, "float", "tensor", None),
        ),
        LOGICAL,
    )
    yield from both(
        "nvfp4",
        folder_of(
            folder,
            "ct_nvfp4",
            llama(
                lambda p, o, i: {
                    f"{p}.weight_packed": bytes_of(o, i // 2),
                    f"{p}.weight_scale": half(o, i // 16).to(torch.float8_e4m3fn),
                    f"{p}.weight_global_scale": torch.ones(1),
                    f"{p}.input_global_scale": torch.ones(1),
                }
            ),
            scheme("nvfp4-pack-quantized", 4, "float", "tensor_group", 16),
        ),
        LOGICAL,
    )


@case("weights")
def float8_blocks(folder: Path) -> Iterator[Subject]:
    """DeepSeek-V3, Qwen3-FP8: blocks of 128 × 128 with `weight_scale_inv`."""
    import torch

    def pack(path: str, o: int, i: int) -> dict[str, Any]:
        return {
            f"{path}.weight": half(o, i).to(torch.float8_e4m3fn),
            f"{path}.weight_scale_inv": torch.ones(-(-o // 128), -(-i // 128)),
        }

    config = {
        **LLAMA,
        "quantization_config": {
            "quant_method": "fp8",
            "fmt": "e4m3",
            "weight_block_size": [128, 128],
            "activation_scheme": "dynamic",
        },
    }
    yield from both("fp8 blocks", folder_of(folder, "fp8", llama(pack), config, shards=2), LOGICAL)


@case("weights")
def mxfp4(folder: Path) -> Iterator[Subject]:
    """gpt-oss: experts as blocks of 32 numbers in 16 bytes, one shared exponent each."""
    told: dict[str, Any] = {"model.embed_tokens.weight": half(100, 64)}
    count = 6400
    for k in range(2):
        base = f"model.layers.{k}.mlp"
        told |= {
            f"{base}.experts.gate_up_proj_blocks": bytes_of(4, 96, 2, 16),
            f"{base}.experts.gate_up_proj_scales": bytes_of(4, 96, 2),
            f"{base}.experts.gate_up_proj_bias": half(4, 96),
            f"{base}.experts.down_proj_blocks": bytes_of(4, 64, 3, 16),
            f"{base}.experts.down_proj_scales": bytes_of(4, 64, 3),
            f"{base}.experts.down_proj_bias": half(4, 64),
            f"{base}.router.weight": half(4, 64),
            f"{base}.router.bias": half(4),
        }
        count += 4 * 96 * 64 + 4 * 96 + 4 * 64 * 96 + 4 * 64 + 4 * 64 + 4
    config = {
        "architectures": ["GptOssForCausalLM"],
        "model_type": "gpt_oss",
        "quantization_config": {"quant_method": "mxfp4"},
    }
    yield from both("mxfp4", folder_of(folder, "mxfp4", told, config), count)


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
    writer = gguf.GGUFWriter(path, "llama")
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
