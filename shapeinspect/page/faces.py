"""What a box shows on its face: its name, kind, settings and weights, and the shapes that leave it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shapeinspect.dims import Dim, Shape
from shapeinspect.ir import Call, Layer, Value, Weight
from shapeinspect.page.boxes import ENTRY, Box
from shapeinspect.render import cells, roles
from shapeinspect.render.grid import width
from shapeinspect.render.rows import Sheet
from shapeinspect.render.totals import weigh
from shapeinspect.rules.registry import FAMILIES
from shapeinspect.text import many, printable
from shapeinspect.units import short

#: The families of kinds that share a color, by the file of ``rules.kinds`` that describes a kind.
_COLORS = {
    "conv": "conv", "linear": "linear", "einsum": "linear", "embedding": "embedding", "norm": "norm",
    "recurrent": "recurrent", "recurrent_steps": "recurrent", "attention": "attention", "pool": "pool",
    "elementwise": "math", "reduce": "math", "reshape": "shape", "axes": "shape", "join": "join",
    "pad": "shape", "resize": "pool", "window": "shape", "index": "shape", "repeat": "shape",
}  # fmt: skip
#: The family of each kind.
_FAMILY = {
    kind.name: _COLORS.get(family.__name__.rpartition(".")[2], "other")
    for family in FAMILIES
    for kind in family.KINDS
}
_OWN = {
    "activation": "act", "softmax": "act", "dropout": "act", "input": "end", "output": "end",
    "parameter": "embedding", "module": "module",
}  # fmt: skip
#: The names of the families in the order of a legend.
FAMILY_NAMES = {
    "conv": "convolution", "linear": "linear", "attention": "attention", "recurrent": "recurrent",
    "embedding": "embedding, parameter", "norm": "normalization", "act": "activation",
    "pool": "pooling, resize", "join": "join, split", "math": "arithmetic", "shape": "shape",
    "other": "other", "end": "input, output", "module": "block",
}  # fmt: skip

#: Widths in pixels: of a letter of a name and of the small lines, the sides, the narrowest and widest box.
_NAME, _SMALL, _SIDES, _NARROW, _WIDE, _STEP = 8.2, 6.7, 30, 96, 400, 12
#: Heights in pixels: of the name alone, and of each further line.
_HEAD, _LINE = 30, 16
#: How many weights have a line of their own, and how many values that leave a box are written below it.
_WEIGHTS, _VALUES = 2, 3
#: The axes of which a length changes by a border.
_SPACE = frozenset("DHWLT")
#: The room between a box's middle and the shape below it.
LABEL_INDENT = 9
_NAME_LIMIT = 60


@dataclass(frozen=True, slots=True)
class Face:
    """What a box shows.

    Args:
        title: its name.
        lines: what stands below it.
        family: the family of its kind, which gives its color.
        labels: the shape of each value that leaves it, and how lengths changed, such as ``H/2 W/2``.
        width: in pixels.
        height: in pixels.
        shapes: the shapes of all values that leave it.
    """

    title: str
    lines: tuple[str, ...]
    family: str
    labels: tuple[tuple[str, str], ...]
    width: int
    height: int
    shapes: tuple[Shape, ...] = ()

    @property
    def reach(self) -> tuple[int, int]:
        """How far it reaches from its middle to the left, and to the right with the shapes below it."""
        half = self.width // 2
        longest = max((_wide(" ".join(label).strip(), _SMALL) for label in self.labels), default=0)
        return half, max(half, LABEL_INDENT + longest + 4) if longest else half


class Faces:
    """Writes the faces of a model's boxes.

    Args:
        sheet: the texts of a model that went through ``infer``.
    """

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._model = sheet.model

    def of(self, box: Box, outputs: Iterable[str] = ()) -> Face:
        """Return the face of a box.

        Args:
            box: the box.
            outputs: the values that leave it.
        """
        title = printable(box.name, _NAME_LIMIT) or "(model)"
        lines = _container(box) if box.kids else self._leaf(box)
        if len(lines) == 1 and not box.kids and _wide(f"{title}  {lines[0]}", _NAME) <= _WIDE // 2:
            wide = _wide(title, _NAME) + 10 + _wide(lines[0], _SMALL)
            height = _HEAD
        else:
            wide = max([_wide(title, _NAME), *(_wide(line, _SMALL) for line in lines)])
            height = _HEAD + _LINE * len(lines)
        badge = 14 + _wide(f"×{box.count}", _NAME) if box.count > 1 else 0
        wide = min(max(wide + _SIDES + badge + (14 if box.kids else 0), _NARROW), _WIDE)
        names = list(dict.fromkeys(outputs))
        labels = tuple(self._label(box, name) for name in names[:_VALUES])
        if len(names) > _VALUES:
            labels += ((f"and {len(names) - _VALUES} more", ""),)
        wide = -(-wide // _STEP) * _STEP
        shapes = (
            self._sheet.letters.shape(value.shape) for value in map(self._model.values.get, names) if value
        )
        known = dict.fromkeys(shape for shape in shapes if shape is not None)
        return Face(title, tuple(lines), family(box), labels, wide, height, tuple(known))

    def _leaf(self, box: Box) -> list[str]:
        if box.kind in ("input", "output"):
            value = self._model.values.get(box.path) or Value(box.path)
            return [f"{box.kind} {printable(value.dtype or '', 20)}".rstrip()]
        layer = box.layer
        if layer is None:
            return []
        weights = layer.weights
        if box.kind == "parameter":
            return ["parameter", *_stored(weights)]
        settings = cells.settings(layer)
        kind = cells.kind(layer) or printable(layer.type, 40)
        first = " ".join(text for text in (kind, settings) if text)
        turn = f"call {box.turn}" if box.turn else ""
        return [", ".join(text for text in (first, turn) if text), *_stored(weights)]

    def _label(self, box: Box, name: str) -> tuple[str, str]:
        value = self._model.values.get(name) or Value(name)
        before = next((edge.value for edge in box.edges if edge.source == ENTRY), None)
        if box.call is not None:
            before = next((n for n in box.call.inputs if n), None)
        given = self._model.values.get(before) if before else None
        return self._sheet.shape(name), changes(given, value)


def family(box: Box) -> str:
    """Return the family of a box's kind, which gives its color.

    Args:
        box: the box.

    Example:
        >>> family(Box("c", "c", "conv")), family(Box("b", "b", "module"))
        ('conv', 'module')
    """
    return _OWN.get(box.kind) or _FAMILY.get(box.kind, "other")


def changes(before: Value | None, after: Value) -> str:
    """Say how the lengths of axes changed, by their letters.

    Args:
        before: what goes in; None where there is nothing.
        after: what comes out.

    Example:
        >>> changes(Value("x", (1, 64, 56, 57), axes=("N", "C", "H", "W")),
        ...         Value("y", (1, 32, 28, 55), axes=("N", "C", "H", "W")))
        'C/2 H/2 W−2'
    """
    if before is None or before.shape is None or after.shape is None or not before.axes or not after.axes:
        return ""
    lengths = dict(zip(before.axes, before.shape, strict=False))
    texts = []
    for letter, length in zip(after.axes, after.shape, strict=False):
        text = _change(lengths.get(letter), length, letter or "") if letter and letter.isalpha() else ""
        if text:
            texts.append(f"{letter}{text}")
    return " ".join(texts)


def _change(before: Dim | None, after: Dim, letter: str) -> str:
    if (
        not isinstance(before, int)
        or not isinstance(after, int)
        or before == after
        or not before
        or not after
    ):
        return ""
    if before % after == 0:
        return f"/{before // after}"
    if after % before == 0:
        return f"×{after // before}"
    if letter in _SPACE and abs(before - after) < min(before, after) // 2:
        return f"−{before - after}" if before > after else f"+{after - before}"
    return ""


def _stored(weights: Iterable[Weight]) -> list[str]:
    rows = roles.rows(weights, brief=True)
    texts = [
        f"{printable(row.name, 40)} {cells.native(row.weight)}" + (f" ×{row.count}" if row.count > 1 else "")
        for row in rows[:_WEIGHTS]
    ]
    if len(rows) > _WEIGHTS:
        texts[-1] += f"  +{len(rows) - _WEIGHTS}"
    return texts


def _container(box: Box) -> list[str]:
    layers = sum(1 for leaf in box.leaves() if leaf.kind not in ("input", "output"))
    kind = printable(box.layer.type, 40) if box.layer is not None and not box.rest else ""
    params = parameters(box)
    texts = (kind, many(layers, "layer"), f"{short(params)} parameters" if params else "")
    return [" · ".join(text for text in texts if text)]


def parameters(box: Box) -> int:
    """Return how many parameters the layers inside of a box hold, tied ones once.

    Args:
        box: the box; those that it stands for count, too.
    """
    return weigh(weights_inside(box), ()).params


def weights_inside(box: Box) -> list[Weight]:
    """Return the weights of all layers inside of a box, each layer once.

    Args:
        box: the box; those that it stands for count, too.
    """
    layers: dict[str, Layer] = {}
    for leaf in box.leaves():
        if leaf.layer is not None:
            layers.setdefault(leaf.layer.path, leaf.layer)
    return [weight for layer in layers.values() for weight in layer.weights]


def calls_inside(box: Box) -> list[Call]:
    """Return the calls inside of a box.

    Args:
        box: the box; those that it stands for count, too.
    """
    return [leaf.call for leaf in box.leaves() if leaf.call is not None and not leaf.call.spare]


def _wide(text: str, letter: float) -> int:
    return round(width(text) * letter)
