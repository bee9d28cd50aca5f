"""The table of a model: its inputs and outputs, one row a layer, the totals, the notes."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, starmap
from typing import Literal, TypeAlias

from shapeinspect.backward.table import RULES
from shapeinspect.dims import Dim, symbols
from shapeinspect.errors import UsageError
from shapeinspect.ir import Layer, Model, Value
from shapeinspect.layer_names import matching, row_label, similar
from shapeinspect.render import cells, listing
from shapeinspect.render.activations import activations
from shapeinspect.render.grid import Column, Grid, Line, measure
from shapeinspect.render.legend import legend
from shapeinspect.render.letters import Letters
from shapeinspect.render.rows import ALL_COLUMNS, COLUMNS, Sheet, Texts, weights_of
from shapeinspect.render.totals import Totals, of_layers, of_model
from shapeinspect.render.tree import Node, build, fold, shorten
from shapeinspect.text import many, printable
from shapeinspect.units import count, short

SORTS = ("params", "bytes", "macs", "path")

#: How many types of layers whose work is unknown are named below the table.
_MOST_TYPES = 4
ORDERS = ("tree", "calls")

#: A width that no table reaches.
_UNLIMITED = 1 << 30

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
        legend: whether the letters and settings are explained below.

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
    legend: bool = False

    def __post_init__(self) -> None:
        wrong = [name for name in self.columns if name not in ALL_COLUMNS]
        if wrong:
            raise UsageError(
                f"invalid value {wrong[0]!r} for '--columns'", expected=f"one of: {', '.join(ALL_COLUMNS)}"
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


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a table, before they are put into lines.

    Args:
        title: the source and what it is.
        ends: the inputs and outputs, a line each.
        grid: the rows; None if there are none.
        levels: how deep each row of the grid stands; None for a further one of the layer above it.
        below: the sums, what a filter found, and the notes.
    """

    title: Line
    ends: tuple[Line, ...]
    grid: Grid | None
    levels: tuple[int | None, ...]
    below: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    """A node's place in a table.

    Args:
        label: what it is called, indented.
        node: the node.
        level: how many containers of the table it stands in.
        closed: whether what is inside it is left out, so that its amounts are those of all of it.
    """

    label: str
    node: Node
    level: int = 0
    closed: bool = False


def table(model: Model, view: View) -> list[Line]:
    """Draw a model.

    Args:
        model: a model that went through ``layout.normalize`` and ``infer``.
        view: what to show.

    Returns:
        styled lines without line ends.
    """
    shown = parts(model, view)
    lines = [shown.title, *shown.ends]
    if shown.grid is not None:
        lines += [*_hidden(shown.grid), (), *shown.grid.lines()]
    return [*lines, (), *shown.below]


def parts(model: Model, view: View, *, narrow: bool = True) -> Parts:
    """Take a table apart, for a form that is no grid of cells.

    Args:
        model: a model that went through ``layout.normalize`` and ``infer``.
        view: what to show.
        narrow: whether columns are given up and lines wrapped where they are too wide.
    """
    view = view if narrow else replace(view, width=_UNLIMITED)
    letters = Letters(model)
    chosen = None if view.filter is None else matching(model, view.filter).layers
    placed = list(_placed(model, view, chosen))
    groups = _groups(model, view, letters, placed)
    levels = [
        None if further else row.level
        for row, group in zip(placed, groups, strict=True)
        for further in range(len(group))
    ]
    grid = _fitted(model, view, placed, groups) if placed else None
    below: list[Line] = []
    if view.filter is not None and chosen is not None:
        below += [*_wrap(_matches(model, view.filter, len(chosen)), view.width, "  ", "dim"), ()]
    sums = [*_sums(model, letters, chosen), *_returned(model, view, letters)]
    below += [part for line in sums for part in _fit(line, view.width)]
    if view.legend:
        below += [(), *legend(model, view.width), ()] if model.notes else [(), *legend(model, view.width)]
    for note in model.notes:
        about = f"{printable(note.about)}: " if note.about else ""
        below += _wrap(f"note  {about}{printable(note.text, 2000)}", view.width, "      ")
    return Parts(_title(model), tuple(_ends(model, letters)), grid, tuple(levels), tuple(below))


def _returned(model: Model, view: View, letters: Letters) -> Iterator[Line]:
    """Add up the columns of activations, where they are shown."""
    containers = {layer.path for layer in model.layers if layer.kind == "module"}
    calls = [call for call in model.calls if call.layer not in containers and not call.spare]
    if "activations" in view.columns and calls:
        size, lacking = activations(calls, model.values)
        amount = letters.amount(size)
        text = cells.at_least(cells.amount_of_one(amount, "B"), lacking)
        yield (("activations ", "dim"), (f"{text} for each N" if _is_for_each(amount) else text, ""))
    if "kept" in view.columns and calls:
        each, once, lacking = Sheet(model, letters).kept_texts(calls)
        returned, _ = activations(calls, model.values)
        grows = _is_for_each(letters.amount(returned)) and each not in ("?", "0 B")
        parts = [f"{each} for each N" if grows else each, once]
        text = cells.at_least(" + ".join(filter(None, parts)), lacking)
        rest = f" · not known of {many(lacking, 'tensor')}" if lacking else ""
        yield (("kept for backward ", "dim"), (f"{text}{rest} · {RULES}", ""))


def _is_for_each(amount: Dim | None) -> bool:
    """Tell whether an amount is that of one sample of a batch."""
    return amount is not None and bool(symbols(amount) & set(cells.BATCH)) and cells.grows_with_batch(amount)


def _title(model: Model) -> Line:
    number = f"{count(len(model.layers))} {'layer' if len(model.layers) == 1 else 'layers'}"
    named = model.described or tuple(dict.fromkeys((model.format, model.framework)))
    facts = "  " + " · ".join(printable(fact, 60) for fact in (*named, number))
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
    columns = [ALL_COLUMNS[name] for name in _names(view)]
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


def _fitted(model: Model, view: View, placed: Sequence[_Row], groups: Sequence[list[list[str]]]) -> Grid:
    """Fit the rows into the width; where the weights do not, without the source's words for their roles."""
    columns = _columns(view, bool(model.calls))
    grid = measure(columns, list(chain.from_iterable(groups)), view.width)
    if grid.is_short_of(COLUMNS["weights"].name):
        places = [index for index, name in enumerate(_names(view)) if name == "weights"]
        for row, group in zip(placed, groups, strict=True):
            for texts, text in zip(group, weights_of(row.node, brief=True), strict=False):
                for place in places:
                    texts[place] = text
        grid = measure(columns, list(chain.from_iterable(groups)), view.width)
    return grid


def _placed(model: Model, view: View, chosen: tuple[Layer, ...] | None) -> Iterable[_Row]:
    """Return the nodes that have a row, in their order."""
    root = build(model)
    if chosen is not None:
        root.children = _kept(root.children, {layer.path for layer in chosen})
    elif not view.unfold and view.sort is None and view.order == "tree":
        fold(root, model)
    if view.sort is not None:
        return starmap(_Row, listing.ranked(root, view.sort))
    if view.order == "calls":
        return starmap(_Row, listing.executed(root, model))
    return _indented(shorten(root).children, 0, view.depth)


def _groups(model: Model, view: View, letters: Letters, placed: Iterable[_Row]) -> list[list[list[str]]]:
    """Return the rows of each node."""
    names = _names(view)
    groups: list[list[list[str]]] = []
    drawn: dict[int, list[list[str]]] = {}
    sheet = Sheet(model, letters)
    counted: dict[str, str] = {}
    for row in placed:
        node = row.node
        known = drawn.get(node.signature)
        if known is None:
            texts = Texts(sheet, node, not node.children or row.closed, counted)
            known = texts.rows(names)
            counted = {**texts.storages, **counted} if texts.storages else counted
            if "from" not in names and _alike(node):
                drawn[node.signature] = known
        first = known[0].copy()
        if "layer" in names:
            first[names.index("layer")] = row.label
        groups.append([first, *known[1:]])
    return groups


def _alike(node: Node) -> bool:
    """Tell whether all nodes with this node's signature have the same cells, apart from their names."""
    weights = node.layer.weights if node.layer else ()
    plain = not node.children and not node.calls and all(weight.storage is None for weight in weights)
    return plain and node.signature != 0


def _kept(nodes: Iterable[Node], paths: Container[str]) -> list[Node]:
    kept = []
    for node in nodes:
        node.children = _kept(node.children, paths)
        if node.children or (node.layer is not None and node.layer.path in paths):
            kept.append(node)
    return kept


def _indented(nodes: Iterable[Node], level: int, depth: int | None) -> Iterator[_Row]:
    stack = [(node, level) for node in reversed(list(nodes))]
    while stack:
        node, level = stack.pop()
        name = row_label(node.name)
        label = "  " * level + (f"{name} ×{node.count}" if node.count > 1 else name)
        closed = bool(node.children) and depth is not None and level >= depth
        yield _Row(label, node, level, closed)
        if not closed:
            stack.extend((child, level + 1) for child in reversed(node.children))


def _sums(model: Model, letters: Letters, chosen: Sequence[Layer] | None) -> Iterator[Line]:
    """Write the sums of the model; where layers were chosen, theirs beside it."""
    whole = of_model(model)
    totals = whole if chosen is None else of_layers(chosen, model)
    of = (lambda text, all_of_it: text) if chosen is None else "{} of {}".format
    text = of(_params(totals), _params(whole))
    if totals.trainable is not None:
        text += f"  ({count(totals.trainable)} trainable, {count(totals.params - totals.trainable)} not)"
    if totals.buffers:
        text += f", and {count(totals.buffers)} values in buffers"
    if totals.unknown:
        text += f"  ({_weights(totals.unknown)} of unknown shape)"
    yield (("parameters  ", "dim"), (text, ""))
    kinds = ", ".join(f"{printable(dtype)} {short(size, 'B')}" for dtype, size in totals.bytes_by_dtype)
    text = of(_bytes(totals), _bytes(whole)) + (f"  ({kinds})" if kinds else "")
    if totals.bytes_unknown:
        text += f"  ({_weights(totals.bytes_unknown)} of unknown size)"
    yield (("bytes       ", "dim"), (text, ""))
    if model.calls:
        part, all_of_it = _work(letters, totals), _work(letters, whole)
        each = " for each N"
        text = of(part.removesuffix(each) if chosen and all_of_it.endswith(each) else part, all_of_it)
        yield (("MACs        ", "dim"), (text + _lacking(totals, model), ""))


def _params(totals: Totals) -> str:
    return cells.at_least(count(totals.params), totals.unknown)


def _bytes(totals: Totals) -> str:
    return cells.at_least(short(totals.bytes, "B"), totals.bytes_unknown)


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
    batch = symbols(amount) & set(cells.BATCH) if _is_for_each(amount) else frozenset()
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
