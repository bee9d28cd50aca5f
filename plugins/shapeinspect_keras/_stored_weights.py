"""A weights file that does not fit a Keras model: which layer differs, and what would fit it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from shapeinspect.ir import Frozen
from shapeinspect.rerun import Change, Failure, OnCall, OnLayer, Rerun
from shapeinspect.source import Source
from shapeinspect_keras._debug_spelling import Speller
from shapeinspect_keras._live_guard import untouched
from shapeinspect_keras._live_model import _everything, read_model
from shapeinspect_keras._refusal import Said

_SIZES = re.compile(
    r"variable\.shape=\((?P<have>[\d, ]*)\), Received: value\.shape=\((?P<stored>[\d, ]*)\)\. "
    r"Target variable: <Variable path=(?P<path>[^,]+)"
)
#: Keras's names of the settings that a fix may change.
_NAMES = {"out_features": "units", "out_channels": "filters", "num_embeddings": "input_dim",
          "embedding_dim": "output_dim", "hidden_size": "units", "kernel_size": "kernel_size"}  # fmt: skip


def of_loading(owner: Any, model: Any, said: Said) -> Rerun | None:
    """Find the layer whose stored weight has another size; Keras names it in its message.

    Args:
        owner: the model whose ``load_weights`` was called, or the first argument of a function.
        model: the same.
        said: what the exception says.
    """
    import keras

    found = _SIZES.search(said.message)
    target = owner if isinstance(owner, keras.Layer) else model
    if found is None or not isinstance(target, keras.Layer):
        return None
    rerun = _Loading(target, found.group("path"), _lengths(found.group("stored")))
    return rerun if rerun.locate(said) else None


def _lengths(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",") if part.strip())


class _Loading(Rerun):
    """A model, one of its variables, and the shape that the file has for it."""

    def __init__(self, model: Any, variable: str, stored: tuple[int, ...]) -> None:
        self._model, self._variable, self._stored = model, variable, stored

    def locate(self, said: Said) -> bool:
        """Find the layer of the variable."""
        whole = read_model(Source(str(self._model.name), target=self._model))
        name, _, role = self._variable.rpartition("/")
        for layer in whole.layers:
            if layer.path.rpartition("/")[2] == name.rpartition("/")[2]:
                facts = Frozen({"stored": ((layer.path, ((role, self._stored),)),)})
                self.failure = Failure(
                    replace(whole, notes=()), layer, (), said.message, said.where, facts=facts
                )
                return True
        return False

    def attempt(self, changes: Sequence[Change]) -> Failure | None:
        """Build the layer anew with the changed settings, and compare its variable."""
        with untouched(_everything(self._model)):
            for change in changes:
                if isinstance(change, OnCall):
                    return None  # what differs is left out
                if isinstance(change, OnLayer) and self._fits(change):
                    return None
        return self.failure

    def _fits(self, change: OnLayer) -> bool:
        name = change.path.rpartition("/")[2]
        layer = next((one for one in self._model._flatten_layers() if one.name == name), None)
        if layer is None:
            return False
        settings = {_NAMES.get(key, key): value for key, value in change.attributes.items()}
        new = type(layer).from_config({**layer.get_config(), **settings})
        new.build_from_config(layer.get_build_config())
        role = self._variable.rpartition("/")[2]
        return any(one.name == role and tuple(one.shape) == self._stored for one in new.weights)

    def spell(self, change: Change, name: str) -> str:
        """Write a change in Keras's words."""
        if isinstance(change, OnCall):
            return "model.load_weights(path, skip_mismatch=True)"
        return Speller(data=True, shapes={})(change, name)
