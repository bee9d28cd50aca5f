"""A saved model that Keras does not open: a SavedModel, an endpoint, a file of weights alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from shapeinspect.ir import Layer, Model
from shapeinspect.plugin_api.claims import Claim, Level
from shapeinspect.plugin_api.facts import KeyedLoad, Repair
from shapeinspect.plugin_api.rerun import Failure, Retried
from shapeinspect.plugin_api.user_code.calls import UserCall, failed_call
from shapeinspect.plugin_api.user_code.frames import Place
from shapeinspect_keras.debug.loading.attempt import attempt
from shapeinspect_keras.debug.loading.stored_file import StoredFile, stored_file
from shapeinspect_keras.debug.refused_call import Raised

_PACKAGES = ("keras", "tensorflow", "numpy", "h5py", "shapeinspect_keras")
#: The endpoint of Keras's own exports, and that of TensorFlow's.
_ENDPOINTS = ("serve", "serving_default")


def of_opening(frames: list[Place], raised: Raised) -> Retried | None:
    """Explain why a saved model is not opened, and open it otherwise.

    Args:
        frames: those of the traceback, the outermost first, with their lines.
        raised: the exception's message, and the user's line.
    """
    given = (frame.f_locals.get("filepath") for frame, _ in frames)
    path = next((os.fspath(item) for item in given if isinstance(item, str | os.PathLike)), None)
    call = failed_call(frames, _PACKAGES, ("load_model", "TFSMLayer", "load_weights"))
    if path is None or call is None:
        return None
    if os.path.isfile(os.path.join(path, "saved_model.pb")):
        return _saved_model(path, call, raised)
    stored = stored_file(path)
    if stored is None or not raised.message.startswith("No model config"):
        return None
    return _weights_alone(path, stored, call, raised)


def _failed(fact: KeyedLoad, name: str, claim: Claim, raised: Raised) -> Retried:
    layer = Layer(name, "module", name)
    model = Model(name, "live", "keras", "keras-live", (layer,))
    failure = Failure(model, layer, (), raised.message, raised.where, fact=fact, claim=claim)
    return Retried(failure, lambda _changes: True, lambda change, _name: str(change))


def _saved_model(path: str, call: UserCall, raised: Raised) -> Retried:
    """Open a SavedModel as a layer, by the endpoints that it has."""
    import keras

    endpoints = list(dict.fromkeys((*_ENDPOINTS, *_named(raised.message))))
    argument = call.argument(0, "filepath") or repr(path)
    name = call.source(call.node.func)
    if not name.endswith("TFSMLayer"):
        package = next(iter(call.names(keras)), "keras")
        name = f"{package}.layers.TFSMLayer"
    for endpoint in endpoints:
        try:
            keras.layers.TFSMLayer(path, call_endpoint=endpoint)
        except Exception:  # noqa: BLE001, S112  # it has no such endpoint, or cannot be read
            continue
        code = f'{name}({argument}, call_endpoint="{endpoint}")'
        break
    else:
        code, endpoint = "", ""
    why = ["it is a SavedModel of TensorFlow, which Keras 3 opens as a layer for inference, by an endpoint"]
    if raised.message.startswith("The endpoint"):
        why = [f"the SavedModel has the endpoints {', '.join(_named(raised.message)) or 'of no name'}"]
    repairs = (Repair("saved-model", code),) if code else ()
    fact = KeyedLoad("saved-model", tuple(why), repairs=repairs)
    return _failed(fact, os.path.basename(os.path.abspath(path)), Claim(Level.WHOLE, "TFSMLayer"), raised)


def _named(message: str) -> list[str]:
    """Return the endpoints that Keras lists in its message."""
    _, _, listed = message.rpartition("SavedModel: [")
    return [part.strip(" '\"") for part in listed.rstrip("]").split(",") if listed]


def _weights_alone(path: str, stored: StoredFile, call: UserCall, raised: Raised) -> Retried:
    """Load weights into a model that the user has already, if they fit one."""
    shown = ", ".join(f"{item.name or item.path} {item.shapes[0]}" for item in stored.layers[:4])
    more = f" and {len(stored.layers) - 4} more layers" if len(stored.layers) > 4 else ""
    argument = call.argument(0, "filepath") or repr(path)
    repairs: list[Repair] = []
    outcome = ""
    for name, model in _models(call):
        done = attempt(model, lambda model=model: model.load_weights(path))  # type: ignore[misc]  # a model of Keras
        if done is not None and not done.missing and done.loaded:
            repairs.append(Repair("weights-alone", f"{name}.load_weights({argument})"))
            outcome = done.text()
            break
    why = (
        f"it stores {shown}{more}",
        f"build the model as it was when it was saved, then model.load_weights({argument})",
    )
    fact = KeyedLoad("weights-alone", why, repairs=tuple(repairs))
    return _failed(fact, os.path.basename(path), Claim(Level.WHOLE, "load_weights", outcome), raised)


def _models(call: UserCall) -> Iterator[tuple[str, Any]]:
    import keras

    for scope in (call.frame.f_locals, call.frame.f_globals):
        for name, value in list(scope.items()):
            if isinstance(value, keras.Model) and value.built:
                yield name, value
