"""The lengths of a network's inputs that may be free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from shapeinspect.dims import Dim, Expr, symbol, symbols
from shapeinspect.errors import UsageError
from shapeinspect.ir import Model
from shapeinspect.solve.program import number

#: Axes of space and time, which may be given one length together.
SPATIAL = ("D", "H", "W", "L", "T")
#: Axes whose length is that of weights.
_FEATURES = ("C", "E")
#: The most axes that are varied; further ones keep their lengths.
_MOST = 6


@dataclass(frozen=True, slots=True)
class Variable:
    """One free length: an axis of an input, or several that share a symbol or count the samples.

    Args:
        name: its letter or symbol; with the input's name where several inputs have such an axis.
        places: the inputs and axes that have this length.
        base: the length that the source records, or None.
        symbol: its symbol, or None.
        letter: the axis's letter, or None.

    Example:
        >>> Variable("H", (("x", 2),), 224).base
        224
    """

    name: str
    places: tuple[tuple[str, int], ...]
    base: int | None = None
    symbol: str | None = None
    letter: str | None = None

    @property
    def spatial(self) -> bool:
        """Whether it is an axis of space or time."""
        return self.letter in SPATIAL


def variables(model: Model, every: bool = False) -> tuple[Variable, ...]:
    """Return the lengths of a model's inputs that may be free.

    What a source leaves open is free, whatever its letter; of what it records, space and time.

    Args:
        model: the model.
        every: whether a recorded number of samples, and a recorded axis without a letter, may be free, too.

    Raises:
        UsageError: if no input has such an axis.

    Example:
        >>> from shapeinspect.frozen import Frozen
        >>> from shapeinspect.ir import Value
        >>> x = Value("x", (1, 3, 8, 9), axes=("N", "C", "H", "W"))
        >>> model = Model("m", "f", "f", "f", values=Frozen(x=x), inputs=("x",))
        >>> [one.name for one in variables(model)], [one.name for one in variables(model, every=True)]
        (['H', 'W'], ['N', 'H', 'W'])
        >>> inputs = {name: Value(name, (1, 3, 8), axes=("N", "C", "L")) for name in ("a", "b")}
        >>> model = Model("m", "f", "f", "f", values=Frozen(inputs), inputs=("a", "b"))
        >>> [one.name for one in variables(model, every=True)]
        ['N', 'a.L', 'b.L']
    """
    by_key: dict[Any, Variable] = {}
    for name in model.inputs:
        value = model.values.get(name)
        for axis, length in enumerate((value.shape if value is not None else None) or ()):
            letter = value.axes[axis] if value is not None and value.axes is not None else None
            found = _variable(name, axis, length, letter, every)
            if found is None:
                continue
            key: Any = found.symbol or (name, axis)
            if found.symbol is None and axis == 0 and letter in ("N", None):
                key = ("N", found.base)  # the inputs of one call have as many samples
            have = by_key.get(key)
            by_key[key] = found if have is None else replace(have, places=(*have.places, (name, axis)))
    if not by_key:
        inputs = ", ".join(name for name in model.inputs) or "none"
        raise UsageError(
            "no axis of an input is open or known to be of space or time: there is no size to solve for",
            expected="a model with a graph whose inputs have axes such as H, W, L or T",
            got=f"inputs: {inputs}",
        )
    return tuple(_named(list(by_key.values())))[:_MOST]


def _variable(name: str, axis: int, length: Dim, letter: str | None, every: bool) -> Variable | None:
    if isinstance(length, int):
        if letter not in SPATIAL and (not every or letter in _FEATURES):
            return None
        return Variable(letter or f"{name}[{axis}]", ((name, axis),), length, None, letter)
    own = str(length) if isinstance(length, Expr) and length == symbol(str(length)) else None
    if own is None and isinstance(length, Expr):
        return None  # computed from other lengths
    shown = letter if letter in (*SPATIAL, "N") else own
    return Variable(shown or letter or f"{name}[{axis}]", ((name, axis),), None, own, letter)


def _named(found: list[Variable]) -> Iterable[Variable]:
    letters = Counter(one.name for one in found)
    for one in found:
        name = one.name if letters[one.name] == 1 else f"{one.places[0][0]}.{one.name}"
        yield replace(one, name=name)


def inputs_for(
    model: Model, free: Iterable[Variable], lengths: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the input shapes and the symbols' values for lengths of the free axes.

    A batch that is a symbol, or unknown, is one sample.

    Args:
        model: the model.
        free: the free axes.
        lengths: the length of each, by its name: an int or an array.

    Raises:
        UsageError: if an input has an unknown length.
    """
    by_axis = {place: lengths[variable.name] for variable in free for place in variable.places}
    known: dict[str, Any] = {
        variable.symbol: lengths[variable.name] for variable in free if variable.symbol is not None
    }
    shapes: dict[str, Any] = {}
    for name in model.inputs:
        for length in (model.values[name].shape or ()) if name in model.values else ():
            if isinstance(length, Expr) and len(symbols(length)) == 1 and length == symbol(str(length)):
                known.setdefault(str(length), 1)
    for name in model.inputs:
        value = model.values.get(name)
        if value is None or value.shape is None:
            continue
        shape: list[Any] = []
        for axis, length in enumerate(value.shape):
            if (name, axis) in by_axis:
                shape.append(by_axis[name, axis])
            elif isinstance(length, Expr) and symbols(length) <= known.keys():
                shape.append(number(length, known))
            elif isinstance(length, int):
                shape.append(length)
            elif axis == 0:
                shape.append(1)
            else:
                raise UsageError(
                    f'axis {axis} of input "{name}" has no known length', hint="give the shape with --input"
                )
        shapes[name] = tuple(shape)
    return shapes, known
