"""Edits of expressions on tensors: axes that are added, removed or moved, casts, calls that are left out."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shapeinspect.plugin_api.programs.named_rules import STEP
from shapeinspect.plugin_api.programs.numbers import Pair
from shapeinspect.plugin_api.programs.places import Step, assigned, operands
from shapeinspect.plugin_api.programs.source_edit import replaced
from shapeinspect.plugin_api.programs.span import Span
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.programs.vocabulary import Vocabulary
from shapeinspect.plugin_api.suggestions import Suggestion
from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_torch.debug.edit_words import WORDS, fits

#: Methods that change nothing but the axes; a call may be one too many.
_OF_AXES = frozenset({
    "t", "transpose", "permute", "unsqueeze", "squeeze", "flatten", "view", "reshape", "swapaxes", "movedim",
    "numpy", "T", "mT", "contiguous",
})  # fmt: skip
#: Methods and functions with an axis among their numbers.
_WITH_AXIS = frozenset({
    "unsqueeze", "squeeze", "mean", "sum", "cat", "concat", "stack", "softmax", "log_softmax", "flatten",
    "size", "argmax", "max", "min", "transpose", "chunk", "split", "Flatten", "Softmax", "roll",
    "repeat_interleave",
    "amax", "amin", "expand", "gather", "select", "index_select", "unbind",
})  # fmt: skip
_AXIS_WORDS = ("dim", "axis", "start_dim", "end_dim", "dim0", "dim1")
#: At most so many frames and tensors of one expression are looked at.
_FRAMES, _TENSORS = 5, 4
_ORDERS = {
    3: ((2, 0, 1), (1, 2, 0)),
    4: ((0, 3, 1, 2), (0, 2, 3, 1)),
    5: ((0, 2, 1, 3, 4), (0, 4, 1, 2, 3), (0, 3, 1, 2, 4)),
}


def wrapped(
    trace: Trace, steps: Sequence[Step], pairs: Sequence[Pair], message: str, vocabulary: Vocabulary
) -> Iterator[Suggestion]:
    """Yield the tensors that the failing expressions read, with their axes otherwise.

    Args:
        trace: the script.
        steps: the expressions that were running, the innermost first.
        pairs: the sizes that are wanted, each with the one that is there.
        message: torch's message.
        vocabulary: what names can say.
    """
    seen: set[ast.expr] = set()
    for depth, step in enumerate(steps[:_FRAMES]):
        found = [*operands(trace, step.node)][:_TENSORS]
        for place, node in enumerate(found):
            if node in seen:
                continue
            seen.add(node)
            name = _owner(trace, node)
            others = [one for one in found if one is not node]
            yield from _as_others(trace, node, others, 0.05 * min(depth, 3), vocabulary)
            shape = trace.shape(node) or ()
            forms = _forms(shape, trace.dtype(node), name, pairs, message)
            for form, rank, altered in forms:
                alters = altered
                if not fits(form, shape):
                    continue
                if form.startswith("{}.unsqueeze") and _is_of_others(trace, node, found):
                    alters = "which entries meet: each of one tensor all of the other"
                if form.startswith("{}.squeeze(") and ".unsqueeze(" in name.rpartition(")")[0][-14:]:
                    continue  # the axis is better not added
                behind = 0.05 * min(depth, 3) + 0.01 * place
                yield replaced(trace.span(node), form.replace("{}", name), rank + behind, alters)


def _is_of_others(trace: Trace, node: ast.expr, found: Sequence[ast.expr]) -> bool:
    """Tell whether two tensors of one rank have other lengths, so that one more axis spreads them."""
    shape = trace.shape(node) or ()
    others = [trace.shape(one) or () for one in found if one is not node]
    return any(len(one) == len(shape) and one != shape and 1 not in (*one, *shape) for one in others)


def _as_others(
    trace: Trace, node: ast.expr, others: Sequence[ast.expr], behind: float, vocabulary: Vocabulary
) -> Iterator[Suggestion]:
    """Yield a tensor in the shape of another one that has as many elements."""
    shape = trace.shape(node) or ()
    for other in others:
        wanted = trace.shape(other) or ()
        if wanted == shape or math.prod(wanted) != math.prod(shape) or math.prod(shape) < 2:
            continue
        if len(wanted) != len(shape) and len(wanted) > 0 and len(shape) > 0:
            flat = 0.04 * (len(wanted) < len(shape))  # the one that is flat is more likely to be wrong
            names = vocabulary.lengths(node, wanted)
            if names:
                text = f"{_owner(trace, node)}.reshape({', '.join(names)})"
                yield replaced(trace.span(node), text, 0.34 + flat + behind)
            text = f"{_owner(trace, node)}.reshape({trace.source(other)}.shape)"
            yield replaced(trace.span(node), text, 0.36 + flat + behind)


def at_their_source(
    trace: Trace, steps: Sequence[Step], running: Sequence[Suggestion]
) -> Iterator[Suggestion]:
    """Yield edits of tensors where they are assigned, for those with which what reads them runs.

    Args:
        trace: the script.
        steps: the expressions that were running, the innermost first.
        running: the edits with which they run.
    """
    nodes = {trace.span(node): node for step in steps for node in operands(trace, step.node)}
    for one in running:
        first, last, new = one.edits[0]
        node = nodes.get(Span(one.file, first, last))
        source = None if node is None else assigned(trace, node)
        if node is None or source is None or trace.shape(source) is None:
            continue
        name = _owner(trace, source).replace("\\", r"\\")
        text = re.sub(rf"(?<![\w.]){re.escape(trace.source(node))}(?!\w)", name, new)
        yield replaced(trace.span(source), text, one.rank + 0.3, one.alters)


def _forms(
    shape: tuple[int, ...], dtype: str, name: str, pairs: Sequence[Pair], message: str
) -> Iterator[tuple[str, float, str]]:
    """Yield other forms of a tensor, with ``{}`` for it, their ranks and what they alter."""
    rank = len(shape)
    if any(word in message for word in ("dtype", "scalar type", "Long", "Float", "Double", "Byte", "type")):
        for cast in ("float", "long"):
            yield f"{{}}.{cast}()", 0.2, _of_mask(f"{{}}.{cast}()", dtype)
    if "bool" in message.lower() and dtype != "bool":
        yield "{}.bool()", 0.15, ""
    few = 0.5 - 0.1 * ("dimension" in message or "D " in message)
    for axis in dict.fromkeys((0, 1, -1)):
        if -rank <= axis <= rank:
            yield f"{{}}.unsqueeze({axis})", few + 0.02 * abs(axis), ""
    for axis in [at for at, length in enumerate(shape) if length == 1][:3]:
        yield f"{{}}.squeeze({axis})", few, ""
    yield from _turned(shape)
    yield from _parts(name, shape, pairs)
    for form in WORDS.wraps["torch.Tensor"]:
        alters = "which entries are read" if form == "{}[0]" else _of_mask(form, dtype)
        if "argmax" in form and not alters and not _LABELS.search(name):
            alters = "what is read: the places of the largest entries"
        yield form, 1.3 if "argmax" in form else 0.9, alters


#: Names of what may be a class for each sample.
_LABELS = re.compile(r"label|target|class|truth|true|gold|(^|[_.])(y|gt)([_.]|$)", re.IGNORECASE)


def _turned(shape: tuple[int, ...]) -> Iterator[tuple[str, float, str]]:
    """Yield a tensor with its axes in another order, or merged."""
    rank = len(shape)
    if rank == 2:
        yield "{}.t()", 0.20, ""
        yield "{}.T", 0.21, ""  # of an array of NumPy's, as what follows
    for text in ("(0, 2, 1)", "(0, 3, 1, 2)", "(0, 2, 3, 1)"):
        if text.count(",") == rank - 1:
            yield f"{{}}.transpose{text}", 0.26, ""
    for first, second in ((0, 1), (1, 2), (2, 3), (1, 3)):
        if second < rank and rank > 2 and shape[first] != shape[second]:
            yield f"{{}}.transpose({first}, {second})", 0.20 + 0.02 * (second > 2), ""
    for order in _ORDERS.get(rank, ()):
        yield f"{{}}.permute{order}", 0.25, ""
    for axis in range(1, min(rank - 1, 4)):
        yield f"{{}}.flatten({axis})", 0.5 + 0.02 * axis, ""
    if rank > 2:
        yield "{}.flatten(0, 1)", 0.6, ""


def _of_mask(form: str, dtype: str) -> str:
    """Say that numbers are something else than a mask."""
    mask = dtype == "bool" and form.endswith((".long()", ".float()", ".argmax(1)"))
    return "what is chosen: a mask is taken as numbers" if mask else ""


def _parts(name: str, shape: tuple[int, ...], pairs: Sequence[Pair]) -> Iterator[tuple[str, float, str]]:
    """Yield what takes a part of a tensor, or repeats it."""
    rank = len(shape)
    one = "which entries of the first axis are read" if shape[:1] != (1,) else ""
    if rank > 2:
        yield "{}[:, -1]", 0.8, ""
        yield "{}[:, 0]", 0.81, ""
        yield "{}[-1]", 0.82, one
        yield "{}[-1].unsqueeze(1)", 0.84, one
        if shape[-1] <= 4:
            yield "{}[..., 0]", 0.86, ""
    read = f"how much of `{name}` is read" if name.isidentifier() else "how much is read"
    for wanted, had in (*pairs, *((b, a) for a, b in pairs)):
        for axis in [at for at, length in enumerate(shape) if length == had]:
            if wanted % had == 0 and wanted != had and (had > 1 or wanted < 33):
                often = "how often each entry is used" if had > 1 else ""
                yield f"{{}}.repeat_interleave({wanted // had}, {axis})", 0.9, often
            if 0 < wanted < had:
                yield f"{{}}[{':, ' * axis}:{wanted}]", 5.0, read
            if 0 < wanted == had - 1:
                yield f"{{}}[{':, ' * axis}:-1]", 0.9, f"{read}: without the last"
                yield f"{{}}[{':, ' * axis}1:]", 0.95, f"{read}: without the first"


def unwrapped(
    trace: Trace, functions: Sequence[ast.AST], along: Mapping[ast.expr, int]
) -> Iterator[Suggestion]:
    """Yield calls that move axes left out, and such calls with another axis.

    Args:
        trace: the script.
        functions: the functions through which the error passed, and those that they call.
        along: the expressions behind the failure, with their distance.
    """
    found: dict[ast.AST, float] = {node: STEP * distance for node, distance in along.items()}
    for depth, function in enumerate(functions):
        for node in ast.walk(function):
            found.setdefault(node, 0.3 + min(depth, 6) * 0.2)
    for node, near in found.items():
        if isinstance(node, ast.Call):
            yield from _without(trace, node, near)
            yield from _other_axis(trace, node, near)
        elif isinstance(node, ast.Subscript):
            yield from _other_size(trace, node, near)


def _without(trace: Trace, node: ast.Call, near: float) -> Iterator[Suggestion]:
    function = node.func
    if not isinstance(function, ast.Attribute) or function.attr not in _OF_AXES or trace.shape(node) is None:
        return
    if trace.shape(function.value) is not None:
        yield replaced(trace.span(node), trace.source(function.value), 0.45 + near)


def _other_axis(trace: Trace, node: ast.Call, near: float) -> Iterator[Suggestion]:
    name = callee_of(node)
    if name not in _WITH_AXIS:
        return
    tensors = [*operands(trace, node)]
    rank = max((len(trace.shape(one) or ()) for one in tensors), default=4) + (name in ("unsqueeze", "stack"))
    places: list[Any] = [*node.args, *(word.value for word in node.keywords if word.arg in _AXIS_WORDS)]
    for one in places:
        value = _axis(one)
        if value is None:
            continue
        for axis in (*range(min(rank, 5)), -1):
            if axis != value and axis != value + rank and axis != value - rank:
                yield replaced(trace.span(one), str(axis), 1.05 + near + 0.05 * abs(axis - value))


def reordered(trace: Trace, steps: Sequence[Step]) -> Iterator[Suggestion]:
    """Yield new orders of axes that name each axis once, where the failing one names one of them twice.

    Args:
        trace: the script.
        steps: the expressions that were running, the innermost first.
    """
    for node in (one for step in steps for one in ast.walk(step.node) if isinstance(one, ast.Call)):
        if callee_of(node) != "permute" or not isinstance(node.func, ast.Attribute):
            continue
        rank = len(trace.shape(node.func.value) or ())
        numbers = [_axis(one) for one in node.args]
        if len(numbers) != rank or None in numbers:
            continue
        named = [one % rank for one in numbers if one is not None]
        left = [axis for axis in range(rank) if axis not in named]
        for one, axis in zip(node.args, named, strict=True):
            if len(left) == 1 and named.count(axis) > 1:
                yield replaced(trace.span(one), str(left[0]), 0.0)


def _other_size(trace: Trace, node: ast.Subscript, near: float) -> Iterator[Suggestion]:
    """Yield ``x.shape[1]`` instead of ``x.shape[0]``."""
    value = _axis(node.slice)
    if value is None or not isinstance(node.value, ast.Attribute) or node.value.attr != "shape":
        return
    shape = trace.shape(node.value.value) or ()
    for axis in range(len(shape)):
        if axis not in (value, value + len(shape)):
            yield replaced(trace.span(node.slice), str(axis), 1.1 + near)


def _axis(node: ast.expr) -> int | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _axis(node.operand)
        return None if inner is None else -inner
    plain = isinstance(node, ast.Constant) and type(node.value) is int and node.value < 6
    return node.value if plain else None  # type: ignore[attr-defined]  # plain says that it is a number


def _owner(trace: Trace, node: ast.expr) -> str:
    text = trace.source(node)
    plain = isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript)
    return text if plain else f"({text})"


def renamed(trace: Trace, functions: Sequence[ast.AST]) -> Iterator[Suggestion]:
    """Yield numbers in a method as the attribute of its object that is such a number, too.

    Args:
        trace: the script.
        functions: the functions through which the error passed.
    """
    for function in functions:
        held: dict[str, int] = {}
        for node in ast.walk(trace.tree(trace.homes[function])):
            own = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute)
            if own and isinstance(node.targets[0].value, ast.Name) and node.targets[0].value.id == "self":  # type: ignore[attr-defined]  # an Assign
                last = trace.values(node.value)[-1:]  # type: ignore[attr-defined]  # an Assign
                if last and type(last[0]) is int:
                    held[f"self.{node.targets[0].attr}"] = last[0]  # type: ignore[attr-defined]  # an Attribute
        in_class = any(isinstance(outer, ast.ClassDef) for outer in trace.around(function))
        if not in_class or getattr(function, "name", "") == "__init__":
            continue
        for node in ast.walk(function):
            if not isinstance(node, ast.Constant) or type(node.value) is not int or node.value <= 2:
                continue
            statement = trace.statement(node)
            same = [
                one
                for one in ast.walk(statement or node)
                if isinstance(one, ast.Constant) and one.value == node.value
            ]
            for name, value in held.items():
                if value == node.value:
                    continue
                if same[0] is node and len(same) > 1:
                    edits = tuple((span.start, span.end, name) for span in map(trace.span, same))
                    yield Suggestion(trace.homes[node], edits, 1.6)
                yield replaced(trace.span(node), name, 1.8)


def same_names(
    trace: Trace, arguments: Sequence[tuple[ast.Call, str]]
) -> Iterator[tuple[ast.Call, str, str]]:
    """Yield arguments that are left at their default although the script has something of their name.

    Args:
        trace: the script.
        arguments: the calls and the arguments that they do not give.
    """
    for call, name in arguments:
        for file in trace.texts:
            for node in trace.tree(file).body:
                own = node.name if isinstance(node, ast.FunctionDef) else ""
                defined = own.endswith(name.removesuffix("_fn")) and bool(own)
                stored = isinstance(node, ast.Assign) and any(
                    isinstance(one, ast.Name) and one.id == name for one in node.targets
                )
                if defined and node.lineno < call.lineno:
                    yield call, name, own
                elif stored and node.lineno < call.lineno:
                    yield call, name, name


def without_argument(trace: Trace, steps: Sequence[Step]) -> Iterator[Suggestion]:
    """Yield the failing calls of layers without their second argument, such as a state of another batch.

    Args:
        trace: the script.
        steps: the expressions that were running, the innermost first.
    """
    for step in steps[:2]:
        node = step.node
        if isinstance(node, ast.Call) and len(node.args) == 2 and isinstance(node.func, ast.Attribute):
            text = f"{trace.source(node.func)}({trace.source(node.args[0])})"
            yield replaced(trace.span(node), text, 4.0, "the state that the layer begins with")
