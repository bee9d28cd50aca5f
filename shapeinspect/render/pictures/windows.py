"""Convolutions and pools: the window that one output reads, and where the next one stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shapeinspect.explanation import CallFact, LayerExplanation, TensorFact, WindowFact
from shapeinspect.render.pictures.canvas import Canvas
from shapeinspect.render.pictures.volumes import Volume, cell_size


@dataclass(frozen=True, slots=True)
class _Side:
    """One axis of the window of one output position, and of the next one.

    Args:
        taps: the positions of the window.
        after: those of the next window; those of the same one where there is none.
        place: the position at the other end: the output, or the input of a transposed one.
        low: the first position that is drawn.
        high: the one behind the last.
    """

    taps: tuple[int, ...]
    after: tuple[int, ...]
    place: int
    low: int
    high: int


def _side(window: WindowFact) -> _Side:
    """Choose a window that stands inside, where there is one, and has a next one."""
    inside = [
        place
        for place, taps in enumerate(window.taps)
        if taps and taps[0] >= 0 and taps[-1] < (window.out if window.transposed else window.n)
    ]
    following = [place for place in inside if place + 1 < len(window.taps)]
    place = (following or inside or [0])[0]
    taps = window.taps[place]
    after = window.taps[place + 1] if place + 1 < len(window.taps) else taps
    if window.transposed:
        reached = max((each[-1] for each in window.taps if each), default=0) + 1
        return _Side(
            taps,
            after,
            place,
            min(0, window.taps[0][0]),
            max(window.out, reached if window.n == len(window.taps) else 0),
        )
    return _Side(taps, after, place, -window.before, window.n + window.after)


#: An axis of one position, for what has only one axis.
_SINGLE = WindowFact("", 1, 1, 0, 0, ((0,),))


def sliding(layer: LayerExplanation, call: CallFact) -> Canvas | None:
    """Draw the input with the window of one output position, the window of the next one, and the output.

    Of a transposed convolution the window lies on the output: it is where one input position writes to.

    Args:
        layer: a layer with windows on one or two axes.
        call: the call to draw.
    """
    if not 1 <= len(call.windows) <= 2 or not call.inputs or not call.outputs:
        return None
    across = call.windows[-1]
    down = call.windows[0] if len(call.windows) == 2 else _SINGLE
    if not across.taps or not down.taps or not all(across.taps) or not all(down.taps):
        return None
    channels = (_channels(call.inputs[0]), _channels(call.outputs[0]))
    return _Scene(layer, (down, across), channels, _groups(layer, channels[0])).drawn()


def _channels(tensor: TensorFact) -> int:
    lengths = [axis.length for axis in tensor.axes or () if axis.name == "C"]
    return lengths[0] if lengths and isinstance(lengths[0], int) else 1


def _groups(layer: LayerExplanation, channels: int) -> int:
    """Return in how many groups the channels go in."""
    for weight in layer.weights:
        sizes = dict(weight.common or ())
        inside = sizes.get("i")
        if isinstance(inside, int) and any(name.startswith("k") for name in sizes) and inside:
            return max(channels // inside, 1)
    return 1


@dataclass(frozen=True, slots=True)
class _Scene:
    """The picture of one call.

    Args:
        layer: the layer.
        windows: the window facts, down and across.
        channels: how many go in and come out.
        groups: in how many groups they go in.
    """

    layer: LayerExplanation
    windows: tuple[WindowFact, WindowFact]
    channels: tuple[int, int]
    groups: int

    def drawn(self) -> Canvas:
        down, across = map(_side, self.windows)
        transposed = self.windows[1].transposed
        counts = [(window.n, window.out) for window in self.windows]
        cell = cell_size(down.high - down.low, across.high - across.low, *counts[0], *counts[1])
        canvas = Canvas()
        before = (-down.low, -across.low)
        read, written = (0, 1) if not transposed else (1, 0)
        framed = [Volume(0, 0, cell, counts[0][end], counts[1][end], self.channels[end]) for end in (0, 1)]
        top = max(volume.reach[1] for volume in framed) + before[0] * cell + 22
        first = self._placed(framed[0], before[1] * cell if not transposed else 0, top)
        right = max(
            first.corner(0, first.columns, 1)[0],
            before[1] * cell + (across.high * cell if not transposed else 0),
        )
        second = self._placed(framed[1], right + 86 + (before[1] * cell if transposed else 0), top)
        both = (first, second)
        for end, (fill, side) in enumerate((("input", "side"), ("output", "rim"))):
            if end == read and (down.high - down.low, across.high - across.low) != (
                both[end].rows,
                both[end].columns,
            ):
                x, y = both[end].corner(down.low, across.low)
                canvas.box(x, y, (across.high - across.low) * cell, (down.high - down.low) * cell, "padding")
            both[end].draw(canvas, fill, side)
        self._window(canvas, both[read], both[written], down, across)
        self._labels(canvas, both, max(down.high, *counts[0]) * cell + top)
        return canvas

    @staticmethod
    def _placed(volume: Volume, x: float, y: float) -> Volume:
        return Volume(x, y, volume.cell, volume.rows, volume.columns, volume.channels)

    def _window(self, canvas: Canvas, read: Volume, written: Volume, down: _Side, across: _Side) -> None:
        """Draw the window, the next one, the position at its other end, and the rays between them."""
        pooled = "pool" in self.layer.kind
        deep = 1 / max(read.channels, 1) if pooled else 1 / self.groups
        canvas_cells = [(side.taps[0], side.taps[-1] + 1) for side in (down, across)]
        (top, bottom), (left, right) = canvas_cells
        if all(side.taps[-1] - side.taps[0] == len(side.taps) - 1 for side in (down, across)):  # no holes
            read.block(canvas, (top, left), (bottom, right), (0, deep), "window", "shared")
        read.cells(canvas, down.taps, across.taps, "window")
        if across.after != across.taps:
            if pooled or self.windows[1].transposed:  # there it matters what two windows share
                read.cells(canvas, down.taps, sorted(set(across.taps) & set(across.after)), "shared")
            x, y = read.corner(top, across.after[0])
            wide = across.after[-1] + 1 - across.after[0]
            canvas.box(x, y, wide * read.cell, (bottom - top) * read.cell, "ghost")
        row, column = down.place, across.place
        written.cells(canvas, (row,), (column,), "window")
        for start, end in (((top, right), (row, column)), ((bottom, right), (row + 1, column))):
            ends = [read.corner(*start), written.corner(*end)]
            if read.x > written.x:
                ends = [read.corner(start[0], left), written.corner(end[0], column + 1)]
            canvas.line(ends[0], ends[1], "ray")

    def _labels(self, canvas: Canvas, volumes: Sequence[Volume], bottom: float) -> None:
        for end, volume in enumerate(volumes):
            words = _lengths(self.windows, self.channels[end], end)
            x, _ = volume.corner(0, 0)
            canvas.text(max(x, 0), bottom + 18, words)
        middle = volumes[0].corner(0, volumes[0].columns, 1)[0]
        canvas.arrow((middle + 14, volumes[0].y - 10), (volumes[1].x - 10, volumes[1].y - 10))
        y = bottom + 40
        for words in self._sentences():
            canvas.text(0, y, words, "quiet")
            y += 17

    def _sentences(self) -> list[str]:
        """Say what the picture shows: the window, its steps, its holes, the padding, the groups."""
        named = [(window, _side(window)) for window in self.windows if window.axis]
        kernels = "×".join(str(len(side.taps)) for _, side in named)
        word = "writes to" if self.windows[1].transposed else "reads"
        who = "one input position" if self.windows[1].transposed else "one output position"
        window = "1 position" if set(kernels) <= {"1", "×"} else f"{kernels} positions"
        texts = [f"{who} {word} {window}{self._of_channels()}"]
        if any(fact.ragged for fact, _ in named):
            texts.append("the windows share the positions evenly; darker ones are in two of them")
            return texts
        steps = [side.after[0] - side.taps[0] for _, side in named]
        facts = []
        if any(step > 1 for step in steps):
            facts.append(f"the next one (dashed) is stride {'×'.join(map(str, steps))} further")
        holes = [side.taps[1] - side.taps[0] if len(side.taps) > 1 else 1 for _, side in named]
        if any(hole > 1 for hole in holes):
            facts.append(f"dilation {'×'.join(map(str, holes))} leaves positions out")
        padding = [(fact.before, fact.after) for fact, _ in named]
        if any(map(any, padding)) and not self.windows[1].transposed:
            sides = "×".join(
                str(before) if before == after else f"{before}+{after}" for before, after in padding
            )
            facts.append(f"padding {sides} (dashed frame)")
        if self.windows[1].transposed and any(side.low < 0 for _, side in named):
            facts.append("padding cuts off what is written into the dashed frame")
        return [*texts, *facts]

    def _of_channels(self) -> str:
        count = self.channels[1] if self.windows[1].transposed else self.channels[0]
        if "pool" in self.layer.kind:
            return " of one channel"
        if self.groups > 1 and not self.windows[1].transposed:
            return f" in {count // self.groups} of {count} channels: {self.groups} groups"
        return f" in all {count} channels" if count > 1 else ""


def _lengths(windows: Sequence[WindowFact], channels: int, end: int) -> str:
    sides = [f"{window.axis}{(window.n, window.out)[end]}" for window in windows if window.axis]
    return " ".join([f"C{channels}", *sides])
