"""Which layers are losses, and which outputs and targets a loss accepts."""

from __future__ import annotations

from collections.abc import Sequence

from shapeinspect.dims import Shape
from shapeinspect.ir import Layer
from shapeinspect.plugin_api.rerun import Failure
from shapeinspect.rules.rule import mismatch, show, unlike


def is_loss(layer: Layer) -> bool:
    """Tell whether a layer compares outputs with targets.

    Args:
        layer: the layer.

    Example:
        >>> is_loss(Layer("l", "unknown", "F.cross_entropy"))
        True
    """
    name = layer.type.lower()
    return layer.kind == "loss" or "loss" in name or "entropy" in name or name.endswith("kl_div")


#: Which targets a loss takes, by parts of its name in lower case, without underscores; the first row counts.
_TARGETS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("ctc",), "lengths"),
    (("binary", "bce", "gaussian", "poisson"), "same"),
    (("sparse",), "sparse"),
    (("categorical",), "one-hot"),
    (("entropy", "nllloss", "multimargin"), "indices"),
)


def targets_of(layer: Layer) -> str:
    """Return which targets a loss takes.

    Args:
        layer: the loss, its type as the framework spells it.

    Returns:
        ``lengths`` of sequences beside the targets, the ``same`` shape as the outputs, class indices without
        the last axis (``sparse``) or without axis 1 (``indices``), or ``one-hot`` rows.

    Example:
        >>> [targets_of(Layer("l", "loss", name)) for name in ("BCELoss", "NLLLoss", "sparse_loss")]
        ['same', 'indices', 'sparse']
    """
    name = layer.type.lower().replace("_", "")
    return next((form for parts, form in _TARGETS if any(part in name for part in parts)), "same")


def loss_fits(layer: Layer, shapes: tuple[Shape | None, ...]) -> None:
    """Refuse outputs and targets that a loss does not accept together.

    Args:
        layer: the loss, its type as the framework spells it.
        shapes: the shapes of outputs and targets, with the batch; None for an unknown one.

    Raises:
        ShapeMismatchError: if the two do not fit.

    Source: ``keras.losses`` and ``keras.ops.categorical_crossentropy``, which compare the shapes of
    target and output; sparse ones take the target without the last axis, or with a last axis of 1.

    Example:
        >>> loss_fits(Layer("l", "loss", "SparseCategoricalCrossentropy"), ((8, 10), (8,)))
    """
    if len(shapes) < 2 or shapes[0] is None or shapes[1] is None:
        return
    outputs, targets = shapes[0], shapes[1]
    if layer.attributes.get("sparse", targets_of(layer) == "sparse"):
        wanted: tuple[Shape, ...] = (outputs[:-1], (*outputs[:-1], 1))
    else:
        wanted = (outputs,)
        if len(outputs) == len(targets) + 1 and outputs[-1] == 1:
            wanted = (outputs, outputs[:-1])
    for shape in wanted:
        if len(shape) == len(targets) and not any(map(unlike, shape, targets)):
            return
    raise mismatch(f"targets of {show(wanted[0])}", f"{show(targets)}")


def counts(shapes: Sequence[Shape | None]) -> tuple[int, int] | None:
    """Return how many outputs and how many targets there are, where the two numbers differ.

    Args:
        shapes: the shapes of outputs and targets.

    Example:
        >>> counts(((100, 3), (90,)))
        (100, 90)
    """
    if len(shapes) < 2 or not shapes[0] or not shapes[1]:
        return None
    outputs, targets = shapes[0][0], shapes[1][0]
    if isinstance(outputs, int) and isinstance(targets, int) and outputs != targets:
        return int(outputs), int(targets)
    return None


def weights_of_classes(failure: Failure) -> tuple[int, int] | None:
    """Return how many class weights a loss has, and how many classes there are, where the two differ.

    Args:
        failure: where the run ended.
    """
    outputs = failure.model.values[failure.inputs[0]].shape if failure.inputs else None
    need = outputs[1] if outputs and len(outputs) > 1 else None
    for layer in failure.model.layers:
        for weight in layer.weights if layer.path == failure.layer.path else ():
            have = weight.shape[0] if len(weight.shape) == 1 else None
            if isinstance(have, int) and isinstance(need, int) and have != need:
                return have, need
    return None
