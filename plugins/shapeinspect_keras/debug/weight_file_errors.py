"""A weights file that does not fit a Keras model: the layer that differs, and changes that make it fit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from types import FrameType
from typing import Any

from shapeinspect.ir import Layer
from shapeinspect.plugin_api.changes import Change, OnLayer, PartialLoad, TransposedWeight, Wording
from shapeinspect.plugin_api.claims import Claim, Level
from shapeinspect.plugin_api.facts import OtherWeights
from shapeinspect.plugin_api.rerun import Failure, Rerun
from shapeinspect.sources.source import Source
from shapeinspect_keras.debug.refused_call import Raised
from shapeinspect_keras.debug.spelling import Speller
from shapeinspect_keras.tracing.guard import touchable, untouched
from shapeinspect_keras.tracing.model import read_model

_SIZES = re.compile(
    r"variable\.shape=\((?P<have>[\d, ]*)\), Received: value\.shape=\((?P<stored>[\d, ]*)\)\. "
    r"Target variable: <Variable path=(?P<path>[^,]+)"
)
#: Keras's names of the settings that a fix may change.
_NAMES = {"out_features": "units", "out_channels": "filters", "num_embeddings": "input_dim",
          "embedding_dim": "output_dim", "hidden_size": "units", "kernel_size": "kernel_size"}  # fmt: skip

#: The setting that a layer takes from the input it is built for.
_WIDTHS = ("in_features", "in_channels", "input_size")


def of_loading(owner: Any, model: Any, raised: Raised) -> Rerun | None:
    """Find the layer whose stored weight has another size; Keras names it in its message.

    Args:
        owner: the model whose ``load_weights`` was called, or the first argument of a function.
        model: the same.
        raised: the exception's message, and the user's line.
    """
    import keras

    result = _SIZES.search(raised.message)
    target = owner if isinstance(owner, keras.Layer) else model
    if result is None or not isinstance(target, keras.Layer):
        return None
    rerun = _Loading(target, result.group("path"), _lengths(result.group("stored")))
    return rerun if rerun.locate(raised) else None


def _lengths(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",") if part.strip())


def of_setting(frames: Sequence[tuple[FrameType, int]], raised: Raised) -> Rerun | None:
    """Find the layer that ``set_weights`` gives a weight of another size.

    Args:
        frames: those of the traceback, with their lines.
        raised: the exception's message, and the user's line.
    """
    import keras

    local = next((frame.f_locals for frame, _ in frames if frame.f_code.co_name == "set_weights"), {})
    layer: Any
    variable: Any
    value: Any
    layer, variable, value = (local.get(name) for name in ("self", "variable", "value"))
    if not isinstance(layer, keras.Layer) or not hasattr(value, "shape") or not hasattr(variable, "path"):
        return None
    rerun = _Loading(layer, str(variable.path), tuple(map(int, value.shape)), given=True)
    return rerun if rerun.locate(raised) else None


class _Loading(Rerun):
    """A model, one of its variables, and its shape in the file."""

    def __init__(self, model: Any, variable: str, stored: tuple[int, ...], given: bool = False) -> None:
        self._model, self._variable, self._stored, self._given = model, variable, stored, given

    def locate(self, raised: Raised) -> bool:
        """Find the layer of the variable."""
        whole = read_model(Source(str(self._model.name), target=self._model))
        name, _, role = self._variable.rpartition("/")
        for layer in whole.layers:
            if layer.path.rpartition("/")[2] == name.rpartition("/")[2]:
                stored = ((layer.path, ((role, self._stored),)),)
                fact = OtherWeights(stored, self._given, self._transposed(layer, role))
                sizes = "the sizes of the layer's weights are the stored ones with it"
                alone = "the weight has the layer's shape with it"
                claim = Claim(Level.UNTRIED, rest=alone if self._given else sizes)
                model = replace(whole, notes=())
                self.failure = Failure(model, layer, (), raised.message, raised.where, fact=fact, claim=claim)
                return True
        return False

    def _transposed(self, layer: Layer, role: str) -> tuple[int, ...] | None:
        """Return the permutation that makes a given weight fit, if its axes are in torch's order."""
        if not self._given:
            return None
        have = next((item.shape for item in layer.weights if item.role == role), ())
        rank = len(self._stored)
        turn = (*range(2, rank), 1, 0)  # torch stores o i *k, Keras *k i o
        fits = rank >= 2 and tuple(self._stored[axis] for axis in turn) == tuple(have)
        return turn if fits and have != self._stored else None

    def attempt(self, changes: Sequence[Change]) -> Failure | None:
        """Build the layer again with the changed settings, and compare its variable."""
        with untouched(touchable(self._model)):
            for change in changes:
                if isinstance(change, PartialLoad | TransposedWeight):
                    return None  # what differs is left out, or transposed
                if isinstance(change, OnLayer) and self._fits(change):
                    return None
        return self.failure

    def _fits(self, change: OnLayer) -> bool:
        name = change.path.rpartition("/")[2]
        layer = next((item for item in self._model._flatten_layers() if item.name == name), None)
        if layer is None:
            return False
        settings = {_NAMES[key]: value for key, value in change.attributes.items() if key in _NAMES}
        widths = [value for key, value in change.attributes.items() if key in _WIDTHS]
        built = dict(layer.get_build_config() or {})
        if len(settings) + len(widths) != len(change.attributes) or (widths and "input_shape" not in built):
            return False
        if widths:
            built["input_shape"] = (*built["input_shape"][:-1], widths[0])
        new = type(layer).from_config({**layer.get_config(), **settings})
        new.build_from_config(built)
        role = self._variable.rpartition("/")[2]
        return any(item.name == role and tuple(item.shape) == self._stored for item in new.weights)

    def spell(self, change: Wording, name: str) -> str:
        """Spell a change in Keras."""
        if isinstance(change, TransposedWeight):
            role = self._variable.rpartition("/")[2]
            value = f"{role}.T" if len(change.axes) == 2 else f"np.transpose({role}, {change.axes})"
            return f'set {value} in "{change.path}"'
        if isinstance(change, PartialLoad):
            return "model.load_weights(path, skip_mismatch=True)"
        return Speller(data=True, shapes=self._declared(change))(change, name)

    def _declared(self, change: Wording) -> dict[str, Any]:
        """Return the input shape of a model whose first layer needs another width."""
        name = change.path.rpartition("/")[2] if isinstance(change, OnLayer) else ""
        layer = next((item for item in self._model._flatten_layers() if item.name == name), None)
        built = (layer.get_build_config() or {}).get("input_shape") if layer is not None else None
        inputs = [tuple(item.shape) for item in getattr(self._model, "inputs", None) or ()]
        widths = [value for key, value in getattr(change, "attributes", {}).items() if key in _WIDTHS]
        return {"input": (*built[:-1], widths[0])} if built and widths and tuple(built) in inputs else {}
