"""Weight files as quantizers leave them, packed by their published formats."""

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
    both,
    bytes_of,
    folder_of,
    half,
    llama,
    words,
)


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
