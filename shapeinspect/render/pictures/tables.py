"""Look-ups and choices: an embedding's rows, the softmax over one axis, the largest of which is a label."""

from __future__ import annotations

from shapeinspect.explanation import TensorFact, WeightFact
from shapeinspect.render.pictures.canvas import SERIES, Canvas

_CELL = 18
#: The rows that the example looks up.
_IDS = (3, 0, 5)


def looked_up(weight: WeightFact, source: TensorFact) -> Canvas | None:
    """Draw a table of vectors, the numbers that go in, and the rows that come out.

    Args:
        weight: the table, ``V E``.
        source: the numbers that go in.
    """
    sizes = dict(weight.common or ())
    rows, wide = sizes.get("V"), sizes.get("E")
    if rows is None or wide is None:
        return None
    canvas = Canvas()
    canvas.text(0, 12, f"{weight.name}: a row of {wide} for each of {rows}", "bold")
    top = 40.0
    canvas.text(0, top - 8, _ends(source), "quiet")
    canvas.text(100, top - 8, f"V{rows} × E{wide}", "quiet")
    canvas.text(260, top - 8, "a row a number", "quiet")
    for row in range(7):
        fill = SERIES[_IDS.index(row)] if row in _IDS else "plain"
        canvas.box(100, top + row * _CELL, 5 * _CELL, _CELL, fill)
        canvas.text(96, top + row * _CELL + 13, row if row < 6 else "…", "small quiet", "end")
    for place, number in enumerate(_IDS):
        y = top + (2 * place + 1) * _CELL
        canvas.box(10, y, _CELL, _CELL, SERIES[place])
        canvas.text(10 + _CELL / 2, y + 13, number, anchor="middle")
        canvas.box(260, y, 5 * _CELL, _CELL, SERIES[place])
        middle = top + number * _CELL + _CELL / 2
        canvas.line((10 + _CELL, y + _CELL / 2), (80, middle), "ray")
        canvas.line((100 + 5 * _CELL, middle), (260, y + _CELL / 2), "ray")
    return canvas


def _ends(tensor: TensorFact) -> str:
    return " ".join(f"{axis.name or ''}{axis.length}" for axis in (tensor.axes or ())[-2:])


#: The example's scores of three classes, column by column, and what softmax makes of them.
_SCORES = ((2, 0, 1), (0, 3, 1), (1, 1, 4), (3, 2, 0))


def chosen(source: TensorFact, axis: int, *, labels: bool = False) -> Canvas | None:
    """Draw an axis over which scores become parts of one, and the place of the largest.

    Args:
        source: what goes in.
        axis: the number of the axis.
        labels: whether the layer gives the largest one's place alone.
    """
    import math

    if not source.axes or not -len(source.axes) <= axis < len(source.axes):
        return None
    fact = source.axes[axis]
    name = f"{fact.name} {fact.length}" if fact.name else f"axis {axis % len(source.axes)} of {fact.length}"
    canvas = Canvas()
    words = "the place of the largest" if labels else "each column adds up to 1"
    canvas.text(0, 12, f"over {name}: {words}", "bold")
    heads = ("scores", "softmax", "argmax") if not labels else ("scores", "", "argmax")
    cell = 36
    for part, head in enumerate(heads):
        x = part * (len(_SCORES) * cell + 46)
        if not head:
            continue
        x = x if not labels or part == 0 else len(_SCORES) * cell + 46
        canvas.text(x, 36, head, "quiet")
        for column, scores in enumerate(_SCORES):
            largest = scores.index(max(scores))
            whole = sum(map(math.exp, scores))
            if head == "argmax":
                canvas.box(x + column * cell, 44 + 22, cell, 22, SERIES[largest])
                canvas.text(x + column * cell + cell / 2, 44 + 37, largest, anchor="middle")
                continue
            for row, score in enumerate(scores):
                text = str(score) if head == "scores" else f"{math.exp(score) / whole:.2f}"
                fill = SERIES[row] if row == largest else "plain"
                canvas.box(x + column * cell, 44 + row * 22, cell, 22, fill)
                canvas.text(x + column * cell + cell / 2, 44 + row * 22 + 15, text, "small", "middle")
        if part < len(heads) - 1 and not (labels and part == 1):
            canvas.arrow((x + len(_SCORES) * cell + 10, 44 + 33), (x + len(_SCORES) * cell + 36, 44 + 33))
    canvas.text(0, 44 + 3 * 22 + 20, f"rows: {name}; columns: the positions of the other axes", "quiet")
    return canvas
