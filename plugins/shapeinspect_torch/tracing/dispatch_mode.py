"""The mode in which a forward is traced: no values, the expected device, every call intercepted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from shapeinspect_torch.tracing.autocast import autocast_arguments
from shapeinspect_torch.tracing.fast_shapes import quick
from shapeinspect_torch.tracing.meta_checks import refuse
from shapeinspect_torch.tracing.meta_copy import TINY
from shapeinspect_torch.tracing.recurrent import RECURRENT, one_step


class NeedsNumbersError(RuntimeError):
    """The forward reads the values of a tensor that has none.

    Args:
        operation: the operation that reads them, such as ``Tensor.item``.
    """

    def __init__(self, operation: str) -> None:
        self.operation = operation
        super().__init__(f"{operation} needs the numbers of a tensor")


#: Called for each call in the user's code, with the function, its arguments, and a way to run it.
Listener = Callable[[Any, tuple[Any, ...], dict[str, Any], Callable[[], Any]], Any]

_NUMBERS = frozenset((
    "item", "tolist", "numpy", "__bool__", "__int__", "__float__", "__index__", "__complex__",
    "__array__", "__contains__", "nonzero", "argwhere", "masked_select", "unique", "unique_consecutive",
    "bincount", "equal", "allclose", "is_nonzero", "histc",
))  # fmt: skip
#: The attributes of a tensor that are true on one kind of device.
DEVICE_FLAGS = {"is_cuda": "cuda", "is_cpu": "cpu", "is_mps": "mps", "is_xpu": "xpu", "is_meta": "meta"}
_MOVES = frozenset(("cpu", "cuda", "xpu", "pin_memory"))
_RANDOM = frozenset(
    ["rand", "randn", "randint", "randperm", "normal", "empty", "empty_strided", "empty_permuted"]
)
_FACTORIES = frozenset((
    "tensor", "as_tensor", "asarray", "scalar_tensor", "arange", "range", "linspace", "logspace", "zeros",
    "ones", "full", "eye", "rand", "randn", "randint", "randperm", "normal", "empty", "empty_strided",
    "empty_permuted", "tril_indices", "triu_indices", "complex", "bartlett_window", "blackman_window",
    "hamming_window", "hann_window", "kaiser_window", "fftfreq", "rfftfreq", "from_numpy", "vander",
))  # fmt: skip
# These read lengths, which are real, together with activations, which are not.
_UNMIXED = frozenset(("_pack_padded_sequence", "_pad_packed_sequence", *RECURRENT))


def function_name(func: Any) -> str:
    """Return the plain name of a function, a method, or the attribute that a getter reads.

    Args:
        func: what torch hands to ``__torch_function__``.
    """
    name = str(getattr(func, "__name__", "") or type(func).__name__)
    if name in ("__get__", "__set__"):
        return str(getattr(getattr(func, "__self__", None), "__name__", name))
    return name


def without_numbers_mode(device: Any, listener: Listener, largest: int = TINY) -> AbstractContextManager[Any]:
    """Return the mode under which a copy from ``meta_copy`` is to run.

    Factory functions make meta tensors, tensors pretend to be on the model's device, tiny
    constants keep their numbers, and what needs numbers raises ``NeedsNumbersError``.

    Args:
        device: the device that tensors pretend to be on.
        listener: is called with every call.
        largest: how many elements a constant may have to keep its numbers.
    """
    from torch.overrides import TorchFunctionMode

    class WithoutNumbers(TorchFunctionMode):  # type: ignore[misc]  # torch is read as Any
        def __torch_function__(
            self, func: Any, _types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
        ) -> Any:
            name, kwargs = function_name(func), dict(kwargs or {})
            answer = _device_answer(func, name, args, device)
            if answer is not _NO_ANSWER:
                return answer
            if name == "to":
                args, kwargs = _without_device(args, kwargs)
                if len(args) == 1 and not kwargs:
                    return args[0]
            kwargs.pop("generator", None)
            kwargs.pop("device", None)

            def run() -> Any:
                return _run(func, name, *autocast_arguments(name, args, kwargs, device.type), largest)

            return listener(func, args, kwargs, run)

    return WithoutNumbers()


_NO_ANSWER = object()


def _device_answer(func: Any, name: str, args: tuple[Any, ...], device: Any) -> Any:
    """Answer calls about the device or a text; ``_NO_ANSWER`` for every other call."""
    if _is_getter(func):
        if name == "device":
            return device
        if name in DEVICE_FLAGS:
            return device.type == DEVICE_FLAGS[name]
    if name in _MOVES:
        return args[0]
    if name == "__format__" and args[0].is_meta:
        return "<tensor>"
    if name == "get_device":
        return device.index if device.index is not None else -1
    return _NO_ANSWER


def _run(func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], largest: int) -> Any:
    """Run one call: on meta tensors, except for constants that are few enough to keep their numbers."""
    tensors = _all_tensors((args, kwargs))
    real = [tensor for tensor in tensors if not tensor.is_meta]
    if len(real) < len(tensors):
        if largest > TINY and real and _writes(name) and args and args[0] is real[0]:
            raise NeedsNumbersError(f"Tensor.{name}")  # its numbers would be those from before the write
        return _run_on_meta(func, name, args, kwargs, tensors, bool(real))
    if name in _FACTORIES and (name in _RANDOM or not real):
        return _make(func, name, args, kwargs, largest)
    if all(tensor.numel() <= largest for tensor in real):
        return _run_tiny(func, args, kwargs, largest)
    return _call_on_meta(func, args, kwargs)


def _run_on_meta(
    func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], tensors: list[Any], mixed: bool
) -> Any:
    """Run a call with a meta tensor among its arguments; ``mixed`` where others have numbers."""
    if _asks_for_numbers(name, args, kwargs):
        raise NeedsNumbersError(_SPELLED.get(name, f"Tensor.{name}"))
    if name == "__setitem__" and _is_mask(args[1]):
        return None  # a mask changes numbers, not shapes
    if name in RECURRENT:
        return one_step(func, args, kwargs)
    if (answer := refuse(name, args, kwargs)) is not None:
        return answer
    if not mixed and (answer := quick(name, args, kwargs, tensors)) is not None:
        return answer
    if mixed and name not in _UNMIXED:
        return _call_on_meta(func, args, kwargs)
    return func(*args, **kwargs)


def _writes(name: str) -> bool:
    return name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))


def _make(func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], largest: int) -> Any:
    """Call a factory function: a meta tensor, or a constant with numbers where they are few."""
    if name == "from_numpy":
        return func(*args, **kwargs)
    output = func(*args, **{**kwargs, "device": "meta"})
    if name in _RANDOM or output.numel() > largest:
        return output
    return func(*args, **{**kwargs, "device": "cpu"})


def _run_tiny(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], largest: int) -> Any:
    """Compute a call on a few numbers, unless its result has many (repeat, expand and add)."""
    if _is_getter(func) or not _all_tensors((args, kwargs)):
        return func(*args, **kwargs)
    try:
        trial = func(*map(_scalar_to_meta, args), **{key: _scalar_to_meta(v) for key, v in kwargs.items()})
    except Exception:  # noqa: BLE001  # no shape function, or a genuine error: the real call tells which
        return func(*args, **kwargs)
    if any(tensor.numel() > largest for tensor in _all_tensors((trial,))):
        return trial
    return func(*args, **kwargs)


def _is_getter(func: Any) -> bool:
    return getattr(func, "__name__", "") in ("__get__", "__set__")


def _all_tensors(args: Any) -> list[Any]:
    """Return the tensors in arguments, at any depth of lists and mappings."""
    import torch

    tensors: list[Any] = []
    for arg in args:
        if isinstance(arg, torch.Tensor):
            tensors.append(arg)
        elif isinstance(arg, (list, tuple)):
            tensors.extend(_all_tensors(arg))
        elif isinstance(arg, Mapping):
            tensors.extend(_all_tensors(arg.values()))
    return tensors


def _call_on_meta(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return func(*map(_on_meta, args), **{key: _on_meta(value) for key, value in kwargs.items()})


def _on_meta(arg: Any) -> Any:
    """Return an argument with its tensors on meta; scalars keep their number."""
    import torch

    if isinstance(arg, torch.Tensor):
        return arg if arg.is_meta or arg.dim() == 0 else _to_meta(arg)
    if isinstance(arg, (list, tuple)) and not isinstance(arg, torch.Size) and _all_tensors(arg):
        parts = [_on_meta(part) for part in arg]
        return type(arg)(*parts) if hasattr(arg, "_fields") else type(arg)(parts)
    return arg


def _scalar_to_meta(arg: Any) -> Any:
    """Return an argument on meta, a scalar as well."""
    import torch

    return _to_meta(arg) if isinstance(arg, torch.Tensor) else _on_meta(arg)


_SPELLED = {
    "__bool__": "a condition on a tensor", "__int__": "int(tensor)", "__float__": "float(tensor)",
    "__index__": "a tensor used as an index or a size", "__complex__": "complex(tensor)",
    "__array__": "a conversion to numpy", "__contains__": "`in` on a tensor",
    "__getitem__": "indexing with a mask", "_pack_padded_sequence": "pack_padded_sequence",
}  # fmt: skip


def _to_meta(tensor: Any) -> Any:
    import torch

    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")


def _is_mask(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return any(str(getattr(part, "dtype", "")) in ("torch.bool", "torch.uint8") for part in parts)


def _asks_for_numbers(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    if name == "__getitem__":
        return _is_mask(args[1])
    if name == "_pack_padded_sequence":
        return bool(args[1].is_meta)
    if name == "where":
        return len(args) + len(kwargs) == 1
    if name == "repeat_interleave":
        repeats = args[1] if len(args) > 1 else kwargs.get("repeats", args[0])
        return hasattr(repeats, "dtype") and kwargs.get("output_size") is None
    if name == "one_hot":
        return bool((args[1] if len(args) > 1 else kwargs.get("num_classes", -1)) == -1)
    return name in _NUMBERS and bool(args) and bool(getattr(args[0], "is_meta", False))


def _without_device(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    import torch

    kept = [args[0]]
    for arg in args[1:]:
        if isinstance(arg, torch.Tensor):
            kept.append(arg.dtype)
        elif isinstance(arg, torch.dtype):
            kept.append(arg)
    named = {key: value for key, value in kwargs.items() if key in ("dtype", "memory_format")}
    if isinstance(kwargs.get("other"), torch.Tensor):
        named["dtype"] = kwargs["other"].dtype
    return tuple(kept), named
