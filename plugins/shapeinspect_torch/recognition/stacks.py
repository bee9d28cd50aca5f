"""Recognizes stacked recurrent layers by the ratio of the two axes of their weights."""

from __future__ import annotations

import re
from collections.abc import Mapping

from shapeinspect.dims import Shape
from shapeinspect.frozen import Frozen
from shapeinspect.layout.bare import Evidence, Match

_ROLE = re.compile(r"(weight_ih|weight_hh|weight_hr|bias_ih|bias_hh)_l(\d{1,4})(_reverse)?")
_GATES = (("lstm", "LSTM", 4), ("gru", "GRU", 3), ("rnn", "RNN", 1))
_PLAIN = "weight_ih: (gate h) i; weight_hh: (gate h) h; bias_ih?: (gate h); bias_hh?: (gate h)"
_PROJECTED = (
    "weight_ih: (gate h) i; weight_hh: (gate h) p; weight_hr: p h; bias_ih?: (gate h); bias_hh?: (gate h)"
)


def recurrent(shapes: Mapping[str, Shape]) -> Match | None:
    """Return the match of an LSTM, GRU or RNN of any number of layers and directions, or None.

    Args:
        shapes: every weight of a group by its role.

    Source:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html (Variables): the first
        axis of ``weight_hh_l[k]`` is the number of gates times its second one.

    Example:
        >>> recurrent({"weight_ih_l0": (20, 3), "weight_hh_l0": (20, 5)}).kind
        'lstm'
    """
    cells: dict[tuple[int, bool], dict[str, Shape]] = {}
    for role, shape in shapes.items():
        parsed = _ROLE.fullmatch(role)
        if parsed is None:
            return None
        cells.setdefault((int(parsed.group(2)), parsed.group(3) is not None), {})[parsed.group(1)] = shape
    directions = 2 if any(reverse for _, reverse in cells) else 1
    depth = len(cells) // directions
    expected = {(at, reverse) for at in range(depth) for reverse in (False, True)[:directions]}
    if not cells or set(cells) != expected:
        return None
    for kind, native, gates in _GATES:
        match = _stack(kind, native, gates, cells, directions)
        if match is not None:
            return match
    return None


def _stack(
    kind: str, native: str, gates: int, cells: Mapping[tuple[int, bool], Mapping[str, Shape]], directions: int
) -> Match | None:
    projected = kind == "lstm" and all("weight_hr" in cell for cell in cells.values())
    row = Evidence(kind, native, _PROJECTED if projected else _PLAIN, sizes=Frozen(gate=gates))
    first = row.fit(cells[0, False])
    if first is None:
        return None
    width = first["p"] if projected else first["h"]
    for (at, _), cell in cells.items():
        fitted = row.fit(cell)
        # Every layer but the first reads the outputs of both directions of the previous layer.
        reads = first["i"] if at == 0 else directions * int(str(width))
        if fitted is None or fitted["h"] != first["h"] or fitted["i"] != reads:
            return None
    attributes = {
        "input_size": first["i"],
        "hidden_size": first["h"],
        "num_layers": len(cells) // directions,
        "bidirectional": directions == 2,
        "proj_size": width if projected else 0,
    }
    return Match(kind, native, Frozen(attributes), Frozen(gate=gates))
