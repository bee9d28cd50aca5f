"""Edits that add, drop or exchange axes of what is fed or passed on."""

from __future__ import annotations

import ast
import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.script.candidate import Candidate, Scene, show
from shapeinspect_keras.debug.script.program import Replacement
from shapeinspect_keras.debug.script.running import Shaped
from shapeinspect_keras.debug.statements.names import COMPARES, RUNS

#: What a message about a loss speaks of.
OF_LOSSES = re.compile(r"target|logits|label|loss|y_true|y_pred|output\.shape", re.IGNORECASE)
#: What Keras says of a number where an array for a batch is read.
#: Source: ``keras.src.trainers.data_adapters.data_adapter_utils``.
_NO_AXIS = re.compile(r"must be at least rank 1")
#: What TensorFlow says of an array that is smaller than the part that is cut out of it.
_TOO_SMALL = "Need value.shape >= size"
_DROPS = (
    "expand_dims", "squeeze", "transpose", "permute_dimensions", "moveaxis", "swapaxes", "flatten", "ravel",
)  # fmt: skip


def dropped(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that leave out a step on an array that changes its axes.

    Args:
        scene: the failed run.
    """
    for node in scene.near:
        rearranged = scene.clues.ranks or scene.clues.turned
        prior = (0.6 if rearranged else 1.3) + (scene.clues.rank > 0) + scene.far(node)
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            inner = _without_new_axis(scene, node)
            if inner is not None:
                why = _added(scene, node, node.value)
                yield Candidate((Replacement(node, inner),), prior, "extra-axis", why)
                yield from _moved(scene, node, prior + 0.1)
        if isinstance(node, ast.Call) and callee_of(node) in _DROPS:
            yield from _undone(scene, node, prior)
        if isinstance(node, ast.Attribute) and node.attr == "T" and isinstance(node.ctx, ast.Load):
            text = scene.program.source(node.value)
            why = f"`{scene.text(node)}` at {scene.at(node)} exchanges the axes"
            yield Candidate((Replacement(node, text),), prior + 0.5, "swapped-axes", why)


def _undone(scene: Scene, node: ast.Call, prior: float) -> Iterator[Candidate]:
    name = callee_of(node)
    owner = node.func.value if isinstance(node.func, ast.Attribute) else None
    module = isinstance(owner, ast.Name) and owner.id in ("np", "numpy", "tf", "ops", "K", "keras", "jnp")
    deep = isinstance(owner, ast.Attribute) and owner.attr in ("ops", "backend")
    subject = node.args[0] if (module or deep or owner is None) and node.args else owner
    if subject is None or (owner is not None and not (module or deep) and name == "expand_dims"):
        return
    causes = {"expand_dims": "extra-axis", "squeeze": "missing-axis"}
    why, cause = _added(scene, node, subject), causes.get(name, "")
    yield Candidate((Replacement(node, scene.program.source(subject)),), prior + 0.2, cause, why)


def _added(scene: Scene, node: ast.expr, inner: ast.expr) -> str:
    before, after = scene.shape(inner), scene.shape(node)
    told = "" if before is None or after is None else f": {show(before)} becomes {show(after)}"
    return f"`{scene.text(node)}` at {scene.at(node)} changes the axes{told}"


def _without_new_axis(scene: Scene, node: ast.Subscript) -> str | None:
    """Write a subscript without the axes that it adds; None where it adds none."""
    items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    kept = [item for item in items if not _is_new_axis(item)]
    if len(kept) == len(items):
        return None
    plain = all(
        (isinstance(item, ast.Slice) and item.lower is item.upper is item.step is None)
        or (isinstance(item, ast.Constant) and item.value is Ellipsis)
        for item in kept
    )
    text = scene.program.source(node.value)
    return text if plain else f"{text}[{', '.join(scene.program.source(item) for item in kept)}]"


def _moved(scene: Scene, node: ast.Subscript, prior: float) -> Iterator[Candidate]:
    """Put an axis that a subscript adds to the other end: ``x[None, :]`` to ``x[:, None]``."""
    items = node.slice.elts if isinstance(node.slice, ast.Tuple) else []
    if len(items) != 2 or sum(map(_is_new_axis, items)) != 1:
        return
    texts = [scene.program.source(item) for item in reversed(items)]
    new = f"{scene.program.source(node.value)}[{', '.join(texts)}]"
    yield Candidate((Replacement(node, new),), prior, "swapped-axes", _added(scene, node, node.value))


def _is_new_axis(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return node.value is None
    return isinstance(node, ast.Attribute) and node.attr == "newaxis"


def added(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that add an axis to what is fed, passed, returned or yielded.

    Args:
        scene: the failed run.
    """
    if not scene.clues.ranks or scene.clues.rank < 0:
        return
    losses = OF_LOSSES.search(scene.message) is not None
    for node in scene.near:
        outer = scene.program.parents.get(node)
        distance = scene.reach.of(node)
        if isinstance(node, ast.Yield) and node.value is not None:
            yield from _each(scene, node.value, 1.0 + scene.far(node))
        if isinstance(outer, ast.Return) and isinstance(node, ast.Tuple) and distance <= 6:
            yield from _each(scene, node, 2.4 + scene.far(node))
        argument = isinstance(outer, ast.Call) and node in outer.args
        value = isinstance(outer, ast.keyword | ast.Assign) and getattr(outer, "value", None) is node
        around = scene.program.parents.get(outer) if isinstance(outer, ast.List | ast.Tuple) else None
        element = isinstance(around, ast.Call | ast.keyword)
        own = isinstance(outer, ast.Call) and callee_of(outer) in scene.functions
        own = own or (isinstance(outer, ast.Call) and callee_of(outer) in ("Model", "Functional"))
        if own or not (argument or value or element) or not isinstance(node, ast.expr) or distance > 4:
            continue
        shapes = [item for item in scene.values(node) if isinstance(item, Shaped)]
        # a loss broadcasts a network's outputs with one axis more over the targets, and learns nothing
        broadcast = losses and bool(shapes) and shapes[-1].kind == "keras"
        if broadcast or not shapes or not shapes[-1].shape or len(shapes[-1].shape) > 5:
            continue
        text = scene.program.source(node)
        text = text if isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript) else f"({text})"
        feeds = _feeds(scene, outer)
        prior = 1.3 + scene.far(node) + 0.4 * (not feeds) + 0.4 * (scene.clues.rank == 0)
        if (
            isinstance(outer, ast.Call)
            and callee_of(outer) in COMPARES
            and (node in outer.args[1:]) != losses
        ):
            prior += 1.0  # the inputs, unless the message is about a loss
        shape = show(shapes[-1].shape)
        samples = len(shapes[-1].shape) > 2 and scene.clues.rank == 1  # it has a batch already, most likely
        ends = (("[None]", "no-batch", 0.4 * samples), ("[..., None]", "no-channel", 0.2))
        for suffix, cause, more in ends:
            imported: tuple[Replacement, ...] = ()
            short = (
                "has no batch axis" if feeds and suffix == "[None]" else "is an axis short of what is read"
            )
            why = f"`{scene.text(node)}` of {shape} at {scene.at(node)} {short}"
            if shapes[-1].kind == "keras":
                axis = 0 if suffix == "[None]" else -1
                if axis == 0:
                    continue
                expand, imported = scene.function("keras", "expand_dims")
                new = f"{expand}({scene.program.source(node)}, {axis})"
            else:
                new = f"{text}{suffix}"
            edits = (Replacement(node, new), *imported)
            yield Candidate(edits, prior + more, cause if feeds else "missing-axis", why)
        if len(shapes[-1].shape) >= 2 and shapes[-1].kind == "tensorflow":
            why = f"`{scene.text(node)}` of {shape} at {scene.at(node)} is an axis short of what is read"
            yield Candidate((Replacement(node, f"{text}[:, None]"),), prior + 0.3, "missing-axis", why)


def one_by_one(scene: Scene) -> Iterator[Candidate]:
    """Yield edits of a generator that yields one sample at a time, and a number for its target.

    Args:
        scene: the failed run.
    """
    for node in scene.near if _NO_AXIS.search(scene.message) else ():
        if isinstance(node, ast.Yield) and node.value is not None:
            for one in _each(scene, node.value, 0.3):
                yield replace(one, fact=True)


def _feeds(scene: Scene, outer: ast.AST | None) -> bool:
    """Tell whether a node feeds a model: it is given to a method of its, or to what is called by a name."""
    if not isinstance(outer, ast.Call):
        return False
    own = isinstance(outer.func, ast.Name) and outer.func.id not in scene.functions
    return callee_of(outer) in RUNS or own


def _each(scene: Scene, node: ast.expr, prior: float) -> Iterator[Candidate]:
    """Add a batch axis to each array of one sample."""
    items = node.elts if isinstance(node, ast.Tuple) else [node]
    nested = [item.elts if isinstance(item, ast.Tuple | ast.List) else [item] for item in items]
    flat = [part for parts in nested for part in parts]
    shaped = [item for item in flat if scene.shape(item) is not None]
    if not shaped:
        return
    texts = ", ".join(f"`{scene.text(item)}` of {show(scene.shape(item) or ())}" for item in shaped)
    why = f"{scene.at(node)} gives one sample without a batch axis: {texts}"
    new = []
    array, imported = scene.function("numpy", "array")
    for item in flat:
        text = scene.program.source(item)
        plain = isinstance(item, ast.Name | ast.Attribute | ast.Call | ast.Subscript)
        if scene.shape(item) is None:
            new += [Replacement(item, f"{array}([{text}])"), *imported]
        else:
            new.append(Replacement(item, f"{text}[None]" if plain else f"({text})[None]"))
    yield Candidate(tuple(dict.fromkeys(new)), prior, "no-batch", why)


def batched(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that batch a data set whose samples come one by one, or that do not batch it twice.

    Args:
        scene: the failed run.
    """
    if "tensorflow" not in scene.program.text:
        return
    every = (node for node in ast.walk(scene.program.tree) if isinstance(node, ast.Call))
    calls = [node for node in every if callee_of(node) == "batch"]
    size = scene.program.source(calls[0].args[0]) if calls and calls[0].args else "32"
    for node in scene.near:
        if isinstance(node, ast.Call) and callee_of(node) == "batch" and isinstance(node.func, ast.Attribute):
            prior = 3 + scene.far(node)
            text = scene.program.source(node.func.value)
            why = f"`.batch` at {scene.at(node)} adds an axis"
            if scene.clues.ranks:
                yield Candidate((Replacement(node, text),), prior, "extra-axis", why)
            if "drop_remainder" not in scene.program.line(node):
                new = f"{scene.program.source(node)[:-1]}, drop_remainder=True)"
                why = f"the last batch of `.batch` at {scene.at(node)} is smaller than the others"
                alters = "how many samples are used: those of the last, smaller batch are left out"
                yield Candidate((Replacement(node, new),), prior + 1, "fixed-batch", why, alters)
        if not scene.clues.ranks or not isinstance(node, ast.Call):
            continue
        chain = scene.program.line(node)
        outer = scene.program.parents.get(node)
        whole = not isinstance(outer, ast.Attribute)
        made = "Dataset." in chain or callee_of(node) in ("map", "prefetch", "shuffle", "repeat", "cache")
        if not whole or not made or ".batch(" in chain or _batched_later(scene, outer):
            continue
        inner = node
        if callee_of(node) == "prefetch" and isinstance(node.func, ast.Attribute):
            inner_node = node.func.value
            new = f"{scene.program.source(inner_node)}.batch({size})"
            replacement = Replacement(inner_node, new)
        else:
            replacement = Replacement(inner, f"{scene.program.source(inner)}.batch({size})")
        why = f"the data set of {scene.at(node)} is not batched: its samples come one by one"
        yield Candidate((replacement,), 1.0 + scene.far(node), "no-batch", why)


def _batched_later(scene: Scene, outer: ast.AST | None) -> bool:
    """Tell whether the data set that a statement makes is batched elsewhere."""
    if not isinstance(outer, ast.Assign) or not isinstance(outer.targets[0], ast.Name):
        return False
    name = outer.targets[0].id
    return f"{name}.batch(" in scene.program.text


def transposed(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that exchange the axes of what is fed, where the same lengths come in another order.

    Args:
        scene: the failed run.
    """
    shapes = scene.clues.shapes
    yield from _refolded(scene)
    for node in scene.near:
        outer = scene.program.parents.get(node)
        fed = isinstance(outer, ast.Assign) or (isinstance(outer, ast.Call) and node in outer.args)
        shape = scene.shape(node) if isinstance(node, ast.Name | ast.Call | ast.Subscript) else None
        if not fed or shape is None or not 2 <= len(shape) <= 5 or scene.reach.of(node) > 4:
            continue
        if callee_of(outer) in ("transpose", "Permute") if outer is not None else True:
            continue
        for wanted in shapes:
            order = _order(shape, wanted)
            if order is None:
                continue
            text = scene.program.source(node)
            kind = next(item.kind for item in reversed(scene.values(node)) if isinstance(item, Shaped))
            transpose, imported = scene.function(kind, "transpose")
            new = f"{transpose}({text}, {order})"
            why = f"`{scene.text(node)}` at {scene.at(node)} is {show(shape)}, and {show(wanted)} is read"
            edits = (Replacement(node, new), *imported)
            yield Candidate(edits, 1.4 + scene.far(node), "swapped-axes", why)


def _refolded(scene: Scene) -> Iterator[Candidate]:
    """Give the inputs of a run the shape that the model declares, where the numbers are as many."""
    wanted = [shape for shape in scene.clues.shapes if len(shape) > 2 and None not in shape[1:]]
    for node in scene.near:
        outer = scene.program.parents.get(node)
        if not isinstance(outer, ast.Call) or callee_of(outer) not in RUNS or outer.args[:1] != [node]:
            continue
        shape = scene.shape(node)
        for goal in wanted:
            lengths = [length for length in goal[1:] if length is not None]
            if shape is None or None in shape or len(shape) == len(goal) or not shape:
                continue
            if math.prod(length or 0 for length in shape[1:]) != math.prod(lengths):
                continue
            text = scene.program.source(node)
            new = f"{text}.reshape(-1, {', '.join(map(str, lengths))})"
            why = f"`{scene.text(node)}` at {scene.at(node)} is {show(shape)}, and {show(goal)} is read"
            yield Candidate((Replacement(node, new),), 1.0, "feed", why)


def _order(shape: tuple[int | None, ...], wanted: tuple[int | None, ...]) -> tuple[int, ...] | None:
    """Return the order of the axes that makes one shape the other; the batch stays in front."""
    if len(shape) != len(wanted) or shape[1:] == wanted[1:] or len(set(shape[1:])) < len(shape) - 1:
        return None
    if set(shape[1:]) != set(wanted[1:]) or None in shape[1:]:
        return None
    return (0, *(1 + shape[1:].index(length) for length in wanted[1:]))


def sliced(scene: Scene) -> Iterator[Candidate]:
    """Yield edits of a slice that leaves samples out: of the next axis instead, or of none.

    Args:
        scene: the failed run.
    """
    if "cardinality is ambiguous" not in scene.message:
        return
    for node in scene.near:
        if not isinstance(node, ast.Subscript) or not isinstance(node.ctx, ast.Load):
            continue
        items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        first, shape = items[0], scene.shape(node.value)
        cuts = isinstance(first, ast.Slice) and (first.lower is not None or first.upper is not None)
        if not cuts or shape is None:
            continue
        text = scene.program.source(node.value)
        why = f"`{scene.text(node)}` at {scene.at(node)} leaves samples out: {show(shape)} becomes "
        why += show(scene.shape(node) or ())
        if len(items) == 1 and len(shape) > 1:
            new = f"{text}[:, {scene.program.source(first)}]"
            yield Candidate((Replacement(node, new),), 0.8 + 0.2 * scene.far(node), "unequal-samples", why)
        rest = ", ".join([":", *(scene.program.source(item) for item in items[1:])])
        new = text if len(items) == 1 else f"{text}[{rest}]"
        yield Candidate((Replacement(node, new),), 1.0 + 0.2 * scene.far(node), "unequal-samples", why)


def _enough_if_exchanged(scene: Scene) -> set[frozenset[int | None]]:
    """Return two lengths of an array that is too small, and is not where they are the other way round."""
    shapes = scene.clues.shapes
    if _TOO_SMALL not in scene.message or len(shapes) < 2 or len(shapes[0]) != len(shapes[1]):
        return set()
    value, least = ([length or 0 for length in shape] for shape in shapes[:2])
    found: set[frozenset[int | None]] = set()
    for at in range(len(value) - 1):
        other = [*value[:at], value[at + 1], value[at], *value[at + 2 :]]
        if all(length >= wanted for length, wanted in zip(other, least, strict=True)):
            found.add(frozenset(value[at : at + 2]))
    return found


def turned(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that exchange two lengths that stand side by side, where just these two differ.

    Args:
        scene: the failed run.
    """
    pairs: set[frozenset[int | None]] = {frozenset(pair) for pair in scene.clues.pairs}
    told = [*itertools.combinations(scene.clues.shapes, 2)] if scene.clues.turned else []
    for shape, wanted in told:
        apart = {frozenset(both) for both in zip(shape, wanted, strict=False) if both[0] != both[1]}
        pairs |= apart if len(shape) == len(wanted) and len(apart) == 1 else set()
    enough = _enough_if_exchanged(scene)
    pairs |= enough
    found = []
    for node in ast.walk(scene.program.tree):
        listed = isinstance(node, ast.Tuple | ast.List) and isinstance(node.ctx, ast.Load)
        if not listed and not isinstance(node, ast.Call):
            continue
        items: list[ast.expr] = getattr(node, "elts" if listed else "args")
        for one, other in itertools.pairwise(items):
            sizes = _size(scene, one), _size(scene, other)
            if None not in sizes and len({*sizes}) == 2 and frozenset(sizes) in pairs:
                found.append((node, one, other, sizes))
    orders = Counter(sizes for *_, sizes in found)
    for node, one, other, sizes in found:
        texts = scene.program.source(one), scene.program.source(other)
        edits = (Replacement(one, texts[1]), Replacement(other, texts[0]))
        usual = orders[sizes[::-1]] - orders[sizes]  # the order of the others is most likely the right one
        why = f"`{scene.text(node)}` at {scene.at(node)} has {sizes[0]} before {sizes[1]}"
        prior = 0.9 + 0.4 * (usual < 0) - 0.3 * (usual > 0) + 0.05 * min(scene.reach.of(node), 5)
        prior -= 0.6 * (frozenset(sizes) in enough)
        yield Candidate(edits, prior, "swapped-axes", why)


def _size(scene: Scene, node: ast.expr) -> int | None:
    if isinstance(node, ast.Constant):
        return node.value if type(node.value) is int else None
    found = [value for value in scene.values(node) if type(value) is int]
    return found[-1] if found and isinstance(node, ast.Name | ast.Attribute | ast.BinOp) else None


OPERATORS = (dropped, added, one_by_one, batched, transposed, sliced, turned)
