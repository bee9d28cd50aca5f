"""Which code is that of a layer with a kind, and what it says beside the layer's settings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from shapeinspect.ir import Layer
from shapeinspect_torch.vocabulary.kinds import is_known

#: A second trace of a layer's forward, or an overload of it, has a numbered name.
_FORWARD = re.compile(r"forward(?:_{0,2}\d{1,4})?")
#: Settings without which a layer's code is followed instead.
_NEEDED = {"attention": "num_heads", **dict.fromkeys(("rnn_cell", "lstm_cell", "gru_cell"), "hidden_size")}


def is_forward(name: str) -> bool:
    """Tell whether a method is a layer's forward.

    Args:
        name: its name.

    Example:
        >>> is_forward("forward__2"), is_forward("_conv_forward")
        (True, False)
    """
    return _FORWARD.fullmatch(name) is not None


def is_whole(layer: Layer) -> bool:
    """Tell whether a layer's settings say what it does, so that its code need not be followed.

    A traced attention or cell has no settings: what it takes and returns is in its code.

    Args:
        layer: the layer.
    """
    needed = _NEEDED.get(layer.kind)
    bare = needed is not None and needed not in layer.attributes
    return layer.kind not in ("module", "unknown") and is_known(layer.type) and not bare


def padding(kind: str, padded: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Read the padding of a convolution whose code pads its input first, as all modes but zeros do.

    Args:
        kind: the kind of the layer.
        padded: the settings of the paddings in its code.

    Example:
        >>> padding("conv", [{"padding": ((1, 1),), "mode": "reflect"}])
        {'padding': ((1, 1),), 'padding_mode': 'reflect'}
    """
    if kind != "conv" or len(padded) != 1 or padded[0].get("mode", "constant") == "constant":
        return {}
    return {"padding": padded[0]["padding"], "padding_mode": padded[0]["mode"]}
