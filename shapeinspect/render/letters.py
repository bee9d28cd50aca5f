"""The letters that stand for the lengths of a model's inputs in its table."""

from __future__ import annotations

from collections.abc import Mapping

from shapeinspect.dims import Dim, Expr, Shape, substitute, symbol, symbols
from shapeinspect.ir import Model

_BATCH = "N"


class Letters:
    """Writes the symbols of the inputs' lengths as the letters of their axes.

    The first lines of a table show the names: ``H=height``. A symbol keeps its name where its letter
    would be ambiguous: it has two axes or two letters, or another symbol has that letter.

    Args:
        model: a model that went through ``infer``.

    Example:
        >>> from shapeinspect.frozen import Frozen
        >>> from shapeinspect.ir import Value
        >>> h = symbol("height")
        >>> values = Frozen({"x": Value("x", (symbol("b.0"), h, 3), None, ("N", "H", "C"))})
        >>> Letters(Model("m", "onnx", "onnx", "onnx", values=values, inputs=("x",))).shape((2, (h + 1) // 2))
        (2, (H + 1)//2)
    """

    def __init__(self, model: Model) -> None:
        pairs = {
            (str(length), letter)
            for value in (model.values[name] for name in model.inputs if name in model.values)
            for length, letter in zip(value.shape or (), value.axes or (), strict=False)
            if letter and letter.isalpha() and isinstance(length, Expr) and length == symbol(str(length))
        }
        names, letters = [name for name, _ in pairs], [letter for _, letter in pairs]
        clear = {n: c for n, c in pairs if names.count(n) == 1 and letters.count(c) == 1 and n != c}
        batch = {name for name, letter in pairs if letter == _BATCH and names.count(name) == 1}
        taken = _symbols(model) if clear or batch else frozenset()
        self._names: Mapping[str, Dim] = {n: symbol(c) for n, c in clear.items() if c not in taken}
        # Another symbol with the name of the letter would be taken for the batch.
        foreign = _BATCH in taken and _BATCH not in batch
        self._batch: Mapping[str, Dim] = {} if foreign else {name: symbol(_BATCH) for name in batch}
        self._seen: dict[int, tuple[Shape, Shape]] = {}

    def shape(self, shape: Shape | None) -> Shape | None:
        """Return a shape in letters.

        Args:
            shape: the lengths; None if not even the rank is known.
        """
        if not self._batch and not self._names:
            return shape
        if shape is None or not any(isinstance(length, Expr) for length in shape):
            return shape
        pair = self._seen.get(id(shape))
        if pair is None:  # the shape itself is kept, so that no other shape can get its id
            pair = self._seen[id(shape)] = (shape, self._written(shape))
        return pair[1]

    def _written(self, shape: Shape) -> Shape:
        found = {name for length in shape if isinstance(length, Expr) for name in symbols(length)}
        batch = found & self._batch.keys()
        named = {**self._names, **self._batch} if len(batch) == 1 else self._names
        return tuple(substitute(length, named) for length in shape) if named else shape

    def amount(self, amount: Dim | None) -> Dim | None:
        """Return an amount of work in letters: the batch is ``N`` whatever the inputs call it.

        Args:
            amount: the work; None if it is not known.

        Example:
            >>> from shapeinspect.frozen import Frozen
            >>> from shapeinspect.ir import Value
            >>> values = {n: Value(n, (symbol(f"{n}_0"), 3), None, ("N", "C")) for n in ("ids", "mask")}
            >>> model = Model("m", "onnx", "onnx", "onnx", values=Frozen(values), inputs=tuple(values))
            >>> Letters(model).amount(2 * symbol("ids_0") + 3 * symbol("mask_0"))
            5*N
        """
        named = {**self._names, **self._batch}
        return substitute(amount, named) if named and amount is not None else amount


def _symbols(model: Model) -> frozenset[str]:
    """Return every symbol of the model's shapes."""
    lengths = {
        id(length): length
        for value in model.values.values()
        for length in value.shape or ()
        if isinstance(length, Expr)
    }
    return frozenset().union(*map(symbols, lengths.values()))
