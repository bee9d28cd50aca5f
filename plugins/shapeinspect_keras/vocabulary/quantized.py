"""Quantized weights of Keras: what a stored kernel, its scales and its zero points stand for.

Source: ``_int8_build``, ``_int4_build``, ``_gptq_build`` and ``_float8_build`` of dense.py, einsum_dense.py,
embedding.py and reversible_embedding.py in keras/src/layers/core, and ``pack_int4`` and
``dequantize_with_sz_map`` of keras/src/quantizers/quantizers.py, 3.15. Without zero points a value is the
integer divided by its scale; with them it is the integer less the zero point of its group, times the scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from shapeinspect.dims import Shape
from shapeinspect.ir import Packing, Quantization, Weight
from shapeinspect_keras.vocabulary.old_names import UNEXPECTED_FORM, quantization_mode
from shapeinspect_keras.vocabulary.parts import Part, bind, equation_axes, parts

if TYPE_CHECKING:
    import numpy as np

_Array: TypeAlias = "np.ndarray[Any, Any]"
_Values: TypeAlias = "Callable[[], _Array]"

_MAIN = ("kernel", "quantized_kernel", "embeddings", "reverse_embeddings")
_INTEGERS = frozenset({"int8", "uint8"})
#: What training in 8-bit floats keeps beside a kernel, which stays as it is.
_FLOAT8 = frozenset(
    {
        *("inputs_scale", "inputs_amax_history", "kernel_amax_history"),
        *("outputs_grad_scale", "outputs_grad_amax_history"),
    }
)


@dataclass(frozen=True, slots=True)
class _Stored:
    """A quantized weight and what belongs to it.

    Args:
        main: the weight.
        scale: its scales.
        zero: its zero points, where it has any.
        groups: the group of each entry of the axis that is cut into groups.
        part: the layer that holds it.
        mode: how it is quantized, where the settings say so.
        inputs: the shape of what the layer reads, where it is known.
    """

    main: Weight
    scale: Weight
    zero: Weight | None
    groups: Weight | None
    part: Part
    mode: str
    inputs: Shape | None = None

    @property
    def tail(self) -> str:
        return self.main.role.rpartition("/")[2]

    @property
    def packed_axis(self) -> int | None:
        """The stored axis along which two values share a byte, or None."""
        stored, scales = self.main.shape, self.scale.shape
        if self.tail == "quantized_kernel":
            return 0 if stored[0] != scales[0] or self.mode.startswith(("int4", "awq")) else None
        if self.groups is None and not self.mode.startswith("int4") and not self._halved:
            return None
        return 0 if self.tail == "reverse_embeddings" else len(stored) - 1

    @property
    def _halved(self) -> bool:
        """Whether there are twice as many scales as columns: the settings need not say how it is packed."""
        stored, scales = self.main.shape, self.scale.shape
        if self.tail != "kernel" or len(stored) != 2 or not scales or scales[-1] == stored[1]:
            return False
        return isinstance(scales[-1], int) and (scales[-1] + 1) // 2 == stored[1]

    @property
    def plain(self) -> tuple[int, ...] | None:
        """The stored lengths without packing, or None where they are unknown."""
        stored, scales, axis = self.main.shape, self.scale.shape, self.packed_axis
        lengths = [length for length in stored if isinstance(length, int)]
        if axis is None:
            return tuple(lengths)
        length: Any = scales[-1]
        if self.tail == "quantized_kernel":
            length = scales[0]
        elif self.tail.endswith("embeddings"):
            length = self.groups.shape[0] if self.groups else self.part.config.get("output_dim")
        if not isinstance(length, int) or (length + 1) // 2 != lengths[axis]:
            return None
        lengths[axis] = length
        return tuple(lengths)


def folded(
    weights: Sequence[Weight], class_name: str, config: Mapping[str, Any], inputs: object = None
) -> tuple[Weight, ...]:
    """Describe the quantized weights of a layer by what they stand for.

    Args:
        weights: the layer's weights, as they are stored.
        class_name: its class.
        config: its settings.
        inputs: the shape of what it reads, as it was built; None where that is not known.

    Returns:
        The same weights: a quantized one with its logical shape and its dequantized values, its scales and
        whatever else belongs to it as buffers.
    """
    roles = {weight.role: weight for weight in weights}
    by_prefix = {part.prefix: part for part in parts(class_name, config)}
    changed: dict[str, Weight] = {}
    for weight in weights:
        prefix, _, tail = weight.role.rpartition("/")
        start = f"{prefix}/" if prefix else ""
        if tail in _FLOAT8:
            changed[weight.role] = replace(weight, buffer=True, trainable=False)
            if (kernel := roles.get(f"{start}kernel_scale")) is not None:
                changed[kernel.role] = replace(kernel, buffer=True, trainable=False)
        part = by_prefix.get(start)
        if tail not in _MAIN or weight.dtype not in _INTEGERS or part is None:
            continue
        stem = "kernel" if tail == "quantized_kernel" else tail
        scale = roles.get(f"{start}{stem}_scale")
        if scale is None:
            continue
        zero, groups = roles.get(f"{start}{stem}_zero"), roles.get(f"{start}g_idx")
        beside = [scale, zero, groups, roles.get(f"{start}awq_scales")]
        mode = quantization_mode(part.config, whole=True) or ""
        read = tuple(inputs) if isinstance(inputs, list | tuple) else None
        found = _Stored(weight, scale, zero, groups, part, mode, read)
        changed |= {
            other.role: replace(other, buffer=True, trainable=False) for other in beside if other is not None
        }
        try:
            changed[weight.role] = _logical(found, class_name, config)
        except UNEXPECTED_FORM:
            continue
    return tuple(changed.get(weight.role, weight) for weight in weights)


def _logical(stored: _Stored, class_name: str, config: Mapping[str, Any]) -> Weight:
    main, plain = stored.main, stored.plain
    axis = stored.packed_axis
    bits = 8 if axis is None else 4
    turned = stored.tail == "quantized_kernel"
    flat = None if plain is None else plain[::-1] if turned else plain
    shape = None if flat is None else _kernel_shape(stored, flat, config)
    names = (stored.scale.name,), (stored.zero.name,) if stored.zero else ()
    state = (stored.groups.name,) if stored.groups else ()
    element = f"{'u' if turned else ''}int{bits}"
    rank = len(shape or main.shape)
    packing = None
    if axis is not None and shape is not None:
        along = (1 - axis if turned else axis) if rank == len(main.shape) else None
        packing = Packing(main.shape, main.dtype or "int8", along, 2)
    block = _block(stored, rank)
    how = Quantization(_scheme(stored), element, bits, block, packing, *names, state)
    if shape is None:
        return replace(main, quantization=how, trainable=False, values=None)
    return replace(
        main,
        shape=shape,
        trainable=False,
        layout=bind(class_name, {**config, "dtype": None}, main.role, shape),
        count=None,
        values=_dequantized(stored, shape),
        quantization=how,
    )


def _scheme(stored: _Stored) -> str:
    mode = stored.mode.partition("/")[0]
    return mode if mode in ("gptq", "awq") else "keras"


def _block(stored: _Stored, rank: int) -> tuple[int | None, ...] | None:
    """Return how many values share a scale along each axis."""
    if (
        stored.groups is None
        and stored.zero is None
        and rank == 2
        and stored.part.class_name != "EinsumDense"
    ):
        return (1, None) if stored.tail == "embeddings" else (None, 1)
    if rank != 2:
        return None
    size = stored.mode.partition("/")[2].rpartition("/")[2]
    group = int(size) if size.isdecimal() and int(size) > 0 else None
    across = stored.scale.shape[-1 if stored.tail in ("embeddings", "quantized_kernel") else 0]
    if across == 1:
        group = None
    elif group is None:
        return None
    return (1, group) if stored.tail == "embeddings" else (group, 1)


def _kernel_shape(stored: _Stored, flat: tuple[int, ...], config: Mapping[str, Any]) -> Shape | None:
    """Return the axes of a kernel that is stored as a matrix of inputs and outputs, else the matrix's."""
    if stored.part.class_name != "EinsumDense" or stored.packed_axis is None or len(flat) != 2:
        return flat
    rows, columns = flat
    heads, width = config.get("num_heads", config.get("num_query_heads")), config.get("key_dim")
    prefix = stored.part.prefix
    if prefix:
        if prefix in ("key/", "value/"):
            heads = config.get("num_key_value_heads", heads)
        width = config.get("head_dim", width)
        width = config.get("value_dim") or width if prefix in ("value/", "attention_output/") else width
        shape = (heads, width, columns) if prefix == "attention_output/" else (rows, heads, width)
        whole = all(isinstance(length, int) for length in shape)
        product = rows * columns
        for length in shape if whole else ():
            product = product // length if isinstance(length, int) and length else -1
        return shape if product == 1 else None
    letters = equation_axes(str(stored.part.config.get("equation", "")))
    sizes = stored.part.config.get("output_shape")
    if letters is None or not isinstance(sizes, list | tuple):
        return flat
    kernel, output, read = letters
    known = dict(zip(reversed(read), reversed(stored.inputs or ()), strict=False))
    known |= dict(zip(reversed(output), reversed(sizes), strict=False))
    inner = [letter for letter in kernel if letter not in output]
    known |= {inner[0]: rows} if len(inner) == 1 else {}
    lengths = tuple(length for letter in kernel if isinstance(length := known.get(letter), int))
    return lengths if len(lengths) == len(kernel) and math.prod(lengths) == rows * columns else flat


def _dequantized(stored: _Stored, shape: Shape) -> _Values | None:
    main, scale, zero, groups = stored.main, stored.scale, stored.zero, stored.groups
    plain, axis = stored.plain, stored.packed_axis
    read, scales = main.values, scale.values
    if read is None or scales is None or plain is None or stored.mode.startswith("awq"):
        return None
    if axis is None and stored.part.class_name == "EinsumDense" and equation_axes(_equation(stored)) is None:
        return None  # along which axes the scales stand is not known
    zeros, group_of = (zero.values if zero else None), (groups.values if groups else None)
    lengths = tuple(length for length in shape if isinstance(length, int))

    def values() -> _Array:
        numbers = read()
        if axis is not None:
            numbers = _unpacked(numbers, axis, plain[axis], signed=main.dtype == "int8")
        numbers, factors = numbers.astype("float32"), scales().astype("float32")
        if zeros is None or group_of is None:
            result = numbers / _spread(stored, factors, numbers.ndim)
        else:
            along = -1 if stored.tail in ("embeddings", "quantized_kernel") else 0
            index = group_of().astype("int64")
            shift = zeros().astype("float32").take(index, along)
            result = (numbers - shift) * factors.take(index, along)
        turned = result.T if stored.tail == "quantized_kernel" else result
        return turned.reshape(lengths)

    return values


def _unpacked(packed: _Array, axis: int, length: int, *, signed: bool) -> _Array:
    """Take two values out of each byte, the lower half first; an odd last one is padding."""
    import numpy as np

    halves = np.stack([packed.view("uint8") & 15, packed.view("uint8") >> 4], axis + 1)
    shape = [n * 2 if at == axis else n for at, n in enumerate(packed.shape)]
    numbers = halves.reshape(shape).astype("int16")
    if signed:
        numbers = np.where(numbers > 7, numbers - 16, numbers)
    return numbers.take(range(length), axis)


def _spread(stored: _Stored, scale: _Array, rank: int) -> _Array:
    """Give the scales the axes of the weight; those of an EinsumDense have the axes of its output."""
    if stored.tail == "embeddings":
        return scale.reshape(-1, 1)
    if stored.part.class_name != "EinsumDense" or scale.ndim == 1:
        return scale
    kernel, output, _ = equation_axes(_equation(stored)) or ("", "", "")
    scale = scale.reshape(scale.shape[scale.ndim - len(output) :])
    kept = [letter for letter in output if letter in kernel]
    scale = scale.reshape([n for n, letter in zip(scale.shape, output, strict=True) if letter in kernel])
    order = [kept.index(letter) for letter in kernel if letter in kept]
    missing = tuple(at for at, letter in enumerate(kernel) if letter not in kept)
    import numpy as np

    if rank != len(kernel):
        raise ValueError(f"{rank} axes of the kernel, {len(kernel)} letters")
    return np.expand_dims(scale.transpose(order), missing)


def _equation(stored: _Stored) -> str:
    """Return the equation of an EinsumDense, also of a projection inside an attention."""
    if stored.part.prefix == "attention_output/":
        return "...cd,cde->...e"
    return "...a,abc->...bc" if stored.part.prefix else str(stored.part.config.get("equation", ""))
