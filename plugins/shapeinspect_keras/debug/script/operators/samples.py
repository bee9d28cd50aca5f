"""Edits of shapes that count the samples, and of operations that go over all samples instead of over each."""

from __future__ import annotations

import ast
import itertools
import math
import re
from collections.abc import Iterator

from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.script.candidate import Candidate, Scene, show
from shapeinspect_keras.debug.script.program import Replacement
from shapeinspect_keras.debug.statements.names import COMPARES, RUNS
from shapeinspect_keras.debug.statements.site import argument, calls_in

Lengths = tuple[int | None, ...]

#: Calls that make a weight, and the arguments that are the shape of one sample.
_WEIGHTS = frozenset({"add_weight", "add_variable"})
_OF_ONE = frozenset({"shape", "input_shape"})
#: What the axes of two arrays are called in an equation, that of the samples first.
_AXES = "bijklmnpqrs"
#: Functions that leave no axis where they are not told which.
_REDUCES = frozenset({
    "sum", "mean", "max", "min", "prod", "std", "var", "reduce_sum", "reduce_mean", "reduce_max",
    "reduce_min", "reduce_prod", "reduce_std",
})  # fmt: skip
#: The shape of a single number in a message, and not the end of a function's name.
_SCALAR = re.compile(r"(?<!\w)\(\)")
#: Layers that read sequences of vectors.
_OF_STEPS = ("LSTM", "GRU", "SimpleRNN", "Conv1D", "Bidirectional")


def weights(scene: Scene) -> Iterator[Candidate]:
    """Yield edits of the shape of a weight that has the open number of samples in it.

    Args:
        scene: the failed run.
    """
    for node in scene.near:
        if not isinstance(node, ast.Call) or callee_of(node) not in _WEIGHTS:
            continue
        given = next((item.value for item in node.keywords if item.arg == "shape"), None)
        given = given or next((item for item in node.args[:2] if None in _tuple(scene, item)), None)
        shape = () if given is None else _tuple(scene, given)
        if given is None or None not in shape:
            continue
        text = scene.program.source(given)
        why = f"the weight of {scene.at(node)} is made with the shape `{scene.text(given)}`, {show(shape)}: "
        plain = isinstance(given, ast.Name) and given.id == "input_shape" and shape.index(None) == 0
        why += "its open axis is the number of samples, which no weight has" if plain else "an axis is open"
        if isinstance(given, ast.Tuple | ast.List) and len(given.elts) == len(shape):
            at = given.elts[shape.index(None)]
            if isinstance(at, ast.Subscript):
                new = f"{scene.program.source(at.value)}[-1]"
                yield Candidate((Replacement(at, new),), 0.3, "open-weight", why, fact=True)
        elif isinstance(given, ast.Name | ast.Attribute) and shape[0] is None and None not in shape[1:]:
            for place, new in enumerate((f"{text}[1:]", f"({text}[-1],)")):
                edit = (Replacement(given, new),)
                yield Candidate(edit, 0.3 + 0.05 * place, "open-weight", why, fact=True)


def _tuple(scene: Scene, node: ast.AST) -> Lengths:
    return next((item for item in reversed(scene.values(node)) if isinstance(item, tuple)), ())


def declared(scene: Scene) -> Iterator[Candidate]:
    """Yield edits of a declared shape of one sample that is the shape of a whole array.

    Args:
        scene: the failed run.
    """
    fed = {scene.program.line(item) for item in _fed(scene)}
    for node in scene.near:
        if not isinstance(node, ast.Attribute) or node.attr != "shape" or scene.kind(node.value) != "numpy":
            continue
        outer, shape = scene.program.parents.get(node), scene.shape(node.value)
        argument = isinstance(outer, ast.keyword) and outer.arg in _OF_ONE
        named = isinstance(outer, ast.Assign) and isinstance(outer.targets[0], ast.Name)
        if not (argument or named) or shape is None or len(shape) < 2 or scene.clues.rank > 0:
            continue
        if scene.program.line(node.value) not in fed:
            continue  # it may be one sample
        text = scene.program.source(node)
        why = f"`{text}` at {scene.at(node)} is the shape of all {shape[0]} samples, {show(shape)}; "
        why += f"that of one sample is {show(shape[1:])}"
        edit = (Replacement(node, f"{text}[1:]"),)
        yield Candidate(edit, 0.2 + 0.6 * named, "samples-in-shape", why, fact=argument)
    yield from _counted(scene)


def _counted(scene: Scene) -> Iterator[Candidate]:
    """Write the shape of one sample where the lengths of the whole array are written."""
    fed = [(node, scene.shape(node)) for node in _fed(scene)]
    for node in scene.near:
        outer = scene.program.parents.get(node)
        if not isinstance(outer, ast.keyword) or outer.arg not in _OF_ONE or node is not outer.value:
            continue
        declared, call = _tuple(scene, node), scene.program.parents.get(outer)
        if len(declared) != 2 or callee_of(call) not in _OF_STEPS or not isinstance(node, ast.Tuple):
            continue
        if not any(shape == declared for _, shape in fed):
            continue
        alike = [item for item, shape in fed if shape and len(shape) == 2 and shape[1:] == declared[1:]]
        row = scene.program.source(node.elts[1])
        each = _has_targets_for_each(scene, declared)
        why = f"`{scene.text(outer)}` at {scene.at(node)} is the shape of the whole array, {show(declared)}"
        why += f", its {declared[0]} samples included" if each else ""
        why += f"; `{callee_of(call)}` reads (samples, steps, features)"
        edits = [Replacement(node, f"({row}, 1)")]
        edits += [Replacement(item, f"{scene.program.source(item)}[..., None]") for item in alike]
        yield Candidate(tuple(edits), 0.3, "samples-in-shape", why, fact=each)


def _has_targets_for_each(scene: Scene, shape: Lengths) -> bool:
    """Tell whether an array of a shape is given to a run with a target for each of its rows.

    Without one, the array may be a single sample that lacks the axis of the samples.
    """
    pairs = [
        (argument(call, 0, "x"), argument(call, 1, "y")) for call in calls_in(scene.program.tree, *COMPARES)
    ]
    known = [(scene.shape(x), scene.shape(y)) for x, y in pairs if x is not None and y is not None]
    return any(one == shape and other and other[0] == shape[0] for one, other in known)


def _fed(scene: Scene) -> Iterator[ast.expr]:
    """Yield the inputs that are given to runs, those of the validation included."""
    for call in calls_in(scene.program.tree, *RUNS):
        x, tested = argument(call, 0, "x"), argument(call, 7, "validation_data")
        yield from () if x is None else (x,)
        yield from tested.elts[:1] if isinstance(tested, ast.Tuple | ast.List) else ()


def products(scene: Scene) -> Iterator[Candidate]:
    """Yield edits of a product that goes over all samples where one by sample is meant.

    Args:
        scene: the failed run.
    """
    for node in scene.near:
        if not isinstance(node, ast.Call) or callee_of(node) != "dot" or len(node.args) != 2:
            continue
        one, other, made = (scene.shape(item) for item in (*node.args, node))
        if not one or not other or made is None or len(made) < 3 or len(other) < 3:
            continue
        if one[0] != other[0] or one[-1] != other[-2] or made[: len(one)] != (*one[:-1], other[0]):
            continue
        left, right = (scene.program.source(item) for item in node.args)
        letters, rest = _AXES[: len(one)], _AXES[len(one) : len(one) + len(other) - 2]
        equation = f"{letters},{letters[0]}{rest[:-1]}{letters[-1]}{rest[-1]}->{letters[:-1]}{rest}"
        result = (*one[:-1], *other[1:-2], other[-1])
        why = f"`{scene.text(node)}` at {scene.at(node)} multiplies each of the {one[0]} samples with all "
        why += f"of them: {show(one)} and {show(other)} make {show(made)}; by sample it is {show(result)}"
        news = [("einsum", f'"{equation}", {left}, {right}')]
        if len(one) == 2:
            news.append(("matmul", f"{left}[:, None], {right}"))
        elif len(one) == len(other):
            news.insert(0, ("matmul", f"{left}, {right}"))
        for place, (name, arguments) in enumerate(news):
            function, imported = scene.function("keras", name)
            edits = (Replacement(node, f"{function}({arguments})"), *imported)
            yield Candidate(edits, 0.3 + 0.1 * place, "over-samples", why, fact=True)


def reductions(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that say over which axis a function goes that goes over all of them.

    Args:
        scene: the failed run.
    """
    for node in scene.near:
        if not isinstance(node, ast.Call) or callee_of(node) not in _REDUCES or len(node.args) != 1:
            continue
        given = {item.arg for item in node.keywords}
        before, after = scene.shape(node.args[0]), scene.shape(node)
        if given & {"axis", "keepdims", None} or after != () or not before or len(before) < 2:
            continue
        if scene.kind(node) == "numpy":
            continue
        why = f"`{scene.text(node)}` at {scene.at(node)} goes over all axes, the samples included: "
        why += f"{show(before)} becomes a single number"
        lacking = _SCALAR.search(scene.message) is not None
        prior = (0.4 if lacking else 1.4) + 0.3 * scene.far(node)
        for place, more in enumerate(("axis=-1, keepdims=True", "axis=-1")):
            edit = (Replacement(node, scene.extended(node, more)),)
            yield Candidate(edit, prior + 0.1 * place, "over-samples", why, fact=lacking)


def by_class(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that compare maps class by class, where a function takes one map and is given several.

    Args:
        scene: the failed run.
    """
    sizes = {frozenset(pair) for pair in scene.clues.pairs}
    for node in scene.near:
        own = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if not own or not isinstance(node, ast.Call) or callee_of(node) not in scene.functions:
            continue
        shapes = [scene.shape(item) for item in node.args]
        if len(shapes) != 2 or shapes[0] != shapes[1] or not shapes[0] or None in shapes[0]:
            continue
        lengths = [length for length in shapes[0] if length is not None]
        for start in (0, 1):
            place = math.prod(lengths[start:-1])
            if lengths[-1] < 2 or frozenset((place, place * lengths[-1])) not in sizes:
                continue
            texts = [scene.program.source(item) for item in node.args]
            parts = ", ".join(f"{text}[..., i]" for text in texts)
            name, count = scene.program.source(node.func), lengths[-1]
            product = "·".join(map(str, lengths[start:-1]))
            why = f"`{scene.text(node)}` at {scene.at(node)} takes one map of {product} = {place} values, "
            why += f"and is given {count} in one array: {show(shapes[0])}, {place * count} values"
            edit = (Replacement(node, f"sum({name}({parts}) for i in range({count}))"),)
            yield Candidate(edit, 0.5, "several-maps", why, fact=True)
            return


def together(scene: Scene) -> Iterator[Candidate]:
    """Yield edits of the same factor in all the products that make the size that differs.

    Args:
        scene: the failed run.
    """
    for old, new in [pair for one, other in scene.clues.pairs[:4] for pair in ((one, other), (other, one))]:
        found = [(node, *_factor(scene, node)) for node in scene.near if isinstance(node, ast.BinOp)]
        rows = [
            (node, part, other)
            for node, part, other in found
            if part is not None and other and old in scene.values(node) and new % other == 0
        ]
        for key, group in itertools.groupby(sorted(rows, key=_key), key=_key):
            items = [*group]
            if len(items) < 2 or new // key[1] < 1:
                continue
            number = new // key[1]
            lines = sorted({node.lineno for node, _, _ in items})
            told = f"{'lines' if len(lines) > 1 else 'line'} {' and '.join(map(str, lines))}"
            text = scene.text(items[0][0])
            why = f"{old} = {key[1]}·{key[0]} at {told}, such as `{text}`, and {new} = {key[1]}·{number}"
            edits = tuple(Replacement(part, str(number)) for _, part, _ in items)
            yield Candidate(edits, 0.9 + 0.1 * (scene.clues.pairs[0][0] != old), "", why, fact=True)


def _factor(scene: Scene, node: ast.BinOp) -> tuple[ast.Constant | None, int]:
    """Return the number of a product that is written down, and what the other factor was."""
    part = node.right
    if not isinstance(node.op, ast.Mult) or not isinstance(part, ast.Constant) or type(part.value) is not int:
        return None, 0
    values = [value for value in scene.values(node.left) if type(value) is int]
    return part, values[-1] if values else 0


def _key(row: tuple[ast.BinOp, ast.Constant | None, int]) -> tuple[int, int]:
    return int(getattr(row[1], "value", 0)), row[2]


OPERATORS = (weights, declared, products, reductions, by_class, together)
