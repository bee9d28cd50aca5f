"""The table of a model: its inputs and outputs, one row a layer, the totals, the notes."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Literal, TypeAlias

from shapeinspect.dims import symbols
from shapeinspect.errors import UsageError
from shapeinspect.ir import Call, Layer, Model, Value, Weight
from shapeinspect.layer_names import matching, row_label, similar
from shapeinspect.render import cells, listing, roles
from shapeinspect.render.grid import Column, Grid, Line, measure
from shapeinspect.render.letters import Letters
from shapeinspect.render.totals import Totals, of_model, weigh
from shapeinspect.render.tree import Node, build, fold, shorten
from shapeinspect.text import many, printable
from shapeinspect.units import count, short

#: The columns, left to right. Where the terminal is too narrow, columns are dropped by rank, the highest
#: first: bytes, type, common, input, MACs, weights, settings; those for which there is room again come
#: back. Where the source has only weights, their column stays.
COLUMNS: dict[str, Column] = {
    "layer": Column("layer", style="path", elastic=True),
    "kind": Column("kind", style="kind", elastic=True),
    "type": Column("type", style="dim", rank=6),
    "input": Column("input", rank=4, elastic=True),
    "output": Column("output", elastic=True),
    "settings": Column("settings", rank=1, elastic=True),
    "weights": Column("weights", rank=2, elastic=True),
    "common": Column("common", style="common", rank=5, elastic=True),
    "params": Column("params", right=True, style="number"),
    "bytes": Column("bytes", right=True, style="number", rank=7),
    "macs": Column("MACs", right=True, style="number", rank=3),
}

SORTS = ("params", "bytes", "macs", "path")

#: How many types of layers whose work is unknown are named below the table.
_MOST_TYPES = 4
ORDERS = ("tree", "calls")

LayoutChoice: TypeAlias = Literal["both", "native", "common"]
Order: TypeAlias = Literal["tree", "calls"]


@dataclass(frozen=True, slots=True)
class View:
    """What to show of a model, and how.

    Args:
        width: terminal cells.
        depth: containers deeper than this are summarized in one row; None for all.
        columns: which columns; empty for as many as fit.
        filter: a glob on paths; None for all.
        layout: both weight layouts, or only one.
        sort: a column of ``SORTS`` to sort a flat list by; None for the order of the model.
        order: ``tree`` for the layers in their containers, ``calls`` for a flat list in the order of
            execution, a row for every call.
        unfold: whether equal blocks are listed one by one.

    Example:
        >>> View(width=80).layout
        'both'
    """

    width: int = 200
    depth: int | None = None
    columns: tuple[str, ...] = ()
    filter: str | None = None
    layout: LayoutChoice = "both"
    sort: str | None = None
    order: Order = "tree"
    unfold: bool = False

    def __post_init__(self) -> None:
        wrong = [name for name in self.columns if name not in COLUMNS]
        if wrong:
            raise UsageError(
                f"invalid value {wrong[0]!r} for '--columns'", expected=f"one of: {', '.join(COLUMNS)}"
            )
        if self.sort is not None and self.sort not in SORTS:
            raise UsageError(
                f"invalid value {self.sort!r} for '--sort'", expected=f"one of: {', '.join(SORTS)}"
            )
        if self.order not in ORDERS:
            raise UsageError(
                f"invalid value {self.order!r} for '--order'", expected=f"one of: {', '.join(ORDERS)}"
            )
        if self.layout not in ("both", "native", "common"):
            raise UsageError(
                f"invalid value {self.layout!r} for '--layout'", expected="one of: both, native, common"
            )


def table(model: Model, view: View) -> list[Line]:
    """Draw a model.

    Args:
        model: a model that went through ``layout.normalize`` and ``infer``.
        view: what to show.

    Returns:
        styled lines without line ends.
    """
    letters = Letters(model)
    lines = [_title(model), *_ends(model, letters)]
    chosen = None if view.filter is None else matching(model, view.filter).layers
    pairs = list(_pairs(model, view, chosen))
    if pairs:
        grid = _fitted(model, view, letters, pairs)
        lines += [*_hidden(grid), (), *grid.lines()]
    if view.filter is not None and chosen is not None:
        lines += [(), *_wrap(_matches(model, view.filter, len(chosen)), view.width, "  ", "dim")]
    lines += [
        (),
        *(part for line in _sums(of_model(model), model, letters) for part in _fit(line, view.width)),
    ]
    for note in model.notes:
        about = f"{printable(note.about)}: " if note.about else ""
        lines += _wrap(f"note  {about}{printable(note.text, 2000)}", view.width, "      ")
    return lines


def _title(model: Model) -> Line:
    number = f"{count(len(model.layers))} {'layer' if len(model.layers) == 1 else 'layers'}"
    facts = "  " + ", ".join(printable(fact) for fact in (model.format, model.framework, number))
    return ((printable(model.source), "heading"), (facts, "dim"))


def _ends(model: Model, letters: Letters) -> Iterator[Line]:
    for label, names in (("input", model.inputs), ("output", model.outputs)):
        for name in names:
            value = model.values.get(name, Value(name))
            lengths = value.shape if label == "input" else letters.shape(value.shape)
            text = f"  {printable(name)}  {cells.shape(lengths, value.axes)}"
            yield ((f"{label:<6}", "dim"), (text, ""), (f"  {printable(value.dtype or '')}".rstrip(), "dim"))


def _hidden(grid: Grid) -> Iterator[Line]:
    """Name the columns for which there was no room."""
    if grid.hidden:
        yield ((f"hidden: {', '.join(grid.hidden)}", "dim"),)


def _columns(view: View, has_calls: bool) -> list[Column]:
    columns = [COLUMNS[name] for name in _names(view)]
    if not has_calls:
        weights = (COLUMNS["weights"], COLUMNS["common"] if view.layout == "common" else None)
        columns = [replace(column, rank=0) if column in weights else column for column in columns]
    if view.columns:  # requested columns are never dropped
        columns = [replace(column, rank=0, elastic=True) for column in columns]
    return columns


def _names(view: View) -> list[str]:
    if view.columns:
        return list(view.columns)
    hidden = {"native": {"common"}, "common": {"weights"}, "both": set()}[view.layout]
    return [name for name in COLUMNS if name not in hidden]


def _matches(model: Model, pattern: str, number: int) -> str:
    text = f"{number:,} of {many(len(model.layers), 'layer')} match {pattern!r}"
    close = [] if number else similar(model, pattern)
    return f"{text}; did you mean {' or '.join(close)}?" if close else text


def _fitted(model: Model, view: View, letters: Letters, pairs: Sequence[tuple[str, Node]]) -> Grid:
    """Fit the rows into the width; where the weights do not, without the source's words for their roles."""
    columns = _columns(view, bool(model.calls))
    groups = _groups(model, view, letters, pairs)
    grid = measure(columns, list(chain.from_iterable(groups)), view.width)
    if grid.is_short_of(COLUMNS["weights"].name):
        places = [index for index, name in enumerate(_names(view)) if name == "weights"]
        for (_, node), group in zip(pairs, groups, strict=True):
            for row, text in zip(group, _weights_of(node, brief=True), strict=False):
                for place in places:
                    row[place] = text
        grid = measure(columns, list(chain.from_iterable(groups)), view.width)
    return grid


def _pairs(model: Model, view: View, chosen: tuple[Layer, ...] | None) -> Iterable[tuple[str, Node]]:
    """Return the rows, each with its label."""
    root = build(model)
    if chosen is not None:
        root.children = _kept(root.children, {layer.path for layer in chosen})
    elif not view.unfold and view.sort is None and view.order == "tree":
        fold(root, model)
    if view.sort is not None:
        return listing.ranked(root, view.sort)
    if view.order == "calls":
        return listing.executed(root, model)
    return _indented(shorten(root).children, 0, view.depth)


def _groups(
    model: Model, view: View, letters: Letters, pairs: Sequence[tuple[str, Node]]
) -> list[list[list[str]]]:
    """Return the rows of each node."""
    names = _names(view)
    groups: list[list[list[str]]] = []
    drawn: dict[int, list[list[str]]] = {}
    shapes: dict[str, str] = {}
    for label, node in pairs:
        known = drawn.get(node.signature)
        if known is None:
            whole = not node.children or _cut_off(label, node, view)
            known = _Texts(model, node, whole, letters, shapes).rows(names)
            if _alike(node):
                drawn[node.signature] = known
        first = known[0].copy()
        if "layer" in names:
            first[names.index("layer")] = label
        groups.append([first, *known[1:]])
    return groups


def _alike(node: Node) -> bool:
    """Tell whether all nodes with this node's signature have the same cells, apart from their names."""
    weights = node.layer.weights if node.layer else ()
    plain = not node.children and not node.calls and all(weight.storage is None for weight in weights)
    return plain and node.signature != 0


def _cut_off(label: str, node: Node, view: View) -> bool:
    if view.sort is not None or view.order != "tree":
        return False
    depth = (len(label) - len(label.lstrip(" "))) // 2
    return bool(node.children) and view.depth is not None and depth >= view.depth


def _kept(nodes: Iterable[Node], paths: Container[str]) -> list[Node]:
    kept = []
    for node in nodes:
        node.children = _kept(node.children, paths)
        if node.children or (node.layer is not None and node.layer.path in paths):
            kept.append(node)
    return kept


def _indented(nodes: Iterable[Node], level: int, depth: int | None) -> Iterator[tuple[str, Node]]:
    stack = [(node, level) for node in reversed(list(nodes))]
    while stack:
        node, level = stack.pop()
        name = row_label(node.name)
        yield "  " * level + (f"{name} ×{node.count}" if node.count > 1 else name), node
        if node.children and (depth is None or level < depth):
            stack.extend((child, level + 1) for child in reversed(node.children))


@dataclass(frozen=True)
class _Texts:
    """The cells of one node: a first row, and further ones for more weights and calls."""

    model: Model
    node: Node
    whole: bool
    letters: Letters
    shapes: dict[str, str]  # of every value that has been written

    def rows(self, names: Sequence[str]) -> list[list[str]]:
        columns = [_CELLS[name](self) for name in names]
        height = max(1, *(len(column) for column in columns))
        return [[column[row] if row < len(column) else "" for column in columns] for row in range(height)]

    def layer(self) -> list[str]:
        return []

    def kind(self) -> list[str]:
        return [cells.kind(self.node.layer)] if self.node.layer else []

    def type(self) -> list[str]:
        return [printable(self.node.layer.type, 60)] if self.node.layer else []

    def settings(self) -> list[str]:
        return [cells.settings(self.node.layer)] if self.node.layer else []

    def input(self) -> list[str]:
        return [text for text, _ in self._calls]

    def output(self) -> list[str]:
        return [text for _, text in self._calls]

    @cached_property
    def _calls(self) -> list[tuple[str, str]]:
        ends = [(self._shapes(call.inputs), self._shapes(call.outputs)) for call in self.node.calls]
        unique = list(dict.fromkeys(ends))
        if len(unique) == 1 and len(ends) > 1:
            return [(unique[0][0], f"{unique[0][1]}  {len(ends)} calls")]
        return unique

    def _shapes(self, names: Sequence[str]) -> str:
        return cells.several([self.shapes.get(name) or self._shape(name) for name in names if name])

    def _shape(self, name: str) -> str:
        value = self.model.values.get(name) or Value(name)
        if value.element is not None:
            text = f"list of {cells.shape(self.letters.shape(value.element), None)}"
        else:
            text = cells.shape(self.letters.shape(value.shape), value.axes)
        self.shapes[name] = text
        return text

    def weights(self) -> list[str]:
        return _weights_of(self.node)

    def common(self) -> list[str]:
        return [cells.common(row.weight) for row in roles.rows(_stored(self.node))]

    def params(self) -> list[str]:
        sums = self._sums
        return [cells.at_least(count(sums.params), sums.unknown)] if sums.params or sums.unknown else []

    def bytes(self) -> list[str]:
        sums = self._sums
        missing = sums.bytes_unknown
        return [cells.at_least(short(sums.bytes, "B"), missing)] if sums.bytes or missing else []

    def macs(self) -> list[str]:
        sums = self._sums
        if not self._working_calls or (sums.macs == 0 and not sums.macs_unknown):
            return []
        return [cells.at_least(cells.macs(self.letters.amount(sums.macs)), len(sums.macs_unknown))]

    @cached_property
    def _sums(self) -> Totals:
        below = self.node.walk() if self.whole else iter([self.node])
        weights = [weight for node in below if node.layer for weight in node.layer.weights]
        return weigh(weights, self._working_calls)

    @cached_property
    def _working_calls(self) -> list[Call]:
        below = self.node.walk() if self.whole else iter([self.node])
        calls = [call for node in below if node.layer and node.layer.kind != "module" for call in node.calls]
        # Of several branches one counts; a row of another one tells its own work.
        return [call for call in calls if not call.spare] if self.node.children else calls


def _stored(node: Node) -> tuple[Weight, ...]:
    return node.layer.weights if node.layer else ()


def _weights_of(node: Node, *, brief: bool = False) -> list[str]:
    return [
        f"{printable(row.name, 48)} {cells.native(row.weight)}" + (f" ×{row.count}" if row.count > 1 else "")
        for row in roles.rows(_stored(node), brief=brief)
    ]


_CELLS: dict[str, Callable[[_Texts], list[str]]] = {name: getattr(_Texts, name) for name in COLUMNS}


def _sums(totals: Totals, model: Model, letters: Letters) -> Iterator[Line]:
    text = cells.at_least(count(totals.params), totals.unknown)
    if totals.trainable is not None:
        text += f"  ({count(totals.trainable)} trainable, {count(totals.params - totals.trainable)} not)"
    if totals.buffers:
        text += f", and {count(totals.buffers)} values in buffers"
    if totals.unknown:
        text += f"  ({_weights(totals.unknown)} of unknown shape)"
    yield (("parameters  ", "dim"), (text, ""))
    kinds = ", ".join(f"{printable(dtype)} {short(size, 'B')}" for dtype, size in totals.bytes_by_dtype)
    text = cells.at_least(short(totals.bytes, "B"), totals.bytes_unknown) + (f"  ({kinds})" if kinds else "")
    if totals.bytes_unknown:
        text += f"  ({_weights(totals.bytes_unknown)} of unknown size)"
    yield (("bytes       ", "dim"), (text, ""))
    if model.calls:
        yield (("MACs        ", "dim"), (_work(letters, totals) + _lacking(totals, model), ""))


def _weights(number: int) -> str:
    return "1 weight" if number == 1 else f"{count(number)} weights"


def _lacking(totals: Totals, model: Model) -> str:
    """Say which layers' work a total lacks: by their types, for the layers may be many."""
    lacking = [path for path in totals.macs_unknown if path != model.stopped]
    types = {layer.path: layer.type or layer.path for layer in model.layers}
    named = list(dict.fromkeys(types.get(path, path) for path in lacking))
    shown = ", ".join(printable(name, 40) for name in named[:_MOST_TYPES])
    more = f" and {len(named) - _MOST_TYPES} more" if len(named) > _MOST_TYPES else ""
    layers = f"{count(len(lacking))} {'layer' if len(lacking) == 1 else 'layers'} unknown: {shown}{more}"
    texts = [layers] if lacking else []
    if model.stopped is not None:
        where = printable(model.stopped, 60)
        texts.append(f'the calls end in "{where}"' if where else "the calls end before the model does")
    return f"  ({'; '.join(texts)})" if texts else ""


def _work(letters: Letters, totals: Totals) -> str:
    amount = letters.amount(totals.macs)
    text = cells.at_least(cells.macs(amount), len(totals.macs_unknown))
    if amount is None or isinstance(amount, int):
        return text
    batch = symbols(amount) & set(cells.BATCH) if cells.grows_with_batch(amount) else frozenset()
    if not text.endswith("…"):
        return f"{text} for each N" if batch else text
    return f"depend on {', '.join(sorted(symbols(amount) - batch))}: set with --input"


def _fit(line: Line, width: int) -> Iterable[Line]:
    """Continue a line that is too long below its text."""
    (label, style), (text, _) = line
    if len(label) + len(text) <= width:
        return (line,)
    first, *rest = _wrap(text, width - len(label), "", "")
    return [((label, style), *first), *(((" " * len(label), ""), *more) for more in rest)]


def _wrap(text: str, width: int, indent: str, style: str = "note") -> list[Line]:
    import textwrap

    return [((line, style),) for line in textwrap.wrap(text, max(width, 20), subsequent_indent=indent)]
