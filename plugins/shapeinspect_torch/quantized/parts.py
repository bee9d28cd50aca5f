"""What the readers of all schemes share: finding companions, reading small tensors, scaling."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from shapeinspect.dims import UNKNOWN, Shape
from shapeinspect.errors import ShapeInspectError, UsageError
from shapeinspect.ir import Quantization, Weight
from shapeinspect_torch.quantized.declared import Declared

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

#: Reads one scheme: what stands before the ending, all weights by name, the configuration.
Reader: TypeAlias = "Callable[[str, Mapping[str, Weight], Declared], Weight | None]"
Values: TypeAlias = "Callable[[], Array] | None"

#: The most values of a tensor that describes another one.
_SMALL = 4096


def lengths(weight: Weight | None) -> tuple[int, ...] | None:
    """Return the shape of a weight if all its lengths are known and positive, else None.

    Args:
        weight: the weight, if there is one.
    """
    if weight is None:
        return None
    known = tuple(length for length in weight.shape if isinstance(length, int) and length > 0)
    return known if len(known) == len(weight.shape) else None


class Scaled(NamedTuple):
    """A packed weight and its scales, with their stored lengths.

    Args:
        main: the packed weight.
        stored: its lengths.
        scales: its scales.
        many: their lengths.
    """

    main: Weight
    stored: tuple[int, ...]
    scales: Weight
    many: tuple[int, ...]


def with_scales(
    weights: Mapping[str, Weight], main: str, scales: str, dtypes: Sequence[str] | None = None
) -> Scaled | None:
    """Return a packed weight and its scales if both are there and all their lengths are known.

    Args:
        weights: all weights by name.
        main: the name of the packed weight.
        scales: the name of its scales.
        dtypes: the element types that its packing has; None for any.
    """
    packed, factors = weights.get(main), weights.get(scales)
    stored, many = lengths(packed), lengths(factors)
    if packed is None or factors is None or stored is None or many is None:
        return None
    return Scaled(packed, stored, factors, many) if dtypes is None or packed.dtype in dtypes else None


def small(weight: Weight | None) -> Array | None:
    """Read a tensor of few values that describes another one; None if it cannot be read.

    Args:
        weight: the weight, if there is one.
    """
    if weight is None or weight.values is None or weight.size is None or weight.size > _SMALL:
        return None
    try:
        return weight.values()
    except ShapeInspectError:
        return None


def integers(weight: Weight | None) -> tuple[int, ...]:
    """Read integers that are stored as a tensor; empty if it is absent, long, or of another type.

    Args:
        weight: the weight, if there is one.
    """
    array = small(weight)
    return tuple(array.reshape(-1).tolist()) if array is not None and array.dtype.kind in "iu" else ()


def number(weight: Weight | None) -> int | None:
    """Read a single integer that is stored as a tensor; None if it cannot be read.

    Args:
        weight: the weight, if there is one.
    """
    stored = integers(weight)
    return stored[0] if len(stored) == 1 else None


def text(weight: Weight | None) -> str:
    """Read a text that is stored as a tensor of bytes; empty if it cannot be read.

    Args:
        weight: the weight, if there is one.
    """
    array = small(weight)
    if array is None or array.dtype.name != "uint8":
        return ""
    return array.tobytes().decode("utf-8", "replace")


def present(weights: Mapping[str, Weight], prefix: str, *endings: str) -> tuple[str, ...]:
    """Return the names that exist.

    Args:
        weights: all weights by name.
        prefix: what the names begin with.
        endings: what they end with.
    """
    return tuple(prefix + ending for ending in endings if prefix + ending in weights)


def folded(
    main: Weight, shape: Shape, how: Quantization, values: Callable[..., Array] | None, *read: Weight | None
) -> Weight:
    """Return the weight that a packed one stands for.

    Args:
        main: the packed weight.
        shape: the logical lengths.
        how: how it is quantized.
        values: computes its numbers from those of ``read``; None where they are not known.
        read: the weights that it needs, None for one that is absent.
    """
    known = values is not None and all(isinstance(length, int) for length in shape)
    readers = [weight.values if weight is not None else None for weight in read]
    missing = any(weight is not None and reader is None for weight, reader in zip(read, readers, strict=True))
    compute: Values = None
    if known and not missing and values is not None:
        compute = Computed(main.name, values, readers)
    return replace(main, shape=shape, quantization=how, values=compute, layout=None, count=None)


class Computed:
    """Reads the parts of a weight and computes its numbers, when called.

    Args:
        name: the name of the weight, for errors.
        values: computes its numbers from those of its parts.
        readers: read the parts; None for one that is absent.
    """

    def __init__(self, name: str, values: Callable[..., Array], readers: Sequence[Values]) -> None:
        self._name, self._values, self._readers = name, values, readers

    def __call__(self) -> Array:
        """Return the numbers.

        Raises:
            UsageError: if the parts do not fit together.
        """
        import numpy as np

        parts = [reader() if reader is not None else None for reader in self._readers]
        try:
            with np.errstate(all="ignore"):
                return self._values(*parts)
        except (ValueError, IndexError, TypeError, ArithmeticError) as error:
            raise UsageError(
                f'the numbers of "{self._name}" cannot be computed: its scales do not fit it',
                got=", ".join(str(part.shape) for part in parts if part is not None),
            ) from error


def hidden(main: Weight, scheme: str, scales: Sequence[str], state: Sequence[str] = ()) -> Weight:
    """Return a packed weight whose logical shape is not known.

    Args:
        main: the packed weight.
        scheme: what packed it.
        scales: the names of its scales.
        state: the names of what else belongs to it.
    """
    how = Quantization(scheme, scales=tuple(scales), state=tuple(state))
    return folded(main, (UNKNOWN,) * max(len(main.shape), 1), how, None)


def block_of(
    scales: Sequence[int], shape: Sequence[int], given: Sequence[int] = ()
) -> tuple[int | None, ...] | None:
    """Return how many values share a scale along each axis, or None if that is not certain.

    Args:
        scales: the shape of the scales.
        shape: the logical shape.
        given: the lengths of a block along the last axes, as a configuration states them; without them,
            or where they do not fit, the blocks of an axis are of one length, or square ones of a power of
            two of which the last are cut off.

    Example:
        >>> block_of((512, 4), (512, 100), (32,)), block_of((512, 1), (512, 96)), block_of((), (512, 96))
        ((1, 32), (1, None), (None, None))
        >>> block_of((5, 2), (576, 256), (128, 128)), block_of((5, 2), (576, 256))
        ((128, 128), (128, 128))
    """
    if all(length == 1 for length in scales):
        return (None,) * len(shape)
    if len(scales) == 1 and scales[0] == next(iter(shape), None):
        scales = (*scales, *(1,) * (len(shape) - 1))
    if len(scales) != len(shape):
        return None
    spans = [1] * (len(shape) - len(given)) + list(given)
    if (
        len(spans) == len(shape)
        and given
        and all(-(-n // span) == count for n, span, count in zip(shape, spans, scales, strict=True))
    ):
        return tuple(None if span >= n > 1 else span for n, span in zip(shape, spans, strict=True))
    found = [_span(n, count) for n, count in zip(shape, scales, strict=True)]
    if len(found) > 1 and any(span == 0 for span in found[-2:]):
        # Square blocks of a power of two, the last ones cut off.
        fitting = [
            size
            for size in (16, 32, 64, 128, 256, 512)
            if all(-(-n // size) == count for n, count in zip(shape[-2:], scales[-2:], strict=True))
        ]
        found[-2:] = fitting * 2 if len(fitting) == 1 else [0, 0]
    return None if 0 in found else tuple(found)


def _span(length: int, count: int) -> int | None:
    """Return the length of a block, None for a whole axis, 0 where it does not divide."""
    if count == length:
        return 1
    if count == 1:
        return None
    return length // count if length % count == 0 else 0
