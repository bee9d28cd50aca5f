"""A weights file that does not fit a Keras model: the layer that differs, and changes that make it fit."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from types import FrameType
from typing import Any

from shapeinspect.ir import Layer, Model
from shapeinspect.plugin_api.changes import Change, Loaded, OnLayer, TransposedWeight, Wording
from shapeinspect.plugin_api.claims import Claim, Level
from shapeinspect.plugin_api.facts import KeyedLoad, OtherWeights
from shapeinspect.plugin_api.rerun import Failure, Rerun
from shapeinspect.plugin_api.user_code.calls import failed_call
from shapeinspect.plugin_api.user_code.constructions import built_by, built_in_place
from shapeinspect.plugin_api.user_code.frames import Place
from shapeinspect.sources.source import Source
from shapeinspect_keras.debug.loading.given_list import of_list
from shapeinspect_keras.debug.loading.survey import Request, Surveyed, survey
from shapeinspect_keras.debug.refused_call import Raised
from shapeinspect_keras.debug.spelling import Speller
from shapeinspect_keras.tracing.guard import touchable, untouched
from shapeinspect_keras.tracing.model import read_model

#: The packages whose lines are not the user's.
_PACKAGES = ("keras", "tensorflow", "numpy", "h5py", "shapeinspect_keras")
#: Keras's names of the settings that a fix may change.
_NAMES = {"out_features": "units", "out_channels": "filters", "num_embeddings": "input_dim",
          "embedding_dim": "output_dim", "hidden_size": "units", "kernel_size": "kernel_size"}  # fmt: skip

#: The setting that a layer takes from the input it is built for.
_WIDTHS = ("in_features", "in_channels", "input_size")


def of_loading(
    owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any], frames: list[Place], raised: Raised
) -> Rerun | None:
    """Compare the file of a refused ``load_weights`` with the model.

    Args:
        owner: the model whose ``load_weights`` was called, or the first argument of a function.
        args: the other arguments.
        kwargs: those given by name.
        frames: those of the traceback, with their lines.
        raised: the exception's message, and the user's line.
    """
    import keras

    model = owner if isinstance(owner, keras.Layer) else kwargs.get("model")
    path = args[0] if args else kwargs.get("filepath")
    if not isinstance(model, keras.Layer) or not isinstance(path, str | os.PathLike):
        return None
    options = {name: kwargs[name] for name in ("skip_mismatch", "by_name") if kwargs.get(name)}
    if len(args) > 1:
        options["skip_mismatch"] = args[1]
    call = failed_call(frames, _PACKAGES, ("load_weights",))
    construction = None if call is None else built_in_place(call)
    construction = construction or built_by(model, frames, _PACKAGES)
    request = Request(model, os.fspath(path), options, construction=construction)
    if call is not None:
        argument = call.argument(0, "filepath") or "path"
        argument = argument if isinstance(path, str) else f"str({argument})"
        package = next(iter(call.names(keras)), "keras")
        request = replace(request, owner=call.owner or "model", argument=argument, package=package)
    found = survey(request)
    if found is not None:
        return _FileLoading(model, found, raised)
    result = _SIZES.search(raised.message)  # the file is gone or cannot be read
    if result is None:
        return None
    rerun = _Loading(model, result["path"], _lengths(result["stored"]))
    return rerun if rerun.locate(raised) else None


def _lengths(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",") if part.strip())


class _FileLoading(Rerun):
    """A model and a file of weights that it refuses."""

    def __init__(self, model: Any, found: Surveyed, raised: Raised) -> None:
        self._model, self._found = model, found
        name = str(model.name)
        whole = Layer(name, "module", type(model).__name__)
        read = Model(name, "live", "keras", "keras-live", (whole,))
        if model.built:
            read = replace(read_model(Source(name, target=model)), notes=(), inputs=())
        first = str(found.first.name) if found.first is not None else None
        layer = next((item for item in read.layers if item.path.rpartition("/")[2] == first), whole)
        paths = {item.path.rpartition("/")[2]: item.path for item in read.layers}
        stored = tuple((paths.get(path, path), roles) for path, roles in found.fact.stored)
        stored = stored if all(path in paths for path, _ in found.fact.stored) else ()
        fact = replace(found.fact, stored=stored)
        self.failure = Failure(read, layer, (), raised.message, raised.where, fact=fact)

    def claim(self, changes: Sequence[Change]) -> Claim:
        """Say what a repair loaded; see :class:`Rerun`.

        Args:
            changes: those with which an attempt passed.
        """
        number = next((change.repair for change in changes if isinstance(change, Loaded)), None)
        if number is None:
            return Claim(Level.UNTRIED, rest="the sizes of the layer's weights are the stored ones with it")
        return Claim(Level.WHOLE, self._found.call, self._found.outcomes[number])

    def attempt(self, changes: Sequence[Change]) -> Failure | None:
        """Build the layers again with the changed settings; repairs were run before."""
        if any(isinstance(change, Loaded) for change in changes):
            return None  # it was run when it was found
        stored = dict(self._fact().stored)
        built = [change for change in changes if isinstance(change, OnLayer)]
        if {change.path for change in built} != set(stored) or len(built) != len(changes):
            return self.failure
        with untouched(touchable(self._model)):
            fits = all(_fits(self._model, change, dict(stored[change.path])) for change in built)
        return None if fits else self.failure

    def _fact(self) -> KeyedLoad:
        fact = self.failure.fact
        if not isinstance(fact, KeyedLoad):
            raise TypeError("a load has a table of its weights")
        return fact

    def spell(self, change: Wording, name: str) -> str:
        """Spell a change in Keras."""
        return Speller(data=True, shapes=_declared(self._model, change))(change, name)


_SIZES = re.compile(
    r"variable\.shape=\((?P<have>[\d, ]*)\), Received: value\.shape=\((?P<stored>[\d, ]*)\)\. "
    r"Target variable: <Variable path=(?P<path>[^,]+)"
)
_RESTORED = re.compile(
    r"tensor with shape \((?P<stored>[\d, ]*)\) when attempting to restore variable with shape "
    r"\([\d, ]*\) and name (?P<path>[^:\s]+)"
)


def of_restoring(frames: list[Place], raised: Raised) -> Rerun | None:
    """Find the layer whose variable a checkpoint of TensorFlow stores with another shape.

    Args:
        frames: those of the traceback, with their lines.
        raised: the exception's message, and the user's line.
    """
    import keras

    result = _RESTORED.search(raised.message)
    if result is None:
        return None
    path, stored = result["path"], _lengths(result["stored"])
    for frame, _ in reversed(frames):
        for value in (*frame.f_locals.values(), *frame.f_globals.values()):
            if isinstance(value, keras.Model) and any(item.path == path for item in value.variables):
                rerun = _Loading(value, path, stored)
                return rerun if rerun.locate(raised) else None
    return None


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
    if isinstance(layer, keras.Layer):
        found = of_list(layer, local.get("weights"), list(frames))
        if found is not None:
            return _FileLoading(layer, found, raised)
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
            if layer.path.rpartition("/")[2] in (name.rpartition("/")[2], *name.split("/")[-2:-1]):
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
                if isinstance(change, TransposedWeight):
                    return None
                role = self._variable.rpartition("/")[2]
                if isinstance(change, OnLayer) and _fits(self._model, change, {role: self._stored}):
                    return None
        return self.failure

    def spell(self, change: Wording, name: str) -> str:
        """Spell a change in Keras."""
        if isinstance(change, TransposedWeight):
            role = self._variable.rpartition("/")[2]
            value = f"{role}.T" if len(change.axes) == 2 else f"np.transpose({role}, {change.axes})"
            return f'set {value} in "{change.path}"'
        return Speller(data=True, shapes=_declared(self._model, change))(change, name)


def _fits(model: Any, change: OnLayer, stored: dict[str, tuple[int, ...]]) -> bool:
    """Tell whether a layer with other settings has the stored shapes."""
    name = change.path.rpartition("/")[2]
    layer = next((item for item in model._flatten_layers() if item.name == name), None)
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
    shapes = {str(item.name): tuple(item.shape) for item in new.weights}
    return all(shapes.get(role) == shape for role, shape in stored.items())


def _declared(model: Any, change: Wording) -> dict[str, Any]:
    """Return the input shape of a model whose first layer needs another width."""
    name = change.path.rpartition("/")[2] if isinstance(change, OnLayer) else ""
    layer = next((item for item in model._flatten_layers() if item.name == name), None)
    built = (layer.get_build_config() or {}).get("input_shape") if layer is not None else None
    inputs = [tuple(item.shape) for item in getattr(model, "inputs", None) or ()]
    widths = [value for key, value in getattr(change, "attributes", {}).items() if key in _WIDTHS]
    return {"input": (*built[:-1], widths[0])} if built and widths and tuple(built) in inputs else {}
