"""Edits of what a model reads at once: data without batches, lengths that need not be fixed, lone rows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.script.candidate import Candidate, Scene, show
from shapeinspect_keras.debug.script.clues import EXPECTED
from shapeinspect_keras.debug.script.program import Replacement
from shapeinspect_keras.debug.script.running import Elements
from shapeinspect_keras.debug.statements.names import RUNS
from shapeinspect_keras.debug.statements.site import argument, calls_in

Lengths = tuple[int | None, ...]

#: How many samples are put together where the script says no number.
_BATCH = "32"
#: How many samples a run takes at a time by default, and the runs that take one batch.
#: Source: ``keras.Model.fit``, ``evaluate``, ``predict``: ``batch_size`` defaults to 32.
_DEFAULT, _AT_ONCE = 32, frozenset({"train_on_batch", "test_on_batch", "predict_on_batch"})
#: Calls that give a picture a size that is written there.
_RESIZE = frozenset({"Resizing", "resize", "resize_with_pad", "resize_with_crop_or_pad", "CenterCrop"})
#: How a script names the data sets of TensorFlow, which have batches of their own.
_DATA_SETS = re.compile(r"\bDataset\b|\bdataset_from|\btfds\b|_dataset\b")
#: Functions whose data sets give batches.
#: Source: ``keras.utils.image_dataset_from_directory`` and its brothers: ``batch_size`` defaults to 32.
_MAKE_BATCHES = (
    "image_dataset_from_directory", "text_dataset_from_directory", "audio_dataset_from_directory",
    "timeseries_dataset_from_array",
)  # fmt: skip
#: Calls that declare an input, and the arguments that hold its shape.
_INPUTS = frozenset({"Input", "InputLayer"})
_WITH_BATCH, _OF_ONE = frozenset({"batch_shape", "batch_input_shape"}), frozenset({"shape", "input_shape"})


def told(scene: Scene) -> tuple[Lengths, Lengths] | None:
    """Return the shape that a model declares and the one that it got; None where both are not known.

    Args:
        scene: the failed run.
    """
    match = EXPECTED.search(scene.message)
    if match is not None:
        return _lengths(match[1]), _lengths(match[2])
    for call in calls_in(scene.program.tree, *RUNS):
        given, owner = argument(call, 0, "x"), getattr(call.func, "value", None)
        model = scene.seen.layers.get(scene.numbers.get(owner, -1)) if owner is not None else None
        inputs = getattr(model, "inputs", None) or []
        shape = _given(scene, given) if given is not None and scene.reach.of(call) == 0 else None
        if shape and len(inputs) == 1:
            return tuple(inputs[0].shape), shape
    return None


def _lengths(text: str) -> Lengths:
    return tuple(None if part == "None" else int(part) for part in re.findall(r"\d+|None", text))


def _given(scene: Scene, node: ast.expr) -> Lengths | None:
    """Return the shape of an array, or of what a data set gives at a time."""
    data = (item.shape for item in reversed(scene.values(node)) if isinstance(item, Elements))
    return scene.shape(node) or next(data, None)


def unbatched(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that make batches of a data set that gives one sample at a time.

    Args:
        scene: the failed run.
    """
    if not _DATA_SETS.search(scene.program.text):
        return
    pair = told(scene)
    if pair is None or not _fits(pair[0][1:], pair[1]):
        return
    size = _batch_size(scene)
    for call in calls_in(scene.program.tree, *RUNS):
        if scene.reach.of(call) > 1:
            continue
        for place, node in enumerate((argument(call, 0, "x"), argument(call, 7, "validation_data"))):
            if node is None or isinstance(node, ast.Tuple | ast.List | ast.Dict) or scene.shape(node):
                continue
            text = scene.program.source(node)
            if not isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript):
                continue
            shape = _given(scene, node)
            if shape is not None and not _fits(pair[0][1:], shape):
                continue
            why = f"`{scene.text(node)}` at {scene.at(node)} gives one sample at a time, "
            why += show(shape or pair[1])
            edit = (Replacement(node, f"{text}.batch({size})"),)
            yield Candidate(edit, 0.2 + 0.1 * place, "no-batch", why, fact=shape is not None)


def twice(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that leave out `.batch` where a data set gives batches already.

    Args:
        scene: the failed run.
    """
    pair = told(scene)
    if pair is None or len(pair[1]) != len(pair[0]) + 1:
        return
    found = []
    for call in calls_in(scene.program.tree, "batch"):
        before = _given(scene, call.func.value) if isinstance(call.func, ast.Attribute) else None
        if before is not None and len(before) == len(pair[0]) and before[0] is None:
            found.append((call, before))
    if not found:
        return
    call, before = found[0]
    maker = next(calls_in(scene.program.tree, *_MAKE_BATCHES), None)
    why = f"`{scene.text(call)}` at {scene.at(call)} makes batches of batches: the data set gives "
    why += f"{show(before)} already"
    why += f", as `{callee_of(maker)}` at {scene.at(maker)} makes batches" if maker is not None else ""
    edits = tuple(
        Replacement(one, scene.program.source(one.func.value))
        for one, _ in found
        if isinstance(one.func, ast.Attribute)
    )
    yield Candidate(edits, 0.2, "batched-twice", why, fact=True)


def _batch_size(scene: Scene) -> str:
    """Return how many samples the script puts together elsewhere, as it is written there."""
    names = {
        target.id
        for node in scene.program.tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for call in calls_in(scene.program.tree, "batch"):
        given = argument(call, 0, "batch_size")
        known = isinstance(given, ast.Name) and given.id in names
        if given is not None and (known or isinstance(given, ast.Constant)):
            return scene.program.source(given)
    return _BATCH


def _fits(declared: Lengths, given: Lengths) -> bool:
    pairs = zip(declared, given, strict=False)
    return len(declared) == len(given) and all(one is None or one == other for one, other in pairs)


def open_lengths(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that leave open a length which the input declares and the data does not have.

    Args:
        scene: the failed run.
    """
    pair = told(scene)
    if pair is None or len(pair[0]) != len(pair[1]) or len(pair[0]) < 3:
        return
    declared, given = pair
    differ = [at for at in range(1, len(declared) - 1) if declared[at] not in (None, given[at])]
    if not differ or declared[-1] not in (None, given[-1]):
        return  # the features are those of the weights
    for node, first in _declarations(scene):
        if len(node.elts) != len(declared) - first:
            continue
        items = [node.elts[at - first] for at in differ]
        values = [scene.value(item) for item in items]
        if values != [declared[at] for at in differ]:
            continue
        edits = tuple(Replacement(item, "None") for item in items)
        lengths = " and ".join(str(declared[at]) for at in differ)
        why = f"`{scene.text(node)}` at {scene.at(node)} fixes {lengths}, and {show(given)} is given"
        sure = "xpected shape" not in scene.message  # nothing else says what is wrong
        prior = (0.5 if sure else 1.3) + 0.1 * scene.far(node)
        yield Candidate(edits, prior, "feed", why, fact=sure)


def whole_batch(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that run a model on all samples at once, where something else counts all of them.

    Args:
        scene: the failed run.
    """
    calls = [call for call in calls_in(scene.program.tree, *RUNS) if callee_of(call) not in _AT_ONCE]
    for name in dict.fromkeys(callee_of(call) for call in calls if scene.reach.of(call) <= 1):
        alike = [call for call in calls if callee_of(call) == name]
        open_ = [call for call in alike if not any(one.arg in ("batch_size", None) for one in call.keywords)]
        failing = next((call for call in open_ if scene.reach.of(call) <= 1 and len(call.args) < 3), None)
        x = None if failing is None else argument(failing, 0, "x")
        shape = None if x is None else scene.shape(x.elts[0] if isinstance(x, ast.List) and x.elts else x)
        if failing is None or not shape or shape[0] is None:
            continue
        samples, parts = shape[0], {_DEFAULT, shape[0] % _DEFAULT}
        meet = any(samples in pair and parts.intersection(pair) for pair in scene.clues.pairs)
        if samples <= _DEFAULT or not meet:
            continue
        edits = tuple(
            Replacement(call, scene.extended(call, f"batch_size={samples}"))
            for call in calls
            if not any(one.arg in ("batch_size", None) for one in call.keywords)
        )
        why = f"`{name}` at {scene.at(failing)} takes {_DEFAULT} of the {samples} samples at a time, its "
        why += f"default, and they meet what has a length of {samples}"
        yield Candidate(edits, 0.45, "part-of-samples", why, fact=True)


def _declarations(scene: Scene) -> Iterator[tuple[ast.Tuple | ast.List, int]]:
    """Yield the written shapes of inputs, and how many axes of a batch they leave out."""
    for call in ast.walk(scene.program.tree):
        if not isinstance(call, ast.Call):
            continue
        for keyword in call.keywords:
            if isinstance(keyword.value, ast.Tuple | ast.List) and keyword.arg in _WITH_BATCH | _OF_ONE:
                yield keyword.value, int(keyword.arg in _OF_ONE)
        first = call.args[0] if call.args and callee_of(call) in _INPUTS else None
        if isinstance(first, ast.Tuple | ast.List):
            yield first, 1


def lone_rows(scene: Scene) -> Iterator[Candidate]:
    """Yield edits of a network that gets one more axis, of length 1, at all of its calls: it flattens it.

    Args:
        scene: the failed run.
    """
    pair = told(scene)
    if pair is None or len(pair[0]) != 2 or len(pair[1]) != 3:
        return
    declared, given = pair
    if given[1] != 1 or declared[1] != given[2]:
        return
    for call in calls_in(scene.program.tree, "Input"):
        shape, made = argument(call, 0, "shape"), scene.program.parents.get(call)
        if shape is None or scene.value(shape) != (declared[1],):
            continue
        wider = f"(1, *{scene.program.source(shape)})"
        why = f"{show(given)} is given: an axis of 1 stands before the {declared[1]} values of each sample, "
        why += f"which `{scene.text(call)}` at {scene.at(call)} does not have"
        if isinstance(made, ast.List) and made.elts.index(call) == 0:
            text = scene.extended(call, "").replace(scene.program.source(shape), wider, 1)
            edits = [Replacement(shape, wider)]
            following = made.elts[1:2]
            layer, imported = scene.layer("Flatten")
            edits += [Replacement(one, f"{layer}(), {scene.program.source(one)}") for one in following]
            edits += imported
            if following and text:
                yield Candidate(tuple(edits), 0.9, "extra-axis", why, fact=True)
        elif isinstance(made, ast.Assign) and isinstance(made.targets[0], ast.Name):
            name = made.targets[0].id
            uses = [node for node in _calls_on(scene, name) if node.lineno > call.lineno]
            edits = [Replacement(use, f"{name}[:, 0]") for use in uses]
            if uses:
                yield Candidate((Replacement(shape, wider), *edits), 0.9, "extra-axis", why, fact=True)


def _calls_on(scene: Scene, name: str) -> Iterator[ast.Name]:
    """Yield where a layer is called on a tensor."""
    for node in ast.walk(scene.program.tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Call) or len(node.args) != 1:
            continue
        given = node.args[0]
        if isinstance(given, ast.Name) and given.id == name:
            yield given


def resized_late(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that make samples equally large before they are put together, and not after it.

    Args:
        scene: the failed run.
    """
    if "Cannot batch tensors with different shapes" not in scene.message:
        return
    for call in calls_in(scene.program.tree, "map"):
        made = call.func.value if isinstance(call.func, ast.Attribute) else None
        if not isinstance(made, ast.Call) or callee_of(made) != "batch" or not call.args:
            continue
        before = made.func.value if isinstance(made.func, ast.Attribute) else None
        resize = _resizing(scene, call.args[0])
        if before is None or resize is None:
            continue
        source = scene.program.source
        head = len(source(made))
        mapped, batched = source(call)[head:], source(made)[len(source(before)) :]
        why = f"`{scene.text(made)}` at {scene.at(made)} puts samples of different sizes together before "
        why += f"`{scene.text(resize)}` at {scene.at(resize)} makes them equal"
        yield Candidate(
            (Replacement(call, source(before) + mapped + batched),), -0.6, "ragged", why, fact=True
        )


def _resizing(scene: Scene, function: ast.expr) -> ast.Call | None:
    """Return the call that resizes in a function, or in what it calls."""
    seen: set[str] = set()
    border: list[ast.AST] = [function]
    while border:
        for node in ast.walk(border.pop()):
            if isinstance(node, ast.Call) and callee_of(node) in _RESIZE:
                return node
            if isinstance(node, ast.Name) and node.id not in seen:
                seen.add(node.id)
                border += [
                    item.value if isinstance(item, ast.Assign) else item
                    for item in scene.program.tree.body
                    if (isinstance(item, ast.FunctionDef) and item.name == node.id)
                    or (
                        isinstance(item, ast.Assign)
                        and any(isinstance(one, ast.Name) and one.id == node.id for one in item.targets)
                    )
                ]
    return None


OPERATORS = (unbatched, twice, open_lengths, lone_rows, whole_batch, resized_late)
