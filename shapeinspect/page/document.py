"""The page: one HTML file that holds its data, its code and its style, and asks for nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from itertools import islice
from typing import Any

from shapeinspect.dims import Dim, symbols
from shapeinspect.explanation.graph import Graph
from shapeinspect.explanation.layer import explain_layer
from shapeinspect.explanation.receptive_field import Fields
from shapeinspect.ir import Model, Note, calls_by_layer
from shapeinspect.page.album import Album
from shapeinspect.page.boxes import ENTRY, EXIT, Box, boxes
from shapeinspect.page.cards import card
from shapeinspect.page.faces import FAMILY_NAMES, Face, Faces, calls_inside, weights_inside
from shapeinspect.page.placing import Placed, place
from shapeinspect.progress import report
from shapeinspect.render import cells
from shapeinspect.render.letters import Letters
from shapeinspect.render.listing import USUAL, amount_for_one
from shapeinspect.render.pictures.canvas import dark_rules, light_style
from shapeinspect.render.rows import Sheet, Texts, bytes_text, params_text
from shapeinspect.render.totals import weigh
from shapeinspect.render.tree import Node
from shapeinspect.text import many, printable
from shapeinspect.units import count, short

#: How far an end of a block reaches to each side, in pixels.
_PORT = (10, 10)
#: How many values enter or leave a block at points of their own; more of them share one.
_PORTS = 8
#: Layers beyond so many have a card of what their boxes show only: explaining each takes time and room.
_CARDS = 20_000
#: Data of more characters is deflated.
_PLAIN = 400_000
#: How many rows the table below the picture has at most.
_ROWS = 5_000
_LONGEST = 2000
#: The code of the page, each file after those that it needs while it is read.
_SCRIPTS = ("boxes", "layout", "colors", "drawing", "moving", "card", "patterns", "search", "start")
#: Where the code fails, the table is all that is shown.
_FAILURE = '})().catch((error) => { document.getElementById("app").hidden = true; throw error; });'


def page(model: Model, data: Mapping[str, float | str] | None = None, data_name: str = "") -> str:
    """Return a model as an HTML page that works from a file, without any network.

    Args:
        model: a model that went through ``infer``.
        data: a number or a text for layers, by their paths, to color them by.
        data_name: what these are.

    Example:
        >>> page(Model("m.onnx", "onnx", "onnx", "onnx"))[:15]
        '<!doctype html>'
    """
    made = Content(model, data or {}, data_name)
    return document(printable(model.source), made.all(), rows(model), made.album.packed)


def content(
    model: Model, data: Mapping[str, float | str] | None = None, data_name: str = ""
) -> dict[str, Any]:
    """Return what the page's code draws from: boxes, their places, cards, as lists of numbers and texts.

    Args:
        model: a model that went through ``infer``.
        data: a number or a text for layers, by their paths.
        data_name: what these are.
    """
    return Content(model, data or {}, data_name).all()


class Content:
    """Collects what a page draws from.

    Args:
        model: a model that went through ``infer``.
        data: a number or a text for layers, by their paths; equal blocks of which one differs share no box.
        data_name: what these are; empty where nothing is colored by them.
        shared: the content of another model on the same page, whose texts, cards and pictures are used, too.
    """

    def __init__(
        self,
        model: Model,
        data: Mapping[str, float | str],
        data_name: str = "",
        shared: Content | None = None,
    ) -> None:
        self._model, self._data, self._data_name = model, data, data_name
        self._sheet = Sheet(model, Letters(model))
        self._faces = Faces(self._sheet)
        self._graph = Graph(model)
        self._fields = Fields(self._graph)
        self._texts: dict[str, int] = {}
        self._known: dict[str, int] = {}  # the same before it was made fit to print
        self._places: dict[object, Placed] = {}
        self._shapes: dict[str, int] = {}
        self._drawn: list[Any] = []
        self._cards: dict[str, int] = {}
        self._without_card: set[str] = set()
        self._written: list[Any] = []
        self.album = Album()
        #: The length that open axes count with where boxes are colored by their MACs; 0 where none is open.
        self.usual = 0
        if shared is not None:
            self._texts, self._known, self._written = shared._texts, shared._known, shared._written
            self._places, self._shapes, self._drawn = shared._places, shared._shapes, shared._drawn
            self.album = shared.album

    @property
    def texts(self) -> list[str]:
        """All texts, in the order of their numbers."""
        return list(self._texts)

    def root(self, name: str = "") -> list[Any]:
        """Return the box of the whole model.

        Args:
            name: what it is called; by default as the model.
        """
        whole = boxes(self._model, self._data)
        if name:
            whole = replace(whole, own=name)
        made = self._box(whole, self._faces.of(whole))
        self._report(len(self._model.layers))
        return made

    def _report(self, done: int) -> None:
        report(done, len(self._model.layers), "explaining layers")

    def outer(self, geometry: list[Any], kids: list[Any]) -> list[Any]:
        """Return a box around others.

        Args:
            geometry: their places, as those of any block.
            kids: the boxes inside.
        """
        self._drawn.append(geometry)
        empty = [self.text(""), self.text(""), self.text("module"), self.text("module"), [], [], 0, 0, -1]
        return [*empty, len(self._drawn) - 1, kids, [], [], 0, None, 0, self.text(""), None, None, [], []]

    def all(self, root: list[Any] | None = None) -> dict[str, Any]:
        """Return everything.

        Args:
            root: the outermost box; by default that of the model.
        """
        root = self.root() if root is None else root
        model, totals = self._model, self._sheet.totals
        facts = [
            ["format", printable(model.format)],
            *([["framework", printable(model.framework)]] if model.framework != model.format else []),
            ["layers", count(len(model.layers))],
            ["parameters", cells.at_least(count(totals.params), totals.unknown)],
            ["", cells.at_least(short(totals.bytes, "B"), totals.bytes_unknown)],
        ]
        if totals.macs is not None:
            facts.append(["MACs", self._sheet.macs_text(totals) or "0"])
        return {
            "title": printable(model.source),
            "facts": facts,
            "notes": [*note_texts(model.notes), *self.limits()],
            "families": FAMILY_NAMES,
            "graph": bool(model.calls),
            "column": printable(self._data_name, 60),
            "usual": self.usual,
            "texts": self.texts,
            "cards": self._written,
            "places": self._drawn,
            "root": root,
        }

    def limits(self) -> Iterator[str]:
        """Say what the page leaves out of what it has drawn so far, for those who look for it."""
        if self._without_card:
            number = many(len(self._without_card), "layer")
            yield f"{number} beyond {_CARDS:,} without an explanation here: shapeinspect explain prints it"
        if self.album.left_out:
            number = many(self.album.left_out, "layer")
            yield f"no room for pictures of {number} more: shapeinspect explain --svg draws them"

    def text(self, text: str) -> int:
        """Return the number of a text; every text of the page but its few headings comes through here.

        Args:
            text: the text, as the source spells it.
        """
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = self._texts.setdefault(printable(text, _LONGEST), len(self._texts))
        return known

    def _box(self, box: Box, face: Face) -> list[Any]:
        """Return a box as a list, its fields in the order that the page's code names at its top."""
        placed, kids = self._inside(box) if box.kids else (-1, [])
        sums = weigh(weights_inside(box), calls_inside(box))
        works = box.call is not None or bool(box.kids)
        work = self._sheet.letters.amount(sums.macs) if works else None
        if work is not None and symbols(work) - set(cells.BATCH):
            self.usual = USUAL
        amounts = params_text(sums), self._sheet.macs_text(sums) if works else "", bytes_text(sums)
        field = self._reach(box)
        return [
            self.text(face.title),
            self.text(box.path),
            self.text(
                cells.kind(box.layer) or box.kind if box.layer and box.kind != "parameter" else box.kind
            ),
            self.text(face.family),
            [self.text(line) for line in face.lines],
            [[self.text(shape), self.text(change)] for shape, change in face.labels],
            face.width,
            face.height,
            self._card(box),
            placed,
            kids,
            [self.text(member.path) for member in box.members],
            [self.text(text) for text in box.differences],
            sums.params,
            amount_for_one(work),
            sums.bytes,
            self.text(sums.bytes_by_dtype[0][0] if sums.bytes_by_dtype else ""),
            field,
            self._data_of(box),
            [self.text(text) for text in amounts],
            [[_length(length) for length in shape] for shape in face.shapes],
        ]

    def _data_of(self, box: Box) -> float | str | None:
        value = self._data.get(box.path)
        return printable(value, 200) if isinstance(value, str) else value

    def _reach(self, box: Box) -> int | None:
        """Return the receptive field of a leaf on the axis on which it is longest; 0 for a whole axis."""
        if box.call is None or not box.call.outputs:
            return None
        found = [fact.size for fact in self._fields.of(box.call.outputs[0]) if fact.followed]
        if not found:
            return None
        return 0 if None in found else max(size for size in found if size is not None)

    def _inside(self, box: Box) -> tuple[int, list[Any]]:
        leaving: dict[int, list[str]] = {}
        for edge in box.edges:
            leaving.setdefault(edge.source, []).append(edge.value)
        faces = [self._faces.of(kid, leaving.get(index, ())) for index, kid in enumerate(box.kids)]
        entries = _ends(edge.value for edge in box.edges if edge.source == ENTRY)
        exits = _ends(edge.value for edge in box.edges if edge.target == EXIT)
        first, last = max(entries.values(), default=-1) + 1, max(exits.values(), default=-1) + 1
        edges = list(
            dict.fromkeys(
                (
                    entries[edge.value] if edge.source == ENTRY else first + edge.source,
                    first + len(faces) + exits[edge.value] if edge.target == EXIT else first + edge.target,
                )
                for edge in box.edges
            )
        )
        sizes = [_PORT] * first + [face.reach for face in faces] + [_PORT] * last
        tops = sum(kid.kind == "input" for kid in box.kids), sum(kid.kind == "output" for kid in box.kids)
        placed = self._place(tuple(sizes), tuple(edges), (first + tops[0], last + tops[1]))
        geometry = [
            [first, last],
            list(placed.ranks),
            list(placed.columns),
            [[*edge, *lane] for edge, lane in zip(edges, placed.lanes, strict=True)] if edges else [],
            placed.width,
        ]
        key = repr(geometry)
        if key not in self._shapes:
            self._shapes[key] = len(self._drawn)
            self._drawn.append(geometry)
        return self._shapes[key], [self._box(kid, face) for kid, face in zip(box.kids, faces, strict=True)]

    def _place(
        self, sizes: tuple[tuple[int, int], ...], edges: tuple[tuple[int, int], ...], ends: tuple[int, int]
    ) -> Placed:
        key = (sizes, edges, ends)
        if key not in self._places:
            self._places[key] = place(sizes, edges, ends)
        return self._places[key]

    def _card(self, box: Box) -> int:
        layer = box.layer
        if layer is None or (box.kids and box.rest):
            return -1
        known = self._cards.get(layer.path)
        if known is None and len(self._cards) >= _CARDS:
            self._without_card.add(layer.path)
            return -1
        if known is None:
            self._report(min(len(self._written), len(self._model.layers) - 1))
            known = self._cards[layer.path] = len(self._written)
            explained = explain_layer(self._graph, self._fields, layer)
            if box.kind == "parameter":  # which the graph reads as a value
                read = "numbers that are stored with the model, and read by the layers below"
                explained = replace(explained, kind=box.kind, type=box.kind, summary=read, notes=())
            told = card(explained)
            told["settings"] = cells.settings(layer)
            coded = self._coded(told)
            picture = self.album.add(explained)
            self._written.append({**coded, "picture": picture} if picture >= 0 else coded)
        return known

    def _coded(self, value: Any) -> Any:
        """Return data with the index of each text in the place of the text."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self._coded(item) for item in value]
        return {name: self._coded(item) for name, item in value.items()}


def _kind(box: Box) -> str:
    return (box.layer and box.kind != "parameter" and cells.kind(box.layer)) or box.kind


def _length(length: Dim) -> int | str:
    """Return a length for the page's search: a script reads no larger numbers exactly."""
    return length if isinstance(length, int) and abs(length) < 1 << 53 else printable(str(length), _LONGEST)


def _ends(values: Iterable[str]) -> dict[str, int]:
    """Number the values that enter or leave a block; those beyond a few share the last number."""
    return {value: min(index, _PORTS - 1) for index, value in enumerate(dict.fromkeys(values))}


#: The columns of the table below the picture, by what the cells of a table are asked for by.
_COLUMNS = {
    "kind": "kind",
    "output": "output",
    "settings": "settings",
    "weights": "weights",
    "params": "parameters",
}


def rows(model: Model) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the table below the picture, which a screen reader reads.

    Args:
        model: a model that went through ``infer``.
    """
    return first_rows(_rows(model), len(model.layers))


def _rows(model: Model) -> Iterator[tuple[str, ...]]:
    sheet = Sheet(model, Letters(model))
    calls = calls_by_layer(model.calls)
    for layer in model.layers:
        node = Node(layer.path, layer, calls.get(layer.path, ()))
        texts = Texts(sheet, node, whole=False).columns(tuple(_COLUMNS))
        yield printable(layer.path, _LONGEST), *(printable("; ".join(text), _LONGEST) for text in texts)


def first_rows(table: Iterable[tuple[str, ...]], number: int) -> Iterator[tuple[str, ...]]:
    """Yield as many rows as a table has at most, and one that says how many these leave out.

    Args:
        table: all rows.
        number: how many they are.
    """
    last: tuple[str, ...] = ()
    for last in islice(table, _ROWS):
        yield last
    if number > _ROWS:
        yield f"and {number - _ROWS:,} more", *[""] * (len(last) - 1)


def note_texts(notes: Iterable[Note]) -> list[str]:
    """Return what notes say, each behind what it is about.

    Args:
        notes: the notes.
    """
    return [
        (f"{printable(note.about)}: " if note.about else "") + printable(note.text, _LONGEST)
        for note in notes
    ]


@cache
def _part(name: str) -> str:
    return files("shapeinspect.page").joinpath(name).read_text("utf-8").strip()


@cache
def _code() -> str:
    """Return the code of the page: its files in one function, in which they share their names."""
    parts = "\n\n".join(_part(f"script/{name}.js") for name in _SCRIPTS)
    return f'"use strict";\n(async () => {{\n{parts}\n{_FAILURE}'


@cache
def _style() -> str:
    """Return the style of the page and its pictures: dark as the reader chose, else as the system is."""
    colors = f"{{{_part('dark.css')}}}"
    chosen, system = (
        "".join([root + colors, *(f"{root} {rule}" for rule in dark_rules())])
        for root in (":root[data-theme=dark]", ":root:not([data-theme=light])")
    )
    return f"{_part('page.css')}\n{light_style()}\n{chosen}\n@media(prefers-color-scheme:dark){{{system}}}"


def document(
    title: str,
    data: Mapping[str, Any],
    table: Iterable[tuple[str, ...]],
    pictures: str = "",
    columns: tuple[str, ...] = ("layer", *_COLUMNS.values()),
) -> str:
    """Put a page together.

    Args:
        title: what it shows.
        data: what its code draws from.
        table: the rows of the table below the picture.
        pictures: those of the cards, packed.
        columns: the names of the table's columns.
    """
    style, code = _style(), _code()
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(code)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in columns)
    body = "".join(
        f'<tr><th scope="row">{_escaped(first)}</th>'
        + "".join(f"<td>{_escaped(text)}</td>" for text in rest)
        + "</tr>"
        for first, *rest in table
    )
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{_escaped(title)} · shapeinspect</title>"
        f"<style>{style}</style></head>\n<body>"
        f"{_part('page.html')}"
        f"{_data(data)}\n"
        f'<script type="text/plain" id="pictures">{pictures}</script>\n'
        f"<script>{code}</script>\n"  # ahead of the table, which takes longer to lay out than the picture
        '<section id="table" aria-labelledby="listed"><h2 id="listed">All layers</h2>'
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{_notes(data['notes'])}</section></body></html>\n"
    )


def _data(data: Mapping[str, Any]) -> str:
    """Return the element that holds the data: as it is read, or deflated and in base 64 where it is long."""
    text = _json(data)
    if len(text) <= _PLAIN:
        return f'<script type="application/json" id="data">{text}</script>'
    packed = base64.b64encode(zlib.compress(text.encode("utf-8", "replace"), 6)).decode()
    return f'<script type="text/plain" id="data">{packed}</script>'


def _notes(texts: Sequence[str]) -> str:
    items = "".join(f"<li>{_escaped(text)}</li>" for text in texts)
    return f'<h2 id="notes">Notes</h2><ul>{items}</ul>' if items else ""


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(data: Mapping[str, Any]) -> str:
    """Write data so that nothing in it can end the element that holds it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _escaped(text: str) -> str:
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        text = text.replace(sign, entity)
    return text
