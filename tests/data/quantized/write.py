"""Writes the folders beside it with the quantizers themselves; run again only to add one.

Each has what the quantizer wrote and ``expected.safetensors``, its own dequantized matrices by the layer's name.
Needs torch, torchao, bitsandbytes, compressed-tensors, hqq, mlx[cpu], transformers and safetensors: versions 2.13,
0.18, 0.50, 0.20, 0.2.8, 0.32, 5.24 and 0.8 wrote what is here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

HERE = Path(__file__).parent
SHAPES = {"up": (16, 64), "down": (24, 128)}


def plain() -> dict[str, torch.Tensor]:
    made = torch.Generator().manual_seed(11)
    return {name: torch.randn(shape, generator=made) * 0.1 for name, shape in SHAPES.items()}


def save(
    name: str,
    tensors: Mapping[str, torch.Tensor],
    expected: Mapping[str, torch.Tensor],
    config: Mapping[str, Any] | None = None,
    metadata: dict[str, str] | None = None,
) -> None:
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    save_file({key: value.contiguous().clone() for key, value in tensors.items()}, folder / "model.safetensors", metadata)
    whole = {key: value.detach().float().contiguous().clone() for key, value in expected.items()}
    save_file(whole, folder / "expected.safetensors")
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))


def bitsandbytes(kind: str, nested: bool) -> None:
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    tensors, expected = {}, {}
    for name, weight in plain().items():
        packed, state = quantize_4bit(weight, quant_type=kind, compress_statistics=nested, blocksize=64)
        expected[name] = dequantize_4bit(packed, state)
        tensors[f"{name}.weight"] = packed
        tensors |= {f"{name}.weight.{key}": value for key, value in state.as_dict(packed=True).items()}
    save(f"bnb_{kind}{'_nested' if nested else ''}", tensors, expected)


def bitsandbytes_int8() -> None:
    from bitsandbytes.functional import int8_vectorwise_quant

    tensors, expected = {}, {}
    for name, weight in plain().items():
        codes, largest, _ = int8_vectorwise_quant(weight.half())
        tensors |= {f"{name}.weight": codes, f"{name}.SCB": largest}
        tensors[f"{name}.weight_format"] = torch.tensor(0, dtype=torch.uint8)
        expected[name] = codes.float() * largest[:, None] / 127
    save("bnb_int8", tensors, expected)


def hqq(bits: int, axis: int) -> None:
    from hqq.core.quantize import BaseQuantizeConfig, HQQLinear

    tensors, expected = {}, {}
    for name, weight in plain().items():
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        linear.weight.data = weight
        how = BaseQuantizeConfig(nbits=bits, group_size=32, axis=axis)
        made = HQQLinear(linear, how, compute_dtype=torch.float32, device="cpu")
        tensors |= {f"{name}.{key}": value for key, value in made.state_dict().items()}
        expected[name] = made.dequantize()
    save(f"hqq_{bits}_axis{axis}", tensors, expected)


def mlx(bits: int, mode: str = "affine", group: int = 32) -> None:
    import mlx.core as mx

    tensors, expected = {}, {}
    for name, weight in plain().items():
        parts = mx.quantize(mx.array(weight.numpy()), group_size=group, bits=bits, mode=mode)
        roles = zip(("weight", "scales", "biases"), parts, strict=False)
        tensors |= {f"{name}.{role}": torch.from_numpy(np.array(part)) for role, part in roles}
        whole = mx.dequantize(*parts, group_size=group, bits=bits, mode=mode).astype(mx.float32)
        expected[name] = torch.from_numpy(np.array(whole))
    how = {"bits": bits, "group_size": group, "mode": mode}
    save(f"mlx_{bits}_{mode}", tensors, expected, {"quantization": how}, {"format": "mlx"})


def compressed_tensors(name: str, form: str, **how: Any) -> None:
    from compressed_tensors.compressors import BaseCompressor
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
    from compressed_tensors.quantization.utils import calculate_qparams

    tensors, expected = {}, {}
    args = QuantizationArgs(**how)
    scheme = QuantizationScheme(targets=["Linear"], weights=args, format=form)
    compressor = BaseCompressor.get_value_from_registry(form)
    for layer, weight in plain().items():
        state = {"weight": weight}
        rows, columns = weight.shape
        size = args.group_size or columns
        parts = weight.reshape(rows, columns // size, size)
        if how["strategy"] == "tensor_group":
            state["weight_global_scale"] = (448 * 6 / weight.abs().max()).reshape(1)
        scale, zero = calculate_qparams(
            parts.amin(-1), parts.amax(-1), args, global_scale=state.get("weight_global_scale")
        )
        packed = compressor.compress({**state, "weight_scale": scale, "weight_zero_point": zero}, scheme)
        if args.symmetric:
            packed.pop("weight_zero_point", None)
        tensors |= {f"{layer}.{key}": value for key, value in packed.items()}
        expected[layer] = compressor.decompress(dict(packed), scheme)["weight"]
    group = {"targets": ["Linear"], "weights": json.loads(args.model_dump_json())}
    declared = {"quant_method": "compressed-tensors", "format": form, "config_groups": {"group_0": group}}
    save(f"ct_{name}", tensors, expected, {"quantization_config": declared})


def mxfp4() -> None:
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors

    made = torch.Generator().manual_seed(5)
    blocks = torch.randint(0, 256, (3, 10, 2, 16), generator=made, dtype=torch.uint8)
    scales = torch.randint(118, 124, (3, 10, 2), generator=made, dtype=torch.uint8)
    whole = convert_moe_packed_tensors(blocks, scales, dtype=torch.float32).transpose(1, 2)
    tensors = {"experts.up_blocks": blocks, "experts.up_scales": scales, "experts.up_bias": torch.ones(3, 10)}
    save("mxfp4", tensors, {"experts.up": whole}, {"quantization_config": {"quant_method": "mxfp4"}})


def torchao(name: str, how: Any) -> None:
    from torchao.prototype.safetensors.safetensors_support import flatten_tensor_state_dict
    from torchao.quantization import quantize_

    network = torch.nn.ModuleDict({
        layer: torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False) for layer, weight in plain().items()
    })
    network.load_state_dict({f"{layer}.weight": weight for layer, weight in plain().items()})
    quantize_(network, how)
    state = network.state_dict()
    expected = {key.removesuffix(".weight"): value.dequantize() for key, value in state.items()}
    tensors, metadata = flatten_tensor_state_dict({key: value.data for key, value in state.items()})
    save(f"torchao_{name}", tensors, expected, None, metadata)
    torch.save(state, HERE / f"torchao_{name}" / "model.pt")


def main() -> None:
    from torchao.quantization import Float8WeightOnlyConfig, Int8WeightOnlyConfig, IntxWeightOnlyConfig, PerGroup

    save_file({f"{name}.weight": weight for name, weight in plain().items()}, HERE / "plain.safetensors")
    bitsandbytes("nf4", nested=True)
    bitsandbytes("fp4", nested=False)
    bitsandbytes_int8()
    for bits, axis in ((4, 1), (3, 1), (2, 1), (4, 0)):
        hqq(bits, axis)
    for bits in (4, 3, 8):
        mlx(bits)
    mlx(4, "mxfp4")
    mlx(4, "nvfp4", 16)
    mlx(8, "mxfp8")
    group = {"type": "int", "strategy": "group", "group_size": 32}
    compressed_tensors("int4", "pack-quantized", num_bits=4, symmetric=True, **group)
    compressed_tensors("int4_zeros", "pack-quantized", num_bits=4, symmetric=False, **group)
    compressed_tensors("int3", "pack-quantized", num_bits=3, symmetric=True, type="int", strategy="channel")
    compressed_tensors("int8", "int-quantized", num_bits=8, symmetric=True, type="int", strategy="channel")
    compressed_tensors("float8", "float-quantized", num_bits=8, symmetric=True, type="float", strategy="channel")
    four = {"num_bits": 4, "symmetric": True, "type": "float"}
    compressed_tensors(
        "nvfp4", "nvfp4-pack-quantized", strategy="tensor_group", group_size=16,
        scale_dtype="torch.float8_e4m3fn", **four,
    )  # fmt: skip
    compressed_tensors(
        "mxfp4", "mxfp4-pack-quantized", strategy="group", group_size=32, scale_dtype="torch.uint8", **four
    )
    mxfp4()
    torchao("int8", Int8WeightOnlyConfig())
    torchao("float8", Float8WeightOnlyConfig())
    torchao("int4", IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=PerGroup(32)))


if __name__ == "__main__":
    main()
