"""Operations whose shapes depend on the ranks and lengths of a call's operands, as signatures.

Source: ``compute_output_spec`` of keras/src/ops/numpy.py, linalg.py, math.py and nn.py, 3.15, and the
functions of NumPy of the same names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from shapeinspect.dims import Shape
from shapeinspect_keras.calls.arguments import Arguments
from shapeinspect_keras.calls.indexing import Step
from shapeinspect_keras.vocabulary.signatures import whole

_Shapes: TypeAlias = "Sequence[Shape]"
_Terms: TypeAlias = "list[str]"
_Writer: TypeAlias = "Callable[[Mapping[str, Any], Arguments, _Shapes], str | None]"

#: The highest rank that is written out.
_MOST = 16


#: Those that add up products, in numbers that are not counted.
_MULTIPLYING = frozenset({"Inner", "Vdot", "Correlate", "Corrcoef", "Solve", "SolveTriangular", "Lstsq"})


def rank_steps(
    operation: str, config: Mapping[str, Any], arguments: Arguments, shapes: _Shapes
) -> tuple[Step, ...] | None:
    """Describe one call of an operation of this table.

    Args:
        operation: its class, one of ``BY_RANK``.
        config: its settings.
        arguments: the arguments of the call.
        shapes: the shape of each operand.

    Example:
        >>> rank_steps("Outer", {}, Arguments(), [(3,), (5,)])
        (('operation', {'signature': 'a0, b0 -> a0 b0'}),)
    """
    if any(len(shape) > _MOST for shape in shapes):
        return None
    text = BY_RANK[operation](config, arguments, shapes)
    if text is None:
        return None
    work = {"work": "?"} if operation in _MULTIPLYING else {}
    return (("operation", {"signature": text, **work}),)


def _axes(rank: int, letter: str = "a") -> _Terms:
    return [f"{letter}{axis}" for axis in range(rank)]


def _written(inputs: Iterable[_Terms], outputs: Iterable[_Terms]) -> str:
    return f"{', '.join(map(' '.join, inputs))} -> {'; '.join(map(' '.join, outputs))}"


def _place(axis: Any, rank: int) -> int:
    """Return the place of an axis that is counted from either end."""
    if type(axis) is not int or not -rank <= axis < rank:
        raise IndexError(axis)
    return axis % rank


def _offset(value: Any) -> int:
    """Return a whole number that may count to either side."""
    return whole(value, -(2**40))


def _product(terms: Iterable[str]) -> str:
    return "*".join(terms) or "1"


def _diag(config: Mapping[str, Any], _arguments: Arguments, shapes: _Shapes) -> str | None:
    offset = _offset(config.get("k", 0))
    if len(shapes[0]) == 1:
        return f"n -> n+{abs(offset)} n+{abs(offset)}"
    return f"i j -> {_diagonal_length('i', 'j', offset)}" if len(shapes[0]) == 2 else None


def _diagonal_length(rows: str, columns: str, offset: int) -> str:
    """Write the length of a diagonal: above the first for a positive offset, else below it."""
    if not offset:
        return f"min({rows},{columns})"
    rows, columns = (rows, f"{columns}-{offset}") if offset > 0 else (f"{rows}-{-offset}", columns)
    return f"max(min({rows},{columns}),0)"


def _diagflat(config: Mapping[str, Any], _arguments: Arguments, shapes: _Shapes) -> str:
    axes = _axes(len(shapes[0]))
    length = f"{_product(axes)}+{abs(_offset(config.get('k', 0)))}"
    return _written([axes], [[length, length]])


def _diagonal(config: Mapping[str, Any], _arguments: Arguments, shapes: _Shapes) -> str:
    axes = _axes(len(shapes[0]))
    kept, rows, columns = _without_two(config, axes)
    return _written([axes], [[*kept, _diagonal_length(rows, columns, _offset(config.get("offset", 0)))]])


def _trace(config: Mapping[str, Any], _arguments: Arguments, shapes: _Shapes) -> str:
    axes = _axes(len(shapes[0]))
    return _written([axes], [_without_two(config, axes)[0]])


def _without_two(config: Mapping[str, Any], axes: _Terms) -> tuple[_Terms, str, str]:
    first, second = (
        _place(config.get(name, index), len(axes)) for index, name in enumerate(("axis1", "axis2"))
    )
    kept = [term for at, term in enumerate(axes) if at not in (first, second)]
    return kept, axes[first], axes[second]


def _diff(config: Mapping[str, Any], _arguments: Arguments, shapes: _Shapes) -> str:
    axes = _axes(len(shapes[0]))
    place, times = _place(config.get("axis", -1), len(axes)), whole(config.get("n", 1))
    shorter = [f"max({term}-{times},0)" if at == place and times else term for at, term in enumerate(axes)]
    return _written([axes], [shorter])


def _rot90(config: Mapping[str, Any], _arguments: Arguments, shapes: _Shapes) -> str:
    axes = _axes(len(shapes[0]))
    turned = list(axes)
    first, second = (_place(axis, len(axes)) for axis in config.get("axes", (0, 1)))
    if _offset(config.get("k", 1)) % 2:
        turned[first], turned[second] = turned[second], turned[first]
    return _written([axes], [turned])


def _vander(config: Mapping[str, Any], _arguments: Arguments, _shapes: _Shapes) -> str:
    columns = config.get("N")
    return f"n -> n {'n' if columns is None else whole(columns)}"


def _moments(config: Mapping[str, Any], _arguments: Arguments, shapes: _Shapes) -> str:
    axes = _axes(len(shapes[0]))
    given = config["axes"]
    reduced = {_place(axis, len(axes)) for axis in (given if isinstance(given, list | tuple) else [given])}
    whole = bool(config.get("keepdims"))
    kept = ["1" if at in reduced else term for at, term in enumerate(axes) if whole or at not in reduced]
    return _written([axes], [kept, kept])


def several_quantiles(
    count: int, axes: tuple[int, ...] | None, keepdims: bool, rank: int
) -> tuple[Step, ...]:
    """Describe quantiles of several shares: they are a new first axis.

    Args:
        count: how many shares.
        axes: the reduced axes, None for all.
        keepdims: whether they stay with length 1.
        rank: the rank of the input.

    Example:
        >>> several_quantiles(3, (1,), False, 2)
        (('operation', {'signature': 'a0 a1 -> 3 a0'}),)
    """
    terms = _axes(rank)
    reduced = set(range(rank)) if axes is None else {_place(axis, rank) for axis in axes}
    kept = ["1" if at in reduced else term for at, term in enumerate(terms) if keepdims or at not in reduced]
    return (("operation", {"signature": _written([terms], [[str(count), *kept]])}),)


def _kron(_config: Mapping[str, Any], _arguments: Arguments, shapes: _Shapes) -> str | None:
    if len(shapes) != 2:
        return None
    rank = max(map(len, shapes))
    left, right = _axes(len(shapes[0])), _axes(len(shapes[1]), "b")
    pairs = zip(*(["1"] * (rank - len(side)) + side for side in (left, right)), strict=True)
    return _written([left, right], [[f"{a}*{b}" for a, b in pairs]])


def _inner(_config: Mapping[str, Any], _arguments: Arguments, shapes: _Shapes) -> str | None:
    if len(shapes) != 2 or not shapes[0] or not shapes[1]:
        return None
    left, right = _axes(len(shapes[0])), _axes(len(shapes[1]), "b")
    return _written([left, right], [[*left[:-1], *right[:-1]]])


def _outer(_config: Mapping[str, Any], _arguments: Arguments, shapes: _Shapes) -> str | None:
    if len(shapes) != 2:
        return None
    left, right = _axes(len(shapes[0])), _axes(len(shapes[1]), "b")
    return _written([left, right], [[_product(left), _product(right)]])


def _vdot(_config: Mapping[str, Any], _arguments: Arguments, _shapes: _Shapes) -> str:
    return "*, * -> "


def _cross(config: Mapping[str, Any], _arguments: Arguments, shapes: _Shapes) -> str | None:
    """Give vectors of three numbers along the last axis; two numbers give no axis."""
    plain = config.get("axis") in (None, -1) and all(
        config.get(name, -1) == -1 for name in ("axisa", "axisb", "axisc")
    )
    if not plain or len(shapes) != 2 or len(shapes[0]) != len(shapes[1]) or not shapes[0]:
        return None
    length = shapes[0][-1]
    if length == 3:
        return "... 3, ... _ -> ... 3"
    return "... 2, ... 3 -> ... 3 | ... 2, ... 2 -> ..." if length == 2 else None


def _correlate(config: Mapping[str, Any], _arguments: Arguments, _shapes: _Shapes) -> str | None:
    mode = config.get("mode", "valid")
    lengths = {"valid": "max(a,b)-min(a,b)+1", "same": "max(a,b)", "full": "a+b-1"}
    return f"a, b -> {lengths[mode]}"


def _meshgrid(config: Mapping[str, Any], _arguments: Arguments, shapes: _Shapes) -> str:
    inputs = [_axes(len(shape), f"v{index}_") for index, shape in enumerate(shapes)]
    lengths = [_product(axes) for axes in inputs]
    if config.get("indexing", "xy") == "xy":
        lengths[:2] = reversed(lengths[:2])
    return _written(inputs, [lengths] * len(shapes))


def _pieces(axis: Callable[[int], int]) -> _Writer:
    """Return a writer of an operation that splits an axis, of which the rank decides."""

    def write(config: Mapping[str, Any], _arguments: Arguments, shapes: _Shapes) -> str | None:
        axes = _axes(len(shapes[0]))
        place, given = axis(len(axes)), config.get("indices_or_sections")
        if type(given) is int and 0 < given <= 1000:
            lengths = [f"{axes[place]}/{given}"] * given
        elif isinstance(given, list | tuple) and len(given) <= 1000 and all(type(at) is int for at in given):
            ends = [*map(str, given), axes[place]]
            starts = ["0", *map(str, given)]
            lengths = [f"{end}-{start}" for start, end in zip(starts, ends, strict=True)]
        else:
            return None
        return _written([axes], [[*axes[:place], length, *axes[place + 1 :]] for length in lengths])

    return write


def _trapezoid(config: Mapping[str, Any], _arguments: Arguments, shapes: _Shapes) -> str:
    axes = _axes(len(shapes[0]))
    place = _place(config.get("axis", -1), len(axes))
    return _written([axes], [[*axes[:place], *axes[place + 1 :]]])


def _solve(_config: Mapping[str, Any], _arguments: Arguments, shapes: _Shapes) -> str | None:
    if len(shapes) != 2:
        return None
    vector = len(shapes[1]) == len(shapes[0]) - 1
    return "... i j, ... i -> ... j" if vector else "... i j, ... i k -> ... j k"


def _entropy(config: Mapping[str, Any], _arguments: Arguments, shapes: _Shapes) -> str | None:
    """Sum over the axis of the classes, which a target of classes has not."""
    if len(shapes) != 2:
        return None
    axes = _axes(len(shapes[1]))
    place = _place(config.get("axis", -1), len(axes))
    kept = [*axes[:place], *axes[place + 1 :]]
    return f"*, {_written([axes], [kept])}"


def _segments(config: Mapping[str, Any], _arguments: Arguments, shapes: _Shapes) -> str:
    axes, count = _axes(len(shapes[0])), config.get("num_segments")
    return _written([axes], [["?" if count is None else str(whole(count)), *axes[1:]]])


def _nonzero(_config: Mapping[str, Any], _arguments: Arguments, shapes: _Shapes) -> str:
    return f"* -> {'; '.join(['?'] * len(shapes[0]))}"


def _unique(config: Mapping[str, Any], _arguments: Arguments, _shapes: _Shapes) -> str | None:
    more = any(config.get(f"return_{name}") for name in ("index", "inverse", "counts"))
    if more or config.get("axis") is not None:
        return None
    size = config.get("size")
    return f"* -> {'?' if size is None else whole(size)}"


def _selected(_config: Mapping[str, Any], _arguments: Arguments, shapes: _Shapes) -> str | None:
    same = all(shape == shapes[0] for shape in shapes)
    return "... -> ..." if same else None


#: What writes the signature of each operation.
BY_RANK: dict[str, _Writer] = {
    "Diag": _diag,
    "Diagflat": _diagflat,
    "Diagonal": _diagonal,
    "Trace": _trace,
    "Diff": _diff,
    "Rot90": _rot90,
    "Vander": _vander,
    "Moments": _moments,
    "Kron": _kron,
    "Inner": _inner,
    "Outer": _outer,
    "Vdot": _vdot,
    "Cross": _cross,
    "Correlate": _correlate,
    "Corrcoef": lambda _config, _arguments, shapes: "n m -> n n" if len(shapes[0]) == 2 else None,
    "Meshgrid": _meshgrid,
    "Hsplit": _pieces(lambda rank: 0 if rank == 1 else 1),
    "Vsplit": _pieces(lambda _rank: 0),
    "Dsplit": _pieces(lambda _rank: 2),
    "Select": _selected,
    "Trapezoid": _trapezoid,
    "Solve": _solve,
    "SolveTriangular": _solve,
    "Lstsq": _solve,
    **dict.fromkeys(("CategoricalCrossentropy", "SparseCategoricalCrossentropy"), _entropy),
    **dict.fromkeys(("SegmentSum", "SegmentMax", "SegmentMin", "SegmentProd"), _segments),
    "Nonzero": _nonzero,
    "Unique": _unique,
    # An element of another width stretches or shortens the last axis.
    "View": lambda _config, _arguments, _shapes: "... n -> ... ?",
}
