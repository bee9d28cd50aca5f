"""The cells of a table: what each column says of a layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from shapeinspect.backward.following import Share, kept_for_backward, total
from shapeinspect.dims import Dim, Expr, substitute
from shapeinspect.ir import Call, Model, Value, Weight
from shapeinspect.layer_names import row_label
from shapeinspect.render import cells, roles
from shapeinspect.render.activations import activations
from shapeinspect.render.grid import Column
from shapeinspect.render.letters import Letters
from shapeinspect.render.totals import Totals, of_model, weigh
from shapeinspect.render.tree import Node
from shapeinspect.text import printable
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

#: Further columns, which are shown only where they are asked for.
ON_REQUEST: dict[str, Column] = {
    "share": Column("% params", right=True, style="number"),
    "trainable": Column("trainable"),
    "activations": Column("activations", right=True, style="number"),
    "kept": Column("kept for backward", right=True, style="number"),
    "from": Column("from", style="path", elastic=True),
}

#: Every column by the name that it is asked for by.
ALL_COLUMNS: dict[str, Column] = {**COLUMNS, **ON_REQUEST}


@dataclass(frozen=True)
class Sheet:
    """What the rows of one table have in common.

    Args:
        model: the model.
        letters: the letters of its symbols.
        shapes: the text of every value that has been written.
    """

    model: Model
    letters: Letters
    shapes: dict[str, str] = field(default_factory=dict)

    @cached_property
    def totals(self) -> Totals:
        """The sums of the whole model."""
        return of_model(self.model)

    def shape(self, name: str) -> str:
        """Write the shape of a value with its letters.

        Args:
            name: the value's name.
        """
        known = self.shapes.get(name)
        if known is None:
            value = self.model.values.get(name) or Value(name)
            if value.element is not None:
                known = f"list of {cells.shape(self.letters.shape(value.element), None)}"
            else:
                known = cells.shape(self.letters.shape(value.shape), value.axes)
            self.shapes[name] = known
        return known

    def macs_text(self, sums: Totals) -> str:
        """Write the multiply-accumulates of calls for one sample; an empty text for none.

        Args:
            sums: the sums over the calls.
        """
        if sums.macs == 0 and not sums.macs_unknown:
            return ""
        return cells.at_least(cells.macs(self.letters.amount(sums.macs)), len(sums.macs_unknown))

    @cached_property
    def kept(self) -> Mapping[int, Share]:
        """What each call adds to what training keeps, by its ``id``."""
        return kept_for_backward(self.model)

    def kept_texts(self, calls: Iterable[Call]) -> tuple[str, str, int]:
        """Write the bytes that calls make a reverse pass keep: for each sample, and however many these are.

        Args:
            calls: the calls.

        Returns:
            the two amounts, empty texts for none, and of how many tensors the bytes are not known.
        """
        share = total(self.kept.get(id(call), Share()) for call in calls)
        amount = self.letters.amount(share.size)
        once: Dim = 0
        if isinstance(amount, Expr) and not cells.grows_with_batch(amount):
            fixed = substitute(amount, dict.fromkeys(cells.BATCH, 0))
            if cells.grows_with_batch(amount - fixed):
                amount, once = amount - fixed, fixed
        each = cells.amount_of_one(amount, "B")
        return each, cells.amount_of_one(once, "B") if once else "", share.lacking

    @cached_property
    def makers(self) -> Mapping[str, str]:
        """What a row calls the maker of each value: a layer, or an input by its own name."""
        made = {name: printable(name, 60) for name in self.model.inputs}
        containers = {layer.path for layer in self.model.layers if layer.kind == "module"}
        for call in self.model.calls:
            if call.layer not in containers:
                made.update((name, row_label(call.layer)) for name in call.outputs if name)
        return made


@dataclass(frozen=True)
class Texts:
    """The cells of one node: a first row, and further ones for more weights and calls.

    Args:
        sheet: what all rows have in common.
        node: the node.
        whole: whether its amounts are those of everything inside it.
        before: the names of the tied weights that rows above this one have counted, by their storage.
    """

    sheet: Sheet
    node: Node
    whole: bool
    before: Mapping[str, str] = field(default_factory=dict)

    def rows(self, names: Sequence[str]) -> list[list[str]]:
        """Return the rows, each with a text a column.

        Args:
            names: the columns.
        """
        columns = self.columns(names)
        height = max(1, *(len(column) for column in columns))
        return [[column[row] if row < len(column) else "" for column in columns] for row in range(height)]

    def columns(self, names: Sequence[str]) -> list[list[str]]:
        """Return the texts of each column.

        Args:
            names: the columns.
        """
        return [_CELLS[name](self) for name in names]

    def _layer_cells(self) -> list[str]:
        return []

    def _kind_cells(self) -> list[str]:
        return [cells.kind(self.node.layer)] if self.node.layer else []

    def _type_cells(self) -> list[str]:
        return [printable(self.node.layer.type, 60)] if self.node.layer else []

    def _settings_cells(self) -> list[str]:
        return [cells.settings(self.node.layer)] if self.node.layer else []

    def _input_cells(self) -> list[str]:
        return [text for text, _ in self._calls]

    def _output_cells(self) -> list[str]:
        return [text for _, text in self._calls]

    @cached_property
    def _calls(self) -> list[tuple[str, str]]:
        ends = [(self._shapes(call.inputs), self._shapes(call.outputs)) for call in self.node.calls]
        unique = list(dict.fromkeys(ends))
        if len(unique) == 1 and len(ends) > 1:
            return [(unique[0][0], f"{unique[0][1]}  {len(ends)} calls")]
        return unique

    def _shapes(self, names: Sequence[str]) -> str:
        return cells.several([self.sheet.shape(name) for name in names if name])

    def _weights_cells(self) -> list[str]:
        return weights_of(self.node, before=self.before)

    def _common_cells(self) -> list[str]:
        return [cells.common(row.weight) for row in roles.rows(_stored(self.node))]

    def _params_cells(self) -> list[str]:
        return self._with_tied(params_text(self._sums))

    def _bytes_cells(self) -> list[str]:
        return self._with_tied(bytes_text(self._sums))

    def _with_tied(self, amount: str) -> list[str]:
        """Return an amount that rows add up to the total by: what is counted above is named, not counted."""
        tied = any(weight.storage in self.before for weight in self._weights)
        return list(filter(None, [" + ".join(filter(None, [amount, "tied" if tied else ""]))]))

    def _macs_cells(self) -> list[str]:
        return list(filter(None, [self.sheet.macs_text(self._sums)] if self._working_calls else []))

    def _share_cells(self) -> list[str]:
        own, whole = self._sums, self.sheet.totals
        if own.unknown:
            return ["?"]
        if not own.params:
            return []
        share = f"{100 * own.params / whole.params:.1f} %"
        return [f"≤ {share}" if whole.unknown else share]

    def _trainable_cells(self) -> list[str]:
        own = weigh(self._weights, ())
        if not own.params:
            return []
        words = {None: "?", 0: "no", own.params: "yes"}
        return [words.get(own.trainable, f"{count(own.trainable or 0)} of {count(own.params)}")]

    def _activations_cells(self) -> list[str]:
        if not self._working_calls:
            return []
        size, lacking = activations(self._working_calls, self.sheet.model.values)
        return [cells.at_least(cells.amount_of_one(self.sheet.letters.amount(size), "B"), lacking)]

    def _kept_cells(self) -> list[str]:
        if not self._working_calls:
            return []
        each, once, lacking = self.sheet.kept_texts(self._working_calls)
        return [cells.at_least(" + ".join(filter(None, (each, once))), lacking)]

    def _from_cells(self) -> list[str]:
        makers = self.sheet.makers
        read = [[makers[name] for name in call.inputs if name in makers] for call in self.node.calls]
        return list(dict.fromkeys(", ".join(dict.fromkeys(names)) for names in read))

    @property
    def storages(self) -> dict[str, str]:
        """The names of the weights that may be tied to those of rows below, by their storage."""
        return {weight.storage: weight.name for weight in self._weights if weight.storage is not None}

    @cached_property
    def _weights(self) -> list[Weight]:
        below = self.node.walk() if self.whole else iter([self.node])
        return [weight for node in below if node.layer for weight in node.layer.weights]

    @cached_property
    def _sums(self) -> Totals:
        own = [weight for weight in self._weights if weight.storage not in self.before]
        return weigh(own, self._working_calls)

    @cached_property
    def _working_calls(self) -> list[Call]:
        below = self.node.walk() if self.whole else iter([self.node])
        calls = [call for node in below if node.layer and node.layer.kind != "module" for call in node.calls]
        # Of several branches one counts; a row of another one tells its own work.
        return [call for call in calls if not call.spare] if self.node.children else calls


def params_text(sums: Totals) -> str:
    """Write how many parameters there are; an empty text for none.

    Args:
        sums: the sums.
    """
    return cells.at_least(count(sums.params), sums.unknown) if sums.params or sums.unknown else ""


def bytes_text(sums: Totals) -> str:
    """Write how many bytes there are; an empty text for none.

    Args:
        sums: the sums.
    """
    missing = sums.bytes_unknown
    return cells.at_least(short(sums.bytes, "B"), missing) if sums.bytes or missing else ""


def _stored(node: Node) -> tuple[Weight, ...]:
    return node.layer.weights if node.layer else ()


def weights_of(node: Node, *, brief: bool = False, before: Mapping[str, str] | None = None) -> list[str]:
    """Return the texts of a node's weights, a row each.

    Args:
        node: the node.
        brief: whether the source's words for roles are left out.
        before: the names of the tied weights of rows above, by their storage.
    """
    texts = []
    for row in roles.rows(_stored(node), brief=brief):
        first = (before or {}).get(row.weight.storage or "")
        several = f" ×{row.count}" if row.count > 1 else ""
        tied = f" = {printable(first, 48)}" if first is not None else ""
        texts.append(f"{printable(row.name, 48)} {cells.native(row.weight)}{several}{tied}")
    return texts


_CELLS: dict[str, Callable[[Texts], list[str]]] = {
    name: getattr(Texts, f"_{name}_cells") for name in ALL_COLUMNS
}
