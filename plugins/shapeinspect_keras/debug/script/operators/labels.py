"""Edits of targets: their order, one for each step, and what a metric compares with them."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from typing import Any

from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.script.candidate import Candidate, Scene, show
from shapeinspect_keras.debug.script.operators.flags import RECURRENT
from shapeinspect_keras.debug.script.operators.insertion import assigned
from shapeinspect_keras.debug.script.program import Replacement
from shapeinspect_keras.debug.statements.names import COMPARES
from shapeinspect_keras.debug.statements.site import argument, calls_in
from shapeinspect_keras.debug.statements.targets import stated

Lengths = tuple[int | None, ...]

#: Metrics that compare the numbers of outputs and targets place by place.
#: Source: ``keras.src.metrics.confusion_metrics``, ``f_score_metrics``.
_BY_PLACE = frozenset({
    "Precision", "Recall", "AUC", "F1Score", "FBetaScore", "TruePositives", "FalsePositives", "TrueNegatives",
    "FalseNegatives", "PrecisionAtRecall", "RecallAtPrecision", "BinaryAccuracy", "CategoricalAccuracy",
})  # fmt: skip
_SPARSE = {
    "sparse_categorical_crossentropy": "categorical_crossentropy",
    "SparseCategoricalCrossentropy": "CategoricalCrossentropy",
}
#: The only order that fits comes before another loss, which a message asks for.
_FIRST = -20.0
#: So many outputs are put into another order.
_OUTPUTS = 4


def _runs(scene: Scene) -> Iterator[tuple[ast.Call, ast.expr, Any]]:
    """Yield the run that failed, its targets and its model."""
    for call in calls_in(scene.program.tree, *COMPARES):
        y, owner = argument(call, 1, "y"), getattr(call.func, "value", None)
        model = scene.seen.layers.get(scene.numbers.get(owner, -1)) if owner is not None else None
        if y is not None and scene.reach.of(call) == 0 and getattr(model, "built", False):
            yield call, y, model


def _outputs(model: Any) -> list[Lengths]:
    try:
        return [tuple(item.shape) for item in model.outputs]
    except (AttributeError, TypeError, ValueError):
        return []


def order(scene: Scene) -> Iterator[Candidate]:
    """Yield the one order of the targets in which each fits its output.

    Args:
        scene: the failed run.
    """
    for _, y, model in _runs(scene):
        shapes = _outputs(model)
        items = y.elts if isinstance(y, ast.List | ast.Tuple) else []
        given = [scene.shape(item) for item in items]
        if not 1 < len(items) == len(shapes) <= _OUTPUTS or None in given:
            continue
        targets = [shape or () for shape in given]
        if all(map(_fits, targets, shapes)):
            continue
        orders = [
            way
            for way in itertools.permutations(range(len(items)))
            if all(_fits(targets[at], shape) for at, shape in zip(way, shapes, strict=True))
        ]
        if len(orders) != 1:
            continue
        names = getattr(model, "output_names", None) or [""] * len(shapes)
        told = ", ".join(f"{name} {show(shape)}" for name, shape in zip(names, shapes, strict=False))
        texts = [f"`{scene.text(item)}` {show(shape)}" for item, shape in zip(items, targets, strict=True)]
        why = f"the model's outputs are {told} in this order, and the targets at {scene.at(y)} "
        why += ", ".join(texts)
        parts = zip(items, orders[0], strict=True)
        edits = tuple(Replacement(item, scene.program.source(items[at])) for item, at in parts)
        yield Candidate(edits, _FIRST, "exchanged", why, fact=True)


def _fits(target: Lengths, output: Lengths) -> bool:
    """Tell whether targets are like the outputs, or a class index for each row of them."""
    alike = len(target) == len(output) and target[1:] == output[1:]
    indices = (len(target) == len(output) - 1 and target[1:] == output[1:-1]) or (
        len(target) == len(output) and target[1:] == (*output[1:-1], 1)
    )
    return alike or indices


def each_step(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that let a recurrent layer return all steps, where the targets have one for each.

    Args:
        scene: the failed run.
    """
    target, output = stated(scene.message) or ((), ())
    if len(output) != 2 or len(target) < 2:
        return
    for _, y, _ in _runs(scene):
        shape = scene.shape(y)
        calls = [node for node in ast.walk(scene.program.tree) if callee_of(node) in RECURRENT]
        open_ = [
            node
            for node in calls
            if isinstance(node, ast.Call)
            if not any(item.arg in ("return_sequences", None) for item in node.keywords)
        ]
        steps = {length for node in open_ for length in _steps(scene, node)}
        if not shape or len(open_) != 1 or steps != {shape[1] if len(shape) > 1 else None}:
            continue
        why = (
            f"the targets `{scene.text(y)}` at {scene.at(y)}, {show(shape)}, are one for each of {shape[1]} "
        )
        why += f"steps, and `{scene.text(open_[0])}` at {scene.at(open_[0])} returns its last step only"
        edit = (Replacement(open_[0], scene.extended(open_[0], "return_sequences=True")),)
        yield Candidate(edit, 0.3, "return-sequences", why, fact=True)


def last_step(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that let the last recurrent layer return its last step, where there is one target a sample.

    Args:
        scene: the failed run.
    """
    target, output = stated(scene.message) or ((), ())
    if (
        len(output) != 3
        or len(target) not in (1, 2)
        or (len(target) == 2 and target[1] not in (1, output[2]))
    ):
        return
    nodes = [node for node in ast.walk(scene.program.tree) if callee_of(node) in RECURRENT]
    for call in sorted(nodes, key=lambda node: getattr(node, "lineno", 0))[-1:]:
        given = call.keywords if isinstance(call, ast.Call) else []
        flag = next((item.value for item in given if item.arg == "return_sequences"), None)
        kept = isinstance(flag, ast.Constant) and flag.value is True and isinstance(call, ast.Call)
        if flag is None or not kept or output[1] not in _steps(scene, call):  # type: ignore[arg-type]  # it is one
            continue
        why = f"`{scene.text(call)}` at {scene.at(call)} returns all its steps, so that the network gives "
        why += f"{show(output)}, and the targets, {show(target)}, are one for each sample"
        yield Candidate((Replacement(flag, "False"),), 0.2, "steps-kept", why, fact=True)


def _steps(scene: Scene, node: ast.Call) -> Iterator[int | None]:
    """Yield the number of steps that a recurrent layer reads."""
    for around in (node, *itertools.islice(scene.program.around(node), 2)):
        layer = scene.seen.layers.get(scene.numbers.get(around, -1)) if isinstance(around, ast.Call) else None
        if layer is not None and type(layer).__name__ in (*RECURRENT, "Bidirectional"):
            given = getattr(layer, "input", None) if layer._inbound_nodes else None
            shape: Lengths = () if given is None else tuple(given.shape)
            if len(shape) == 3:
                yield shape[1]


def metrics(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that make rows of class indices, where a metric compares rows place by place.

    Args:
        scene: the failed run.
    """
    for _, y, model in _runs(scene):
        shape, outputs = scene.shape(y), _outputs(model)
        if not shape or len(outputs) != 1 or len(outputs[0]) != 2 or (outputs[0][1] or 1) < 2:
            continue
        width = outputs[0][1]
        if not (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)):
            continue
        named = [
            node
            for call in calls_in(scene.program.tree, "compile")
            for node in ast.walk(argument(call, 3, "metrics") or ast.Tuple([], ast.Load()))
            if callee_of(node) in _BY_PLACE
        ]
        losses = [
            node
            for call in calls_in(scene.program.tree, "compile")
            for node in ast.walk(argument(call, 1, "loss") or ast.Tuple([], ast.Load()))
            if getattr(node, "value", None) in _SPARSE or getattr(node, "attr", None) in _SPARSE
        ]
        if not named or len(losses) != 1:
            continue
        why = f"`{scene.text(named[0])}` at {scene.at(named[0])} compares the {width} numbers of each output "
        why += f"with its targets place by place, and `{scene.text(y)}`, {show(shape)}, has one class index "
        why += "for each sample"
        loss = losses[0]
        new = (
            f'"{_SPARSE[str(loss.value)]}"'
            if isinstance(loss, ast.Constant)
            else f"{scene.program.source(loss.value)}.{_SPARSE[loss.attr]}"  # type: ignore[attr-defined]  # it has one of the names
        )
        function, imported = scene.imports.name("keras.utils", "to_categorical")
        edits = [Replacement(y, f"{function}({scene.program.source(y)}, {width})"), Replacement(loss, new)]
        tested = [
            part
            for call in calls_in(scene.program.tree, *COMPARES)
            for part in _tested(call, y)
            if (rows := scene.shape(part)) and rows[1:] in ((), (1,))
        ]
        edits += [Replacement(part, f"{function}({scene.program.source(part)}, {width})") for part in tested]
        yield Candidate((*edits, *imported), 0.3, "labels-for-classes", why, fact=True)


def _tested(call: ast.Call, y: ast.expr) -> Iterator[ast.expr]:
    """Yield the other targets of a run: those of the validation, and of other runs."""
    given, tested = argument(call, 1, "y"), argument(call, 7, "validation_data")
    if given is not None and given is not y:
        yield given
    if callee_of(call) == "fit" and isinstance(tested, ast.Tuple | ast.List) and len(tested.elts) > 1:
        yield tested.elts[1]


def named(scene: Scene) -> Iterator[Candidate]:
    """Yield edits of the names of targets, where these are none of the outputs'.

    Args:
        scene: the failed run.
    """
    for _, y, model in _runs(scene):
        given = assigned(scene, y) if isinstance(y, ast.Name) else y
        names = list(getattr(model, "output_names", None) or ())
        nodes = given.keys if isinstance(given, ast.Dict) else []
        keys = [node for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        wrong = [node for node in keys if node.value not in names]
        free = [name for name in names if name not in [node.value for node in keys]]
        if not wrong or len(keys) != len(nodes) or len(wrong) != len(free):
            continue
        pairs = _paired([str(node.value) for node in wrong], free)
        told = " and ".join(f'"{node.value!s}"' for node in wrong)
        outputs = " and ".join(f'"{name}"' for name in names)
        why = (
            f"{told} at {scene.at(wrong[0])} {'is' if len(wrong) == 1 else 'are'} no name of an output: the "
        )
        why += f"model has {outputs}"
        edits = tuple(Replacement(node, f'"{pairs[str(node.value)]}"') for node in wrong)
        yield Candidate(edits, -0.6, "named-targets", why, fact=True)


def _paired(wrong: list[str], free: list[str]) -> dict[str, str]:
    """Pair names by their likeness, else in their order.

    Example:
        >>> _paired(["kind", "price"], ["price_out", "type"])
        {'price': 'price_out', 'kind': 'type'}
    """
    found: dict[str, str] = {}
    for name in wrong:
        alike = [one for one in free if name in one or one in name]
        if len(alike) == 1 and alike[0] not in found.values():
            found[name] = alike[0]
    rest = [one for one in free if one not in found.values()]
    return {**found, **dict(zip((name for name in wrong if name not in found), rest, strict=True))}


OPERATORS = (named, order, each_step, last_step, metrics)
