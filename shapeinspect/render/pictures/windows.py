"""Convolutions and pools: the window that one output reads, and where the next one stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from shapeinspect.dims import Dim
from shapeinspect.explanation import CallFact, LayerExplanation, TensorFact, WindowFact
from shapeinspect.render import cells
from shapeinspect.render.pictures.canvas import Canvas
from shapeinspect.render.pictures.volumes import Volume, cell_size
from shapeinspect.render.results.drawing import bounds


@dataclass(frozen=True, slots=True)
class _Side:
    """One axis of the window of one output position, and of the next one.

    Args:
        taps: the positions of the window.
        after: those of the next window; none where it is the last.
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
    after = window.taps[place + 1] if place + 1 < len(window.taps) else ()
    return _Side(taps, after, place, *bounds(window))


#: How deep a volume is drawn whose channels are not known: as that of so many.
_DEPTH = 8
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
    ends = (_channels(call.inputs[0]), _channels(call.outputs[0]))
    return _Scene((down, across), ends, _joined(layer)).drawn()


def _channels(tensor: TensorFact) -> Dim | None:
    """Return how many channels a tensor has; None where no axis is known to be that of channels."""
    return next((axis.length for axis in tensor.axes or () if axis.name == "C"), None)


def _joined(layer: LayerExplanation) -> Dim:
    """Return how many channels one output position reads: of a convolution those of a group, else one.

    A channel of the output is made of one of the input wherever no kernel sums over several, as in a pool.
    """
    for weight in layer.weights:
        sizes = dict(weight.common or ())
        if "i" in sizes and any(name.startswith("k") for name in sizes):
            return sizes["i"]
    return 1


@dataclass(frozen=True, slots=True)
class _Scene:
    """The picture of one call.

    Args:
        windows: the window facts, down and across.
        channels: how many go in and come out; None where that is not known.
        joined: how many of them one output position reads.
    """

    windows: tuple[WindowFact, WindowFact]
    channels: tuple[Dim | None, Dim | None]
    joined: Dim

    def drawn(self) -> Canvas:
        """Draw both volumes, the window between them, and what it is called."""
        down, across = map(_side, self.windows)
        counts = [(window.n, window.out) for window in self.windows]
        frame = (down.high - down.low, across.high - across.low)
        cell = cell_size(*frame, *counts[0], *counts[1])
        volumes = [
            Volume(0, 0, cell, rows, columns, length if isinstance(length, int) else _DEPTH)
            for rows, columns, length in zip(*counts, self.channels, strict=True)
        ]
        # The volume that the window lies on has its padding around it.
        read = int(self._transposed)
        around = [-across.low * cell if end == read else 0 for end in (0, 1)]
        top = max(volume.reach[1] for volume in volumes) - down.low * cell + 22
        first = replace(volumes[0], x=around[0], y=top)
        behind = first.corner(0, first.columns, 1)[0]
        right = behind if read else max(behind, (across.high - across.low) * cell)
        second = replace(volumes[1], x=right + 86 + around[1], y=top)
        canvas = Canvas()
        for end, (volume, fill, side) in enumerate(((first, "input", "side"), (second, "output", "rim"))):
            if end == read and frame != (volume.rows, volume.columns):
                x, y = volume.corner(down.low, across.low)
                canvas.box(x, y, frame[1] * cell, frame[0] * cell, "padding")
            volume.draw(canvas, fill, side)
        both = (first, second)
        self._window(canvas, both[read], both[1 - read], down, across)
        bottom = max(down.high, *counts[0]) * cell + top
        for end, volume in enumerate(both):
            canvas.text(volume.x, bottom + 18, self._lengths(end))
        canvas.arrow((behind + 14, top - 10), (second.x - 10, top - 10))
        for number, words in enumerate(self._sentences()):
            canvas.text(0, bottom + 40 + 17 * number, words, "quiet")
        return canvas

    @property
    def _transposed(self) -> bool:
        return self.windows[1].transposed

    def _window(self, canvas: Canvas, read: Volume, written: Volume, down: _Side, across: _Side) -> None:
        """Draw the window, the next one, the position at its other end, and the rays between them."""
        (top, bottom), (left, right) = [(side.taps[0], side.taps[-1] + 1) for side in (down, across)]
        if all(side.taps[-1] - side.taps[0] == len(side.taps) - 1 for side in (down, across)):  # no holes
            joined = self.joined if isinstance(self.joined, int) else read.channels
            deep = 1 if self._transposed else min(joined / read.channels, 1)
            read.block(canvas, (top, left), (bottom, right), (0, deep), "window", "shared")
        read.cells(canvas, down.taps, across.taps, "window")
        if across.after:
            if self._tells_shared:
                read.cells(canvas, down.taps, sorted(set(across.taps) & set(across.after)), "shared")
            x, y = read.corner(top, across.after[0])
            wide = across.after[-1] + 1 - across.after[0]
            canvas.box(x, y, wide * read.cell, (bottom - top) * read.cell, "ghost")
        row, column = down.place, across.place
        written.cells(canvas, (row,), (column,), "window")
        near, far = (left, column + 1) if read.x > written.x else (right, column)
        canvas.line(read.corner(top, near), written.corner(row, far), "ray")
        canvas.line(read.corner(bottom, near), written.corner(row + 1, far), "ray")

    @property
    def _tells_shared(self) -> bool:
        """Whether it matters what two windows share: where they write, and where each has one channel."""
        return self._transposed or self.joined == 1

    def _lengths(self, end: int) -> str:
        length = self.channels[end]
        sides = [f"{window.axis}{(window.n, window.out)[end]}" for window in self.windows if window.axis]
        return " ".join(sides if length is None else [cells.axis("C", length), *sides])

    def _sentences(self) -> Iterator[str]:
        """Say what the picture shows: the window, its steps, its holes, the padding, the groups."""
        named = [(window, _side(window)) for window in self.windows if window.axis]
        kernels = "×".join(str(len(side.taps)) for _, side in named)
        window = "1 position" if set(kernels) <= {"1", "×"} else f"{kernels} positions"
        who = "input position writes to" if self._transposed else "output position reads"
        yield f"one {who} {window}{self._of_channels()}"
        if any(fact.ragged for fact, _ in named):
            shared = set(named[-1][1].taps) & set(named[-1][1].after)
            yield "the windows differ in length or overlap" + (
                "; the darker positions are in two" if shared else ""
            )
            return
        steps = [side.after[0] - side.taps[0] for _, side in named if side.after]
        if len(steps) == len(named) and any(step > 1 for step in steps):
            yield f"the next one (dashed) is stride {'×'.join(map(str, steps))} further"
        holes = [side.taps[1] - side.taps[0] if len(side.taps) > 1 else 1 for _, side in named]
        if any(hole > 1 for hole in holes):
            yield f"dilation {'×'.join(map(str, holes))} leaves positions out"
        padding = [(fact.before, fact.after) for fact, _ in named]
        if self._transposed and any(side.low < 0 for _, side in named):
            yield "padding cuts off what is written into the dashed frame"
        elif any(map(any, padding)) and not self._transposed:
            sides = [str(before) if before == after else f"{before}+{after}" for before, after in padding]
            yield f"padding {'×'.join(sides)} (dashed frame)"

    def _of_channels(self) -> str:
        count = self.channels[int(self._transposed)]
        if not isinstance(count, int) or count == 1:
            return ""
        if self._transposed or self.joined == count:
            return f" in all {count} channels"
        if self.joined == 1:
            return " of one channel"
        if not isinstance(self.joined, int):
            return ""
        return f" in {self.joined} of {count} channels: {count // self.joined} groups"
