"""Tables of layouts: rows that a plug-in owns, looked up by layer type and weight role."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shapeinspect.errors import LayoutError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layout
from shapeinspect.layout.pattern import expand, expand_to, parse


@dataclass(frozen=True, slots=True)
class Row:
    """How one framework stores one weight of one or more layer types.

    Args:
        types: the native layer types, separated by spaces.
        role: the weight's role in the framework's spelling, such as ``kernel``.
        native: the stored axes; ``*k`` stands for the kernel axes of any rank.
        common: the same elementary axes in the common convention.
        sizes: fixed lengths of parts of composite axes, such as ``{"gate": 4}``; lengths that
            depend on the layer (``g``) are given to :meth:`Table.bind`.
        orders: for an axis with named entries: the axis, the native order, the common order.
        flips: the axes whose entries are stored back to front.
        slot: what the weight is to its layer in every framework, see :class:`shapeinspect.ir.Layout`;
            None for what the table's ``slots`` say of the role.
        splits: the axes along which it holds several slots.

    Example:
        >>> Row("Conv2D", "kernel", "*k i o", "o i *k").types
        'Conv2D'
    """

    types: str
    role: str
    native: str
    common: str
    sizes: Frozen[int] = Frozen()
    orders: tuple[tuple[str, str, str], ...] = ()
    flips: tuple[str, ...] = ()
    slot: str | None = None
    splits: tuple[tuple[str, tuple[str, ...]], ...] = ()


class Table:
    """All rows of one plug-in.

    Args:
        rows: the rows; of several rows for the same type, role and rank the first one counts.
        slots: the slot of each role whose row does not name one; a role that is not among them is
            its own slot.

    Raises:
        LayoutError: if the two patterns of a row do not name the same axes.

    Example:
        >>> table = Table([Row("Conv2D", "kernel", "*k i o", "o i *k")])
        >>> table.bind("Conv2D", "kernel", 4).common
        'o i kh kw'
    """

    def __init__(self, rows: Iterable[Row], slots: Mapping[str, str] | None = None) -> None:
        self.rows = tuple(rows)
        self.slots = dict(slots or {})
        self._rows: dict[tuple[str, str], list[Row]] = {}
        self._bound: dict[tuple[str, str, int], Layout | None] = {}
        for row in self.rows:
            if set(parse(row.native).names) != set(parse(row.common).names):
                raise LayoutError(f"row {row.types} {row.role}: {row.native!r} and {row.common!r} differ")
            for kind in row.types.split():
                self._rows.setdefault((kind, row.role), []).append(row)

    def bind(self, kind: str, role: str, ndim: int, sizes: Mapping[str, int] | None = None) -> Layout | None:
        """Return the layout of one weight, or None if no row matches its type, role and rank.

        Args:
            kind: the native layer type.
            role: the weight's role.
            ndim: its rank.
            sizes: lengths of parts of composite axes that depend on the layer, such as ``{"g": 2}``.

        Example:
            >>> Table([Row("LSTM", "kernel", "i (gate o)", "gate o i", Frozen(gate=4))]).bind(
            ...     "LSTM", "kernel", 2).sizes["gate"]
            4
        """
        rows = self._rows.get((kind, role))
        if rows is None:
            return None
        if sizes:
            return self._first(rows, role, ndim, sizes)
        key = (kind, role, ndim)
        if key not in self._bound:  # the weights of one kind share a layout
            self._bound[key] = self._first(rows, role, ndim, {})
        return self._bound[key]

    def _first(self, rows: Iterable[Row], role: str, ndim: int, sizes: Mapping[str, int]) -> Layout | None:
        for row in rows:
            try:
                native = expand(row.native, ndim)
            except LayoutError:
                continue
            rank = len(parse(native).axes) - len(parse(row.native).axes) + 1
            names = set(parse(native).names)
            bound = {name: size for name, size in sizes.items() if name in names}
            return Layout(
                native,
                expand_to(row.common, rank),
                Frozen({**row.sizes, **bound}),
                row.orders,
                tuple(axis for flip in row.flips for axis in parse(expand_to(flip, rank)).names),
                self.slots.get(role, role) if row.slot is None else row.slot,
                row.splits,
            )
        return None
