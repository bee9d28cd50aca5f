"""A loss that the user calls by hand, in a training step or a loop, and refuses its targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from shapeinspect.plugin_api.claims import Claim
from shapeinspect.plugin_api.facts import Edit, Explained
from shapeinspect.plugin_api.user_code.frames import Place
from shapeinspect.rules.rule import show
from shapeinspect_keras.debug.statements.site import Site
from shapeinspect_keras.debug.statements.targets import OTHER_LOSS

_CALLED = Claim(what="the loss")


def explained(frames: Sequence[Place], site: Site) -> tuple[Explained, dict[str, Any]] | None:
    """Explain the targets that a loss refuses where the user calls it, and return the operands' shapes.

    Args:
        frames: those of the traceback.
        site: the user's statement.
    """
    import keras

    for frame, _ in frames:
        local = frame.f_locals
        loss = local.get("self")
        if frame.f_code.co_name == "__call__" and isinstance(loss, keras.losses.Loss):
            y, out = local.get("y_true"), local.get("y_pred")
            if not hasattr(y, "shape") or not hasattr(out, "shape"):
                return None
            return _of_loss(loss, y, out, site)
    return None


def _of_loss(loss: Any, y: Any, out: Any, site: Site) -> tuple[Explained, dict[str, Any]] | None:
    import keras

    target, scores = tuple(y.shape), tuple(out.shape)
    shapes = {"output": scores, "target": target}
    if None in target or None in scores or not scores:
        return None
    name = type(loss).__name__
    sparse = name == "SparseCategoricalCrossentropy"
    if sparse and target == scores:
        line = f"targets of {show(scores[:-1])}, a class index each"
        other = _named(
            site, y, lambda text: f"keras.ops.argmax({text}, -1)", loss, keras.ops.argmax(y, -1), out
        )
    elif name == "CategoricalCrossentropy" and target in (scores[:-1], (*scores[:-1], 1)):
        line = f"targets of {show(scores)}, one-hot"
        rows = keras.ops.one_hot(keras.ops.reshape(keras.ops.cast(y, "int32"), scores[:-1]), scores[-1])
        flat = "" if len(target) < len(scores) else "[..., 0]"
        other = _named(
            site, y, lambda text: f"keras.ops.one_hot({text}{flat}, {scores[-1]})", loss, rows, out
        )
    else:
        return None
    cause = "targets" if sparse else "labels-for-classes"
    edits = (*_exchanged(loss, y, out, site), *other)
    return Explained(cause, (line,), (f"targets of {show(target)}",), edits), shapes


def _exchanged(loss: Any, y: Any, out: Any, site: Site) -> tuple[Edit, ...]:
    import keras

    old = type(loss).__name__
    calls = site.everywhere(old)
    config = {key: value for key, value in loss.get_config().items() if key in ("from_logits", "axis")}
    if len(calls) != 1 or not _runs(getattr(keras.losses, OTHER_LOSS[old])(**config), y, out):
        return ()
    text = site.text(calls[0])
    return (Edit("", f"{text.replace(old, OTHER_LOSS[old], 1)} instead of {text}", _CALLED),)


def _named(
    site: Site, y: Any, write: Callable[[str], str], loss: Any, other: Any, out: Any
) -> tuple[Edit, ...]:
    for call in site.calls():
        for item in call.args:
            value = site.value(item)
            same = value is y or tuple(getattr(value, "shape", ())) == tuple(y.shape)
            if same and _runs(loss, other, out):
                return (Edit("", f"pass {write(site.text(item))}", _CALLED),)
    return ()


def _runs(loss: Any, y: Any, out: Any) -> bool:
    """Call the loss for real on the user's own tensors: it keeps nothing."""
    try:
        loss(y, out)
    except Exception:  # noqa: BLE001  # whatever it raises, the change does not help
        return False
    return True
