"""Where the lengths of a tensor's axes come from, after one function of torch."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import prod
from typing import Any, TypeAlias

from shapeinspect.plugin_api.origins.literals import numbers_in
from shapeinspect.plugin_api.origins.numbers import Number, Origin, made, origin_of

#: Where each axis comes from; None where nothing is known.
Axes: TypeAlias = "tuple[Origin | None, ...]"
#: The axes of every tensor that is alive, by its address; not in the tensor, which may be saved.
_held: dict[int, tuple[weakref.ref[Any], Axes]] = {}
#: Functions whose numbers are lengths of what they make.
_SHAPING = frozenset({
    "view", "reshape", "unflatten", "expand", "new_zeros", "new_ones", "new_empty", "new_full", "interpolate",
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
    "adaptive_max_pool2d", "one_hot", "resize_", "topk", "narrow", "as_strided", "broadcast_to",
    "split_with_sizes",
})  # fmt: skip
#: Methods of a tensor that make another one of a shape.
_NEW = frozenset({"new", "new_zeros", "new_ones", "new_empty", "new_full", "new_tensor"})
_RESHAPING = frozenset({"view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze"})
#: Functions that keep the order of the axes, and make a new length of each from the old one of its own.
_LOCAL = ("conv", "pool", "interpolate", "upsample", "stft")
_PADDING = ("pad", "constant_pad_nd")
_CONVOLUTIONS = frozenset({"conv1d", "conv2d", "conv3d"})
_TRANSPOSED = frozenset({"conv_transpose1d", "conv_transpose2d", "conv_transpose3d"})
_REDUCING = frozenset({
    "mean", "sum", "prod", "amax", "amin", "argmax", "argmin", "max", "min", "any", "all", "std", "var",
    "logsumexp", "unbind", "select",
})  # fmt: skip
#: Functions that are given the values of a tensor, whose lengths are none of them.
_OF_VALUES = frozenset({"tensor", "as_tensor", "asarray", "from_numpy", "frombuffer"})
_JOINING = ("cat", "concat", "concatenate")
_PRODUCTS = frozenset({"matmul", "mm", "bmm", "__matmul__", "addmm", "baddbmm"})


def axes_of(tensor: Any) -> Axes:
    """Return where a tensor's axes come from.

    Args:
        tensor: the tensor.
    """
    shape = plain_shape(tensor)
    alive, axes = _held.get(id(tensor), (None, ()))
    if alive is None or alive() is not tensor or len(axes) != len(shape):
        return (None,) * len(shape)
    known = all(one is None or one.value == n for one, n in zip(axes, shape, strict=True))
    return axes if known else (None,) * len(shape)


def keep(tensor: Any, axes: Axes) -> None:
    """Remember where a tensor's axes come from.

    Args:
        tensor: the tensor.
        axes: where they come from.
    """
    key = id(tensor)
    _held[key] = weakref.ref(tensor, lambda _gone: _held.pop(key, None)), axes


def plain_shape(tensor: Any) -> tuple[int, ...]:
    """Return a tensor's shape in plain integers.

    Args:
        tensor: the tensor.
    """
    import torch

    with torch._C.DisableTorchFunction():
        return tuple(int(length) for length in tensor.shape)


def tensors_in(values: Any, depth: int = 3) -> Iterator[Any]:
    """Yield the tensors among arguments, those in lists and tuples included.

    Args:
        values: the arguments.
        depth: how deep they may lie.
    """
    import torch

    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, list | tuple) and depth:
            yield from tensors_in(value, depth - 1)


def after(
    name: str, args: Any, kwargs: dict[str, Any], shape: tuple[int, ...], place: tuple[str, int]
) -> Axes:
    """Return where the axes of one result of a function come from.

    Args:
        name: the function.
        args: its arguments.
        kwargs: its keyword arguments.
        shape: the result's shape.
        place: the user's file and line that called it.
    """
    inputs = [(plain_shape(one), axes_of(one)) for one in tensors_in((args, tuple(kwargs.values())))]
    rule = _RULES.get(name)
    axes: list[Origin | None] = list(rule(args, kwargs, inputs, shape) if rule is not None else ())
    if len(axes) != len(shape):
        asked = not inputs or name in _NEW
        axes = _created(name, args, kwargs, shape) if asked else [None] * len(shape)
    lengths = _lengths(name, args, kwargs, inputs)
    for axis, length in enumerate(shape):
        known = axes[axis]
        if known is not None and known.value == length:
            passed_on = any(known is one for _, own in inputs for one in own)
            made_here = known.kind in ("axis", "added", "short") or (name in _JOINING and not passed_on)
            placed = known.line or not made_here
            axes[axis] = known if placed else replace(known, file=place[0], line=place[1])
        else:
            axes[axis] = _generic(name, axis, shape, inputs, lengths, place)
    return tuple(axes)


_Inputs: TypeAlias = "list[tuple[tuple[int, ...], Axes]]"


def _lengths(name: str, args: Any, kwargs: dict[str, Any], inputs: _Inputs) -> list[Number]:
    """Return the numbers among the arguments that are lengths."""
    if name in _OF_VALUES:
        return []
    if not inputs:
        shapes = [one for one in (*args, *kwargs.values()) if isinstance(one, list | tuple)]
        return list(numbers_in(shapes or args))
    return list(numbers_in((*args, *kwargs.values()))) if name in _SHAPING else []


def _created(name: str, args: Any, kwargs: dict[str, Any], shape: tuple[int, ...]) -> list[Origin | None]:
    """Return where the lengths come from that were asked for one by one, each at its own place."""
    plain = tuple(one for one in args if type(one) in (int, Number))
    if name in _OF_VALUES:
        return [None] * len(shape)
    for given in (*args, *kwargs.values(), plain):
        asked = isinstance(given, list | tuple) and all(type(one) in (int, Number) for one in given)
        if asked and tuple(given) == shape:
            return [origin_of(one) for one in given]
    return [None] * len(shape)


def _generic(
    name: str,
    axis: int,
    shape: tuple[int, ...],
    inputs: _Inputs,
    lengths: list[Number],
    place: tuple[str, int],
) -> Origin | None:
    length = shape[axis]
    for number in lengths:
        if number == length:
            return number.origin
    local = name in _PADDING or any(word in name for word in _LOCAL)
    read = inputs[:1] if local else inputs
    same = [(own, axes) for own, axes in read if len(own) == len(shape)]
    alike = [axes[axis] for own, axes in same if own[axis] == length and (length != 1 or len(same) == 1)]
    if alike:
        return _deepest(alike)
    if not local and length != 1:
        found = _alike(length, axis - len(shape), inputs)
        if found is not None:
            return found
    if not local and any(length in own for own, _ in read):
        return None  # an axis of it, of which nothing is known
    parts = [axes[axis] for _, axes in same[:1]] or [one for _, axes in inputs[:1] for one in axes]
    known = tuple(one for one in parts if one is not None)[:4]
    depth = 1 + max((one.depth for one in known), default=0)
    return Origin(length, "axis" if inputs else "data", -1, name, known, *place, depth)


def _deepest(origins: Sequence[Origin | None]) -> Origin | None:
    """Return the first origin; where all follow from other lengths, the one behind most operations."""
    known = [one for one in origins if one is not None and one.kind == "axis"]
    return max(known, key=lambda one: one.depth) if len(known) == len(origins) else origins[0]


def _alike(length: int, back: int, inputs: _Inputs) -> Origin | None:
    """Return where a length comes from that an input has: at the same place from the end, or once only."""
    for own, axes in inputs:
        if len(own) >= -back and own[back] == length and axes[back] is not None:
            return axes[back]
    found = [one for own, axes in inputs for n, one in zip(own, axes, strict=True) if n == length]
    sources = {None if one is None else tuple(one.literals()) for one in found}
    return found[0] if len(sources) == 1 else None


def _linear(args: Any, kwargs: Any, inputs: _Inputs, shape: tuple[int, ...]) -> Iterator[Origin | None]:
    del args, kwargs, shape
    if len(inputs) > 1 and inputs[0][1] and inputs[1][1]:
        yield from (*inputs[0][1][:-1], inputs[1][1][0])


def _convolved(args: Any, kwargs: Any, inputs: _Inputs, shape: tuple[int, ...]) -> Iterator[Origin | None]:
    del args, kwargs
    if len(inputs) > 1:
        space = (None,) * (len(shape) - 2)
        yield from (inputs[0][1][0], inputs[1][1][0], *space)


def _transposed(args: Any, kwargs: Any, inputs: _Inputs, shape: tuple[int, ...]) -> Iterator[Origin | None]:
    del args, kwargs
    if len(inputs) > 1:
        yield from (inputs[0][1][0], inputs[1][1][1], *(None,) * (len(shape) - 2))


def _product(args: Any, kwargs: Any, inputs: _Inputs, shape: tuple[int, ...]) -> Iterator[Origin | None]:
    del args, kwargs
    first, second = (one[1] for one in inputs[-2:]) if len(inputs) > 1 else ((), ())
    if len(first) > 1 and len(second) > 1:
        yield from (*(None,) * (len(shape) - 2), first[-2], second[-1])


def _joined(
    args: Any, kwargs: dict[str, Any], inputs: _Inputs, shape: tuple[int, ...]
) -> Iterator[Origin | None]:
    dim = kwargs.get("dim", kwargs.get("axis", args[1] if len(args) > 1 else 0))
    along = int(dim) % max(len(shape), 1)
    for axis in range(len(shape)):
        parts = [axes[axis] for _, axes in inputs if len(axes) == len(shape)]
        if axis != along:
            yield next((one for one in parts if one is not None), None)
        else:
            numbers = [Number(one.value, one) for one in parts if one is not None]
            whole = made("+", shape[axis], *numbers)
            yield origin_of(whole) if len(numbers) == len(inputs) else None


def _stacked(
    args: Any, kwargs: dict[str, Any], inputs: _Inputs, shape: tuple[int, ...]
) -> Iterator[Origin | None]:
    dim = kwargs.get("dim", kwargs.get("axis", args[1] if len(args) > 1 else 0))
    along = int(dim) % max(len(shape), 1)
    own = list(inputs[0][1]) if inputs else []
    yield from (*own[:along], Origin(shape[along], "added", symbol="stack"), *own[along:])


def _swapped(
    args: Any, kwargs: dict[str, Any], inputs: _Inputs, shape: tuple[int, ...]
) -> Iterator[Origin | None]:
    names = [*args[1:], *kwargs.values()]
    axes, rank = list(inputs[0][1]), len(shape)
    if len(names) == 2 and all(isinstance(one, int) for one in names):
        a, b = (int(one) % rank for one in names)
        axes[a], axes[b] = axes[b], axes[a]
        yield from axes


def _inserted(
    args: Any, kwargs: dict[str, Any], inputs: _Inputs, shape: tuple[int, ...]
) -> Iterator[Origin | None]:
    axis = int(args[1] if len(args) > 1 else next(iter(kwargs.values()))) % len(shape)
    own = inputs[0][1]
    yield from (*own[:axis], Origin(1, "added", symbol="unsqueeze"), *own[axis:])


def _reduced(
    args: Any, kwargs: dict[str, Any], inputs: _Inputs, shape: tuple[int, ...]
) -> Iterator[Origin | None]:
    """Follow what takes one axis away."""
    given = [kwargs.get("dim"), kwargs.get("axis"), *args[1:]]
    dims = [int(one) for one in given if type(one) in (int, Number)]
    own = list(inputs[0][1])
    if dims and len(inputs) == 1 and len(shape) == len(own) - 1:
        del own[dims[0] % len(own)]
        yield from own


def _turned(
    args: Any, kwargs: dict[str, Any], inputs: _Inputs, shape: tuple[int, ...]
) -> Iterator[Origin | None]:
    order = args[1:] if len(args) > 2 else args[1] if len(args) == 2 else next(iter(kwargs.values()))
    order = order if isinstance(order, list | tuple) else (order,)
    if len(order) == len(shape) == len(inputs[0][1]):
        yield from (inputs[0][1][int(axis)] for axis in order)


def _reshaped(
    args: Any, kwargs: dict[str, Any], inputs: _Inputs, shape: tuple[int, ...]
) -> Iterator[Origin | None]:
    del kwargs
    before, axes = inputs[0]
    given = [one for one in args[1:] for one in (one if isinstance(one, list | tuple) else (one,))]
    asked = (
        given
        if len(given) == len(shape) and all(isinstance(one, int) for one in given)
        else [None] * len(shape)
    )
    for (first, last), (start, end) in _groups(before, shape):
        parts = [
            (n, one)
            for n, one in zip(before[first:last], axes[first:last], strict=True)
            if n != 1 or last - first == 1 or (one is not None and one.kind == "axis")
        ]
        for position in range(start, end):
            number = asked[position]
            if isinstance(number, Number) and number == shape[position]:
                yield number.origin
            elif end - start == 1 and len(parts) == 1:
                yield parts[0][1]
            elif end - start == 1 and parts:
                numbers = [Number(n, one) if one is not None else n for n, one in parts]
                yield origin_of(made("*", shape[position], *numbers))
            else:
                yield None


def _groups(
    before: Sequence[int], after_: Sequence[int]
) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield runs of axes with equal numbers of elements.

    Example:
        >>> list(_groups((2, 3, 4, 5), (2, 12, 5)))
        [((0, 1), (0, 1)), ((1, 3), (1, 2)), ((3, 4), (2, 3))]
    """
    first = start = 0
    while first < len(before) and start < len(after_):
        last, end = first + 1, start + 1
        while prod(before[first:last]) != prod(after_[start:end]):
            if prod(before[first:last]) < prod(after_[start:end]) and last < len(before):
                last += 1
            elif end < len(after_):
                end += 1
            else:
                return
        yield (first, last), (start, end)
        first, start = last, end


def _looked_up(
    args: Any, kwargs: dict[str, Any], inputs: _Inputs, shape: tuple[int, ...]
) -> Iterator[Origin | None]:
    del args, kwargs, shape
    if len(inputs) > 1:
        yield from (*inputs[0][1], inputs[1][1][-1])


def _unfolded(
    args: Any, kwargs: dict[str, Any], inputs: _Inputs, shape: tuple[int, ...]
) -> Iterator[Origin | None]:
    del args, kwargs
    space = tuple(one for one in inputs[0][1][2:] if one is not None)
    if len(shape) == 3 and space:
        yield from (inputs[0][1][0], None, Origin(shape[2], "axis", symbol="unfold", parts=space))


def _sliced(
    args: Any, kwargs: dict[str, Any], inputs: _Inputs, shape: tuple[int, ...]
) -> Iterator[Origin | None]:
    """Follow slices: what stays whole, and what goes from a number to that number and a length."""
    del kwargs, shape
    parts = args[1] if isinstance(args[1], tuple) else (args[1],)
    indices = [one for one in parts if _is_index(one)]
    if any(
        not isinstance(one, slice | int | None) and one is not Ellipsis for one in parts if not _is_index(one)
    ):
        return
    before, own = inputs[0]
    axis = 0
    for part in _spelled_out(parts, len(before)):
        if _is_index(part):
            yield from axes_of(part) if part is indices[0] else ()
        elif isinstance(part, slice):
            whole = part == slice(None)
            yield own[axis] if whole else _short(part, before[axis], own[axis]) or _span(part)
        elif part is None:
            yield Origin(1, "added", symbol="[None]")
        axis += part is not None
    yield from own[axis:]


def _is_index(part: Any) -> bool:
    """Tell whether a part of an index is a tensor of whole numbers, whose axes stand in the place of one."""
    return hasattr(part, "dtype") and str(part.dtype) in ("torch.int64", "torch.int32")


def _spelled_out(parts: tuple[Any, ...], rank: int) -> tuple[Any, ...]:
    """Write three dots as what they stand for.

    Example:
        >>> _spelled_out((0, ..., 1), 4)
        (0, slice(None, None, None), slice(None, None, None), 1)
    """
    at = next((at for at, one in enumerate(parts) if one is Ellipsis), None)
    if at is None:
        return parts
    taken = len(parts) - 1 - parts.count(None)
    return (*parts[:at], *(slice(None),) * (rank - taken), *parts[at + 1 :])


def _short(part: slice, length: int, own: Origin | None) -> Origin | None:
    """Return where a length comes from that was to be longer; None where enough was there."""
    stop = part.stop
    if not isinstance(stop, Number) or stop <= length or part.start or part.step not in (None, 1):
        return None
    return Origin(length, "short", symbol="slice", parts=(stop.origin, own or Origin(length, "data")))


def _span(part: slice) -> Origin | None:
    start, stop = part.start or 0, part.stop
    if not isinstance(stop, Number) or stop < 0 or part.step not in (None, 1):
        return None
    if not start:
        return stop.origin
    origin = stop.origin
    if origin.symbol == "+" and len(origin.parts) == 2 and origin.parts[0].value == start:
        return origin.parts[1]
    return origin_of(made("-", int(stop) - int(start), stop, start))


def _framed(
    args: Any, kwargs: dict[str, Any], inputs: _Inputs, shape: tuple[int, ...]
) -> Iterator[Origin | None]:
    """Follow a short-time transform: its frames come from the length and the hop."""
    time = inputs[0][1][-1]
    hop = kwargs.get("hop_length", args[2] if len(args) > 2 else None)
    if time is None or len(shape) < 2:
        return
    if isinstance(hop, Number):
        parts = (time, hop.origin)
        frames = Origin(shape[-1], "axis", symbol="stft", parts=parts, depth=time.depth + 1)
    else:
        frames = Origin(shape[-1], "axis", symbol="stft", parts=(time,), depth=time.depth + 1)
    yield from (*inputs[0][1][:-1], None, frames)


def _padded(
    args: Any, kwargs: dict[str, Any], inputs: _Inputs, shape: tuple[int, ...]
) -> Iterator[Origin | None]:
    """Follow sequences that are made equally long: their number, the longest one, and what they hold."""
    first = kwargs.get("batch_first", args[1] if len(args) > 1 else False)
    longest = max(inputs, key=lambda one: one[0][0])[1]
    count = Origin(shape[0 if first else 1], "data")
    yield from (count, longest[0]) if first else (longest[0], count)
    yield from longest[1:]


def _repeated(
    args: Any, kwargs: dict[str, Any], inputs: _Inputs, shape: tuple[int, ...]
) -> Iterator[Origin | None]:
    """Follow a repetition of each entry of one axis."""
    count, axis = args[1], kwargs.get("dim", args[2] if len(args) > 2 else None)
    if axis is None:
        return
    for at, one in enumerate(inputs[0][1]):
        if at == int(axis) % len(shape) and one is not None and isinstance(count, Number):
            yield origin_of(made("*", shape[at], Number(one.value, one), count))
        else:
            yield one


_Rule: TypeAlias = "Callable[[Any, dict[str, Any], _Inputs, tuple[int, ...]], Iterator[Origin | None]]"
_RULES: dict[str, _Rule] = {
    "linear": _linear,
    **dict.fromkeys(_CONVOLUTIONS, _convolved),
    **dict.fromkeys(_TRANSPOSED, _transposed),
    **dict.fromkeys(_PRODUCTS, _product),
    **dict.fromkeys(_JOINING, _joined),
    "stack": _stacked,
    **dict.fromkeys(("transpose", "swapaxes", "swapdims"), _swapped),
    **dict.fromkeys(_REDUCING, _reduced),
    "permute": _turned,
    "unsqueeze": _inserted,
    "unfold": _unfolded,
    "__getitem__": _sliced,
    "stft": _framed,
    "repeat_interleave": _repeated,
    **dict.fromkeys(_RESHAPING - {"unsqueeze", "squeeze"}, _reshaped),
    "embedding": _looked_up,
    "pad_sequence": _padded,
}
