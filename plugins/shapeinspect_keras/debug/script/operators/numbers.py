"""Edits of sizes: a number in the script is another one, or is taken from the data."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.script.candidate import Candidate, Scene, default_of
from shapeinspect_keras.debug.script.program import Replacement
from shapeinspect_keras.debug.script.running import Shaped
from shapeinspect_keras.debug.statements.site import argument, calls_in

#: Calls that make data; their sizes are those of the data, which is not to be changed.
_DATA = re.compile(
    r"(^|[._])(rng|random|normal|uniform|integers|randint|rand|randn|zeros|ones|full|arange|linspace|load|read\w*|"
    r"default_rng|seed\w*|set_random_seed|choice|permutation|range)\b"
)
#: Calls that make arrays of computed sizes or values, which may be computed wrongly.
FILLED = frozenset({"zeros", "ones", "full", "arange", "linspace", "range"})
#: Arguments that are windows and strides.
_WINDOWS = frozenset({"kernel_size", "strides", "pool_size", "dilation_rate"})
#: Layers whose arguments behind the first are windows and strides.
_WINDOWED = re.compile(r"(Separable|Depthwise)?Conv\dD|(Max|Average)Pool(ing)?\dD")
#: Arguments that are no sizes.
_NO_SIZES = frozenset({
    "epochs", "verbose", "seed", "steps_per_epoch", "learning_rate", "validation_steps", "buffer_size",
    "axis", "initial_epoch", "workers", "random_state", "ndmin", "batch_size", "low", "high",
})  # fmt: skip
_MOST = 8


def numbers(scene: Scene) -> Iterator[Candidate]:
    """Yield edits of a number that is one of two sizes that differ.

    Args:
        scene: the failed run.
    """
    pairs = [pair for old, new in scene.clues.pairs[:_MOST] for pair in ((old, new), (new, old))]
    for place, (old, new) in enumerate(pairs):
        yield from _constants(scene, old, new, 1.5 + 0.25 * place)
        yield from _scaled(scene, old, new, 1.8 + 0.25 * place)


def limits(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that divide a size which is a multiple of the greatest one that is allowed.

    Args:
        scene: the failed run.
    """
    for limit in scene.clues.limits[:2]:
        for node in scene.near:
            if isinstance(node, ast.Attribute | ast.Subscript | ast.Name) and limit >= _LEAST:
                sizes = [size for size in scene.values(node) if type(size) is int and size > limit]
                if sizes and sizes[-1] % limit == 0 and sizes[-1] // limit <= _STEPS:
                    yield from _scaled_at(scene, node, sizes[-1], limit, 1.4)


#: A smaller limit stands for many things; and a size is so many times the limit at most.
_LEAST, _STEPS = 4, 64


def _constants(scene: Scene, old: int, new: int, prior: float) -> Iterator[Candidate]:
    for node in scene.near:
        if isinstance(node, ast.Constant) and type(node.value) is int and node.value == old and new > 0:
            penalty = _penalty(scene, node)
            if penalty is None or isinstance(scene.program.parents.get(node), ast.BinOp):
                continue
            place = f"{scene.at(node)}, `{_context(scene, node)}`"
            why = f"{old} is written at {place}; with {new} there the sizes fit"
            yield Candidate((Replacement(node, str(new)),), prior + penalty, "", why)
        if isinstance(node, ast.BinOp) and old in scene.values(node):
            yield from _in_sum(scene, node, old, new, prior + 0.1)


def _in_sum(scene: Scene, node: ast.BinOp, old: int, new: int, prior: float) -> Iterator[Candidate]:
    """Change the number in a sum or product, so that the whole is the other size."""
    penalty = _penalty(scene, node)
    if penalty is None:
        return
    for part, other in ((node.right, node.left), (node.left, node.right)):
        if not isinstance(part, ast.Constant) or type(part.value) is not int:
            continue
        rest = other.value if isinstance(other, ast.Constant) else (scene.values(other) or [None])[-1]
        number: int | None = None
        if isinstance(node.op, ast.Add):
            number = part.value + new - old
        elif isinstance(node.op, ast.Sub) and part is node.right:
            number = part.value - new + old
        elif isinstance(node.op, ast.Mult) and type(rest) is int and rest and new % rest == 0:
            number = new // rest
            named = _named(scene, number, node)
            if named:
                why = f"{old} = `{scene.text(node)}` at {scene.at(node)}, and {new} = {rest}·{number}, "
                why += f"where {number} is `{named}`"
                yield Candidate((Replacement(part, f"({named})"),), prior + penalty - 0.5, "", why)
        elif isinstance(node.op, ast.FloorDiv) and part is node.right and type(rest) is int:
            number = rest // new if rest // max(rest // new, 1) == new else None
        if number is not None and number > 0:
            why = f"{old} = `{scene.text(node)}` at {scene.at(node)}; with {new} there the sizes fit"
            yield Candidate((Replacement(part, str(number)),), prior + penalty, "", why)


def _named(scene: Scene, number: int, apart: ast.AST) -> str:
    """Return an expression of the script's constants, named in capitals, that is a number; empty for none."""
    inside = {*ast.walk(apart)}
    for node in ast.walk(scene.program.tree):
        names = isinstance(node, ast.BinOp) and all(
            not isinstance(item, ast.Call | ast.Subscript | ast.Attribute) for item in ast.walk(node)
        )
        if names and node not in inside and number > 1 and number in scene.values(node):
            known = [item.id for item in ast.walk(node) if isinstance(item, ast.Name)]
            if known and all(name.isupper() for name in known):
                return scene.program.line(node)
    return ""


def _scaled(scene: Scene, old: int, new: int, prior: float) -> Iterator[Candidate]:
    """Multiply or divide what is one of the sizes."""
    for node in scene.near:
        length = isinstance(node, ast.Call) and callee_of(node) == "len"
        plain = length or isinstance(node, ast.Name | ast.Attribute | ast.Subscript)
        if plain and isinstance(node, ast.expr) and old in scene.values(node):
            yield from _scaled_at(scene, node, old, new, prior)


def _scaled_at(scene: Scene, node: ast.expr, old: int, new: int, prior: float) -> Iterator[Candidate]:
    penalty = _penalty(scene, node)
    if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load) or penalty is None or old < 1 or new < 1:
        return
    text = scene.program.source(node)
    written = None
    if new % old == 0 and new // old <= _STEPS:
        written = f"{text} * {new // old}"
    elif old % new == 0 and new > 1:
        written = f"{text} // {old // new}"
    elif abs(new - old) <= 2:
        written = f"{text} {'+' if new > old else '-'} {abs(new - old)}"
        prior += 1.5  # two sizes are often that close by chance
    if written is not None:
        why = f"{old} = `{text}` at {scene.at(node)}; with {new} there the sizes fit"
        inside = isinstance(scene.program.parents.get(node), ast.BinOp)
        replacement = Replacement(node, f"({written})" if inside else written)
        yield Candidate((replacement,), prior + penalty, "", why)


def _penalty(scene: Scene, node: ast.AST) -> float | None:
    """Return how unlikely it is that a size is wrong here; None where it is no size or one of the data."""
    result = scene.far(node)
    for outer in scene.program.around(node):
        if isinstance(outer, ast.keyword) and outer.arg in _NO_SIZES:
            return None
        if isinstance(outer, ast.keyword) and outer.arg in _WINDOWS:
            result += 1.0
        if isinstance(outer, ast.Call):
            function = scene.program.line(outer.func)
            data = _DATA.search(function.partition("(")[0])
            if data is not None and (isinstance(node, ast.Constant) or data[2] not in FILLED):
                return None
            result += 0.3 * (data is not None)
            if _WINDOWED.match(callee_of(outer)) and (node in outer.args[1:] or not outer.args[:1]):
                result += 1.0
            if callee_of(outer) in ("Dropout", "shuffle", "repeat", "prefetch", "take", "batch", "compile"):
                return None
        if isinstance(outer, ast.Subscript | ast.Slice | ast.Compare | ast.For | ast.comprehension):
            result += 1.0
        if isinstance(outer, ast.stmt):
            break
    return result


def _context(scene: Scene, node: ast.AST) -> str:
    outer_of = scene.program.parents.get(node)
    if isinstance(outer_of, ast.arguments):
        name = default_of(outer_of, node)
        return f"{name}={scene.text(node)}" if name else scene.text(node)
    if isinstance(outer_of, ast.Dict):
        key = dict(zip(outer_of.values, outer_of.keys, strict=True)).get(node)  # type: ignore[call-overload]  # one of its values
        return scene.text(node) if key is None else f"{scene.text(key)}: {scene.text(node)}"
    for outer in scene.program.around(node):
        if isinstance(outer, ast.Call | ast.Assign | ast.keyword | ast.stmt):
            if isinstance(outer, ast.FunctionDef | ast.ClassDef | ast.For | ast.If | ast.With):
                break
            return scene.text(outer)
    return scene.text(node)


def fixed_batch(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that take the batch from a tensor where it is written as a number.

    Args:
        scene: the failed run.
    """
    inner = {size for shape in scene.clues.shapes for size in shape[1:]}
    firsts = {size for pair in scene.clues.pairs for size in pair} - inner
    firsts |= {shape[0] for shape in scene.clues.shapes if shape and shape[0] is not None}
    for node in scene.near:
        if isinstance(node, ast.keyword):
            yield from _declared_batch(scene, node)
        outer = scene.program.parents.get(node)
        first = isinstance(outer, ast.Tuple | ast.List) and outer.elts and outer.elts[0] is node
        ranges = isinstance(outer, ast.Call) and callee_of(outer) in ("range", "arange")
        alone = ranges and isinstance(outer, ast.Call) and outer.args == [node]
        if not (first or alone) or not isinstance(node, ast.expr):
            continue
        numbers = [value for value in scene.values(node) if type(value) is int]
        around = scene.program.parents.get(outer) if outer is not None else None
        if isinstance(around, ast.keyword) and around.arg in ("axis", "axes", "perm", "strides"):
            continue
        if around is not None and callee_of(around) in ("transpose", "Permute", "permute_dimensions"):
            continue
        least = 1 if alone else 2  # an array of one sample is broadcast, the numbers of one sample are not
        for size in [value for value in numbers if value in firsts and value >= least][-1:]:
            for text, shape in _tensors(scene, node, size, firsts):
                why = (
                    f"`{scene.text(node)}` = {size} at {scene.at(node)} is a fixed batch, "
                    f"and `{text}` has {shape[0]} samples here"
                )
                # in a graph, TensorFlow's own is the one that every version of Keras takes
                kind = "keras" if scene.imports.prefix("tensorflow") is None else "tensorflow"
                function, imported = scene.function(kind, "shape")
                edits = (Replacement(node, f"{function}({text})[0]"), *imported)
                prior = 0.8 + scene.far(node)
                yield Candidate(edits, prior, "fixed-batch", why)


def _declared_batch(scene: Scene, node: ast.keyword) -> Iterator[Candidate]:
    """Leave the batch of an Input open."""
    value = node.value
    prior = 1.5 + scene.far(node)
    why = f"the batch is fixed at {scene.at(node.value)}: `{scene.text(node)}`"
    first = value.elts[0] if isinstance(value, ast.Tuple) and value.elts else None
    if node.arg in ("batch_shape", "batch_input_shape") and first is not None:
        if scene.program.source(first) != "None":
            yield Candidate((Replacement(first, "None"),), prior, "fixed-batch", why)
        return
    outer = scene.program.parents.get(node)
    if node.arg == "batch_size" and outer is not None and callee_of(outer) in ("Input", "InputLayer"):
        yield Candidate((Replacement(value, "None"),), prior, "fixed-batch", why)


def _tensors(
    scene: Scene, node: ast.AST, size: int, firsts: set[int]
) -> Iterator[tuple[str, tuple[int | None, ...]]]:
    """Yield what the function around a node names whose batch is another one."""
    scope = scene.program.scope(node)
    if isinstance(scope, ast.Module):
        return
    found: dict[str, tuple[int | None, ...]] = {}
    for other in ast.walk(scope):
        if not isinstance(other, ast.Name | ast.Subscript) or not isinstance(other.ctx, ast.Load):
            continue
        if isinstance(other, ast.Subscript) and not isinstance(other.slice, ast.Constant):
            continue
        arrays = [item for item in scene.values(other) if isinstance(item, Shaped) and item.kind != "numpy"]
        wrong = [item.shape for item in arrays if item.shape and item.shape[0] in firsts - {size}]
        if wrong and other.lineno <= getattr(node, "lineno", 0) + 1:
            found.setdefault(scene.program.line(other), wrong[-1])
    arguments = {arg.arg for arg in ast.walk(scope) if isinstance(arg, ast.arg)}
    ordered = sorted(found, key=lambda text: (text.partition("[")[0] not in arguments, len(text)))
    for text in ordered[:2]:
        yield text, found[text]


def reshapes(scene: Scene) -> Iterator[Candidate]:
    """Yield edits of the shape that a reshape asks for.

    Args:
        scene: the failed run.
    """
    if "reshape" not in scene.message.lower() and "total size" not in scene.message:
        return
    for node in scene.near:
        if not isinstance(node, ast.Call) or callee_of(node) not in ("Reshape", "reshape"):
            continue
        target = next((item for item in node.args[:2] if isinstance(item, ast.Tuple | ast.List)), None)
        target = target or next(
            (item.value for item in node.keywords if isinstance(item.value, ast.Tuple | ast.List)), None
        )
        if target is None or any("-1" in scene.program.line(item) for item in target.elts):
            continue
        prior = 2.2 + scene.far(node)
        first = target.elts[0] if len(target.elts) > 1 else None
        if isinstance(first, ast.Constant) and first.value == 1:  # a lone sample: the others come in front
            why = f"`{scene.text(target)}` at {scene.at(target)} is the shape of one sample"
            yield Candidate((Replacement(first, "-1"),), prior - 0.5, "fixed-batch", why)
        for place, item in enumerate(target.elts):
            why = f"`{scene.text(node)}` at {scene.at(node)} asks for another number of values than there are"
            yield Candidate((Replacement(item, "-1"),), prior + 0.1 * (place == 0), "reshape", why)


#: What TensorFlow says of an index outside of a table.
_INDEX = re.compile(r"indices\[[\d,]*\] = (\d+) is not in \[0, (\d+)\)")


def tables(scene: Scene) -> Iterator[Candidate]:
    """Yield edits of tables that are asked for the index behind their last one, of one and of all of them.

    Args:
        scene: the failed run.
    """
    match = _INDEX.search(scene.message)
    if match is None or match[1] != match[2]:
        return
    size = int(match[2])
    made = [argument(call, 0, "input_dim") for call in calls_in(scene.program.tree, "Embedding")]
    rows = [item for item in made if item is not None]
    own = [item for item in rows if scene.value(item) == size]
    why = f"an index is {size}, and the {size} entries are numbered from 0 to {size - 1}: "
    why += "indices that count from one need one entry more"
    for place, some in enumerate((own, rows)):
        if own and (place == 0 or len(rows) > len(own)):
            edits = tuple(Replacement(item, f"{scene.program.source(item)} + 1") for item in some)
            yield Candidate(edits, 0.3 + 0.05 * place, "index-range", why)


def one_more(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that add to a number what the script adds to it elsewhere, where two sizes differ by that.

    Args:
        scene: the failed run.
    """
    pairs = {pair for one, other in scene.clues.pairs[:2] for pair in ((one, other), (other, one))}
    sums = [
        node
        for node in ast.walk(scene.program.tree)
        if isinstance(node, ast.BinOp) and isinstance(node.right, ast.Constant)
        if isinstance(node.op, ast.Add | ast.Sub) and isinstance(node.left, ast.Call)
    ]
    for node, whole in ((node, whole) for node in ast.walk(scene.program.tree) for whole in sums):
        if not isinstance(node, ast.Call) or node is whole.left or callee_of(node) != "len":
            continue
        old, new = scene.value(node), scene.value(whole)
        if (old, new) not in pairs or _counted(node) != _counted(whole.left):
            continue
        if isinstance(scene.program.parents.get(node), ast.BinOp):
            continue
        why = f"{old} is `{scene.text(node)}` at {scene.at(node)}, and {new} is `{scene.text(whole)}` at "
        why += scene.at(whole)
        part = scene.program.source(whole.right)
        text = f"{scene.program.source(node)} {'+' if isinstance(whole.op, ast.Add) else '-'} {part}"
        yield Candidate((Replacement(node, text),), 0.4, "", why, fact=True)


def _counted(node: ast.AST) -> str:
    """Return the last name of what is counted: that of ``self.words["index"]`` is ``index``."""
    given = node.args[0] if isinstance(node, ast.Call) and node.args else node
    if isinstance(given, ast.Subscript) and isinstance(given.slice, ast.Constant):
        return str(given.slice.value)
    return given.id if isinstance(given, ast.Name) else getattr(given, "attr", ast.unparse(given))


def places(scene: Scene) -> Iterator[Candidate]:
    """Yield edits of the place of a layer in a model, where the weights that it is given are another's.

    Args:
        scene: the failed run.
    """
    if "weight shape" not in scene.message and "provided weight" not in scene.message:
        return
    used = {
        node.slice.id
        for node in ast.walk(scene.program.tree)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Name)
        if isinstance(node.value, ast.Attribute) and node.value.attr == "layers"
    }
    for node in scene.near:
        statement = scene.program.statement(node)
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        outer = scene.program.parents.get(node)
        inside = isinstance(outer, ast.Subscript) and getattr(outer.value, "attr", "") == "layers"
        if not (inside or (isinstance(target, ast.Name) and target.id in used)):
            continue
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add | ast.Sub):
            continue
        number = node.right.value if isinstance(node.right, ast.Constant) else None
        for place, other in enumerate((number + 1, number - 1) if type(number) is int else ()):
            why = f"`{scene.text(node)}` at {scene.at(node)} is the place of another layer"
            plain = Replacement(node, scene.program.source(node.left))
            edit = plain if other == 0 else Replacement(node.right, str(other))
            yield Candidate((edit,), 0.4 + 0.1 * place, "other-layer", why)


OPERATORS = (fixed_batch, numbers, limits, reshapes, tables, one_more, places)
