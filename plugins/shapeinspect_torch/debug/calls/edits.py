"""Applies the fixes of a diagnosis to a copy of a model, or to a tensor of it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

from shapeinspect.plugin_api.changes import Step, reshaped
from shapeinspect_torch.tracing.real_run import room_for

#: A layer of up to so many bytes of weights gets random ones.
_INITIALIZED = 4 << 20


def stepped(tensor: Any, steps: tuple[Step, ...]) -> Any:
    """Apply steps to a tensor, without recording them as calls of the model.

    Args:
        tensor: a tensor of the copy.
        steps: see ``shapeinspect.plugin_api.changes.reshaped``; ``contiguous`` besides.

    Raises:
        ValueError: if a step does not fit the tensor.
    """
    import torch

    with torch._C.DisableTorchFunction():
        for step in steps:
            tensor = _step(tensor, step)
    return tensor


def _step(tensor: Any, step: Step) -> Any:
    import torch

    name, argument = step
    if name == "contiguous":
        return tensor.contiguous()
    if name == "clamp":
        return tensor.clamp(max=argument)
    if name == "shift":
        return tensor.clone() if tensor.is_meta else tensor + argument
    if name == "dtype":
        return tensor.to(getattr(torch, argument))
    shape = reshaped(step, tuple(tensor.shape))
    if name == "argmax":
        return tensor.new_empty(shape, dtype=torch.int64) if tensor.is_meta else tensor.argmax(argument)
    if name == "permute":
        return tensor.permute(argument)
    if name == "crop":
        return tensor[tuple(slice(length) for length in shape)]
    return tensor.new_empty(shape) if tensor.is_meta else _filled(tensor, name, shape)


def _filled(tensor: Any, name: str, shape: tuple[int, ...]) -> Any:
    """Return a real tensor of another shape: its numbers in order, again and again where they are few."""
    import torch

    if name == "one_hot" or not tensor.numel():
        return tensor.new_zeros(shape, dtype=torch.float32 if name == "one_hot" else None)
    if name == "last":
        axis = next(
            axis for axis in range(tensor.dim()) if (*tensor.shape[:axis], *tensor.shape[axis + 1 :]) == shape
        )
        return tensor.select(axis, -1)
    if name == "expand":
        return tensor.expand(shape)
    count = math.prod(shape)
    if count == tensor.numel():
        return tensor.reshape(shape)
    return tensor.reshape(-1)[torch.arange(count, device=tensor.device) % tensor.numel()].reshape(shape)


def _reorder(module: Any, batch_first: bool) -> None:
    """Set a plain attribute of a layer and of each of its parts."""
    for part in module.modules():
        if hasattr(part, "batch_first"):
            part.__dict__["batch_first"] = batch_first


def rebuild_layer(module: Any, native: str, attributes: Mapping[str, Any]) -> None:
    """Change settings of a module of the copy, and replace its weights accordingly.

    Args:
        module: a leaf of the copy.
        native: the name of torch's own class that it is or derives from.
        attributes: the settings, as the vocabulary names them.

    Raises:
        ValueError: if torch's class does not take them.
    """
    import torch

    native = native.rpartition(".")[2]
    if set(attributes) == {"batch_first"}:
        _reorder(module, attributes["batch_first"])
        return
    kind = getattr(torch.nn, native, None)
    if kind is None:
        raise ValueError(f"torch.nn has no {native}")
    parameters = [name for name in inspect.signature(kind.__init__).parameters if name != "self"]
    if native in ("LSTM", "GRU", "RNN"):
        parameters = ["input_size", "hidden_size", "num_layers", "bias", "batch_first", "bidirectional"]
    named = {name: getattr(module, name) for name in parameters if hasattr(module, name)}
    if "bias" in named and not isinstance(named["bias"], bool):
        named["bias"] = named["bias"] is not None
    if native == "MultiheadAttention":
        named["bias"] = module.in_proj_bias is not None
        asked = {**named, **attributes}
        same = module.kdim == module.embed_dim
        if same and "kdim" not in attributes:
            asked.update(kdim=asked["embed_dim"], vdim=asked["embed_dim"])
        named = asked
    named.update(attributes)
    named = {name: value for name, value in named.items() if name in parameters}
    if missing := [name for name in attributes if name not in parameters]:
        raise ValueError(f"{native} has no {missing[0]}")
    new = _built(kind, named, module, "device" in parameters)
    new.train(module.training)
    for name in ("_parameters", "_buffers", "_modules"):
        module.__dict__[name] = new.__dict__[name]
    for name, value in new.__dict__.items():
        if not name.startswith("_") or name in ("_flat_weights", "_flat_weights_names", "_all_weights"):
            module.__dict__[name] = value
    if hasattr(new, "_qkv_same_embed_dim"):
        module.__dict__["_qkv_same_embed_dim"] = new._qkv_same_embed_dim
    if hasattr(new, "_reversed_padding_repeated_twice"):
        module.__dict__["_reversed_padding_repeated_twice"] = new._reversed_padding_repeated_twice


def _built(kind: Any, named: dict[str, Any], module: Any, placed: bool) -> Any:
    """Build a layer on the device and in the dtype of another; the random state stays what it was.

    A layer of many weights is not initialized, which may take longer than the call: they are zeros.
    """
    import torch

    old = next(module.parameters(), None)
    device = torch.device("meta") if old is None else old.device
    with torch.random.fork_rng(devices=[]):
        new = kind(**named, **({"device": "meta"} if placed else {}))
        size = sum(weight.numel() * weight.element_size() for weight in new.parameters())
        if placed and size <= _INITIALIZED:
            new = kind(**named, device=device)
    if device.type != "meta" and size > _INITIALIZED:
        room_for(size, device)
        new.to_empty(device=device)
        for weight in (*new.parameters(), *new.buffers()):
            weight.data = torch.zeros_like(weight)
    return new.to(old.dtype) if old is not None and old.is_floating_point() else new
