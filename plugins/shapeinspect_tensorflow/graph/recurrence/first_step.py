"""Tells whether a first step, of which a converter computed a part, is that of a cell whose states are zeros.

Both steps are computed with numbers: the products with the input are drawn, one draw for each of them, and
functions are others that differ by their names. Only the biases and what was computed of them are read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from shapeinspect_tensorflow.graph.flow import Ref
from shapeinspect_tensorflow.graph.recurrence.gates import value_of
from shapeinspect_tensorflow.graph.recurrence.terms import Term, inside

_SAMPLES = 3
_TOLERANCE = 1e-5


class _OpenError(Exception):
    """A term has a value that is not known."""


def begins_with_zeros(
    early: Sequence[Term],
    later: Sequence[Term],
    states: Sequence[Ref],
    matrix: Ref | None,
    numbers: Callable[[Ref], Any],
    sides: Callable[[Ref], tuple[int, int] | None],
) -> bool:
    """Tell whether the first step computes what a later one would with zeros.

    Args:
        early: what the first step computes.
        later: what a later step computes.
        states: the values that the later one reads of the first one.
        matrix: the stored matrix or kernel on the state.
        numbers: reads a constant.
        sides: returns how many inputs and outputs a stored matrix has.
    """
    import numpy as np

    size = None if matrix is None else sides(matrix)
    if size is None:
        return False
    one = _Numbers(frozenset(states), size[0], numbers, sides)
    try:
        for first, other in zip(early, later, strict=True):
            got, want = np.broadcast_arrays(one.of(first), one.of(other))
            if not np.allclose(got, want, _TOLERANCE, _TOLERANCE):
                return False
    except (_OpenError, ValueError):
        return False
    return True


@dataclass(slots=True)
class _Numbers:
    states: frozenset[Ref]
    hidden: int
    numbers: Callable[[Ref], Any]
    sides: Callable[[Ref], tuple[int, int] | None]

    def of(self, term: Term) -> Any:
        """Return the numbers that a term is."""
        name, parts = term[0], inside(term)
        if name in ("matrix", "conv"):
            return self._product(term)
        if name == "value":
            return self._stored(term)
        if name == "constant" and len(term) == 2 and isinstance(term[1], float):
            return term[1]
        if name == "row" and isinstance(term[1], int):
            return self._read(value_of(parts[0]))[term[1]]
        if name == "part" and isinstance(term[1], int):
            return self._part(self.of(parts[0]), term[1])
        values = [self.of(part) for part in parts]
        return self._computed(term, values)

    def _computed(self, term: Term, values: list[Any]) -> Any:
        import numpy as np

        match term:
            case ("sum", *_):
                return sum(values[1:], values[0])
            case ("product", *_):
                return np.prod(np.broadcast_arrays(*values), axis=0)
            case ("rest", _):
                return 1 - values[0]
            case ("larger", float(bound), _):
                return np.maximum(values[0], bound)
            case ("smaller", float(bound), _):
                return np.minimum(values[0], bound)
            case ("function", str(name), _):
                drawn = _drawn(name) % 97
                return np.sin(values[0] * (1 + drawn / 50) + drawn)
        raise _OpenError

    def _product(self, term: Term) -> Any:
        """Return zeros for a product with a state; for one with the input numbers that are its own."""
        import numpy as np

        data, kernel = inside(term)[:2]
        if data[0] != "element":
            if np.any(self.of(data)):
                raise _OpenError
            return 0.0
        ref = value_of(kernel)
        size = None if ref is None else self.sides(ref)
        width = self.hidden if kernel[0] == "part" else None if size is None else size[1]
        if width is None:
            raise _OpenError
        return np.random.default_rng(_drawn(repr(term))).random((_SAMPLES, width))

    def _stored(self, term: Term) -> Any:
        ref = value_of(term)
        if ref in self.states:
            return 0.0
        read = self._read(ref)
        if read.ndim < 2:
            return read
        flat = read.reshape(-1, read.shape[-1])
        if (flat != flat[:1]).any():
            raise _OpenError  # it differs from sample to sample
        return flat[0]

    def _read(self, ref: Ref | None) -> Any:
        read = None if ref is None else self.numbers(ref)
        if read is None:
            raise _OpenError
        return read

    def _part(self, whole: Any, number: int) -> Any:
        import numpy as np

        if np.ndim(whole) == 0:
            return whole
        return whole[..., number * self.hidden : (number + 1) * self.hidden]


def _drawn(text: str) -> int:
    """Return the same number for the same text in every process."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
