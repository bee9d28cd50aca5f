"""Writes the folders beside it with the quantizers themselves; run again only to add one.

Each has what the quantizer wrote and ``expected.safetensors``, its own dequantized matrices by the layer's name.
Needs torch, torchao, bitsandbytes, compressed-tensors, hqq, mlx[cpu], optimum-quanto, transformers and safetensors:
versions 2.13, 0.18, 0.50, 0.20, 0.2.8, 0.32, 0.2.7, 5.24 and 0.8 wrote what is here, and in ``quantized_pickles``.
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


def pickled(name: str, content: object, expected: Mapping[str, torch.Tensor] | None = None) -> None:
    """Save what a quantizer made with torch.save, or what it stands for, beside this folder."""
    folder = HERE.with_name("quantized_pickles")
    folder.mkdir(exist_ok=True)
    if expected is None:
        torch.save(content, folder / f"{name}.pt")
        return
    whole = {key: value.detach().float().contiguous() for key, value in expected.items()}
    save_file(whole, folder / f"{name}.safetensors")


def hqq_pickles(bits: int) -> None:
    from hqq.core.quantize import BaseQuantizeConfig, HQQLinear

    network, states = torch.nn.ModuleDict(), {}
    for name, weight in plain().items():
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
        linear.weight.data = weight
        how = BaseQuantizeConfig(nbits=bits, group_size=32, axis=1)
        network[name] = HQQLinear(linear, how, compute_dtype=torch.float32, device="cpu")
        network[name].encoded_state_dict = False
        states[name] = network[name].state_dict()
    expected = {name: layer.dequantize() for name, layer in network.items()}
    pickled(f"hqq_{bits}", None, expected)
    pickled(f"hqq_{bits}_states", states)
    settings = ("nbits", "group_size", "shape", "axis", "packing", "scale", "zero")
    older = {
        name: {
            "W_q": state["W_q"].data,
            "bias": state["bias"],
            "meta": {key: value for key, value in state.items() if key in settings},
        }
        for name, state in states.items()
    }
    pickled(f"hqq_{bits}_meta", older)
    pickled(f"hqq_{bits}_module", network)


def quanto(bits: int) -> None:
    from optimum.quanto import freeze, qint2, qint4, quantize
    from optimum.quanto.tensor.packed import PackedTensor

    # Its own function in Python, so that no kernel is compiled.
    key, unpack = torch._C.DispatchKey.CompositeExplicitAutograd, torch.ops.quanto.unpack.default
    PackedTensor.unpack = lambda self: unpack._op_dk(key, self._data, self._bits)[: self.shape[0]]
    network = torch.nn.ModuleDict({"up": torch.nn.Linear(256, 16), "down": torch.nn.Linear(128, 24)})
    network["seen"] = torch.nn.Conv2d(6, 10, 3)
    quantize(network, weights={4: qint4, 2: qint2}[bits])
    freeze(network)
    expected = {name: layer.weight.dequantize() for name, layer in network.items()}
    pickled(f"quanto_{bits}_state", network.state_dict())
    pickled(f"quanto_{bits}_module", network)
    pickled(f"quanto_{bits}", None, expected)


def tiles() -> None:
    """Only a GPU packs these; the shape of what it packs is that which torch says without one."""
    from torchao.prototype.safetensors.safetensors_support import flatten_tensor_state_dict
    from torchao.quantization.quantize_.workflows.int4 import int4_tile_packed_to_4d_tensor as four

    rows, columns = 24, 1024  # 20 and 1000, as the quantizer pads them
    nibbles = torch.empty(rows, columns // 2, dtype=torch.uint8, device="meta")
    shape = torch.ops.aten._convert_weight_to_int4pack(nibbles, 8).shape
    made = torch.Generator().manual_seed(3)
    packed = torch.randint(-(2**31), 2**31 - 1, shape, generator=made, dtype=torch.int32)
    scales = torch.randn(columns // 32, rows, 2, generator=made).bfloat16()
    weight = four.Int4TilePackedTo4dTensor(packed, scales, [1, 32], torch.Size((20, 1000)))
    state = {"up.weight": weight, "up.bias": torch.zeros(20)}
    pickled("tiles", state)
    tensors, metadata = flatten_tensor_state_dict(state)
    save_file(tensors, HERE.with_name("quantized_pickles") / "tiles_flat.safetensors", metadata)


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
    for bits in (4, 3):
        hqq_pickles(bits)
    for bits in (4, 2):
        quanto(bits)
    tiles()
    torchao("int8", Int8WeightOnlyConfig())
    torchao("float8", Float8WeightOnlyConfig())
    torchao("int4", IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=PerGroup(32)))


if __name__ == "__main__":
    main()
