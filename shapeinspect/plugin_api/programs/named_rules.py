"""Sizes of a script said by its names: a length that was to follow from what the script has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shapeinspect.plugin_api.edit_words import AXIS_ARGUMENTS
from shapeinspect.plugin_api.programs.numbers import Pair
from shapeinspect.plugin_api.programs.source_edit import replaced
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.programs.vocabulary import Atom, Vocabulary
from shapeinspect.plugin_api.suggestions import Suggestion
from shapeinspect.plugin_api.user_code.source import callee_of

#: How far each step from the failure puts an edit behind.
STEP = 0.08
#: At most so many ways to say one size are suggested.
_WAYS = 5
#: Words of names that say nothing of what they count.
_EMPTY = frozenset(
    {"num", "nb", "n", "size", "dim", "self", "len", "in", "out", "the", "of", "shape", "count", ""}
)
#: Smaller numbers coincide too often.
_FEW = 6
#: So far stands a sum of two things behind that have no word in common.
_STRANGE = 0.6
#: So much nearer is an operation that the script writes elsewhere, too.
_ELSEWHERE = 0.9
#: What had more values than this is data.
_VARYING = 3
#: What a number may be given to, to say a size, and what no size stands in.
_GIVEN = (ast.Call, ast.keyword, ast.arguments, ast.Assign)
_NO_PLACE = (ast.Attribute, ast.Compare, ast.FormattedValue, ast.Slice, ast.Subscript)
#: Functions whose numbers are no sizes.
_OTHERS = frozenset(
    {"range", "print", "manual_seed", "format", "enumerate", "zip", "round", "isinstance", "super"}
)
#: Methods and functions that give the elements of an array other lengths.
RESHAPES = frozenset({"view", "reshape"})
#: What is made of the lengths that it is given.
_MADE_OF_LENGTHS = RESHAPES | {
    "expand", "zeros", "ones", "full", "empty", "randn", "rand", "arange", "repeat", "unflatten",
    "broadcast_to", "new_zeros", "new_ones", "new_full", "eye",
}  # fmt: skip


def words_of(text: str) -> frozenset[str]:
    """Return the words of a name that say what it counts.

    Args:
        text: the name, or an expression.

    Example:
        >>> sorted(words_of("self.nb_lstm_layers"))
        ['layer', 'lstm']
    """
    parts = re.split(r"[^a-z]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", text).lower())
    return frozenset(part.removesuffix("s") for part in parts) - _EMPTY


def by_names(
    trace: Trace, along: Mapping[ast.expr, int], pairs: Sequence[Pair], vocabulary: Vocabulary
) -> Iterator[Suggestion]:
    """Yield the sizes behind a failure said by names of the script that are worth what is wanted.

    Args:
        trace: the script.
        along: the expressions behind the failure, with their distance.
        pairs: the sizes that are wanted, each with the one that is there; they are tried both ways.
        vocabulary: the names.
    """
    written = _computed(trace)
    for node, distance in along.items():
        value = _size(trace, node)
        if value is None:
            continue
        far = STEP * distance
        said: dict[str, float] = {}
        atoms = vocabulary.atoms(node)
        for order, (a, b) in enumerate([*pairs, *((b, a) for a, b in pairs)]):
            for target, rank in _targets(value, b, a):
                for text, more in _ways(trace, node, value, target, atoms):
                    elsewhere = _ELSEWHERE * (text in written)
                    said.setdefault(text, rank + more + 0.03 * order - elsewhere)
        for way, rank in sorted(said.items(), key=lambda one: one[1])[:_WAYS]:
            text = way
            if isinstance(trace.parents.get(node), ast.BinOp) and " " in text:
                text = f"({text})"
            taken = ".shape[" in text and not _is_reshaped(trace, node)
            alters = f"how much is taken: as much as `{text.partition('.shape')[0]}` has" if taken else ""
            if "batch" in trace.source(node).lower() and not _is_reshaped(trace, node):
                alters = alters or "how many samples there are"
            yield replaced(trace.span(node), text, rank + far + 1.5 * taken, alters)


def _computed(trace: Trace) -> frozenset[str]:
    """Return the operations that the script writes, as texts."""
    nodes = (node for file in trace.texts for node in ast.walk(trace.tree(file)))
    return frozenset(ast.unparse(node) for node in nodes if isinstance(node, ast.BinOp))


def _is_reshaped(trace: Trace, node: ast.expr) -> bool:
    """Tell whether an expression is a length of a reshape, or of something that is made."""
    calls = [one for one in trace.around(node) if isinstance(one, ast.Call)][:1]
    return bool(calls) and (callee_of(calls[0]) in _MADE_OF_LENGTHS or callee_of(calls[0])[:1].isupper())


def _targets(value: int, had: int, wanted: int) -> Iterator[tuple[int, float]]:
    few = max(had, wanted) < _FEW  # so small numbers are everywhere
    if value == had:
        yield wanted, 0.6 + 0.5 * few
    elif few:
        return
    elif had > 0 and value * wanted % had == 0 and value * wanted // had > 0:
        yield value * wanted // had, 1.2
    if value + wanted - had > 0 and value != had:
        yield value + wanted - had, 1.6


def _size(trace: Trace, node: ast.expr) -> int | None:
    """Return what an expression is worth, if it may be a size."""
    if not isinstance(node, ast.Name | ast.Attribute | ast.Constant | ast.BinOp | ast.Call | ast.Subscript):
        return None
    values = trace.values(node)
    last = values[-1:]
    if not last or type(last[0]) is not int or last[0] < 1 or len(values) > _VARYING:
        return None
    parent = trace.parents.get(node)
    if isinstance(node, ast.Constant) and not isinstance(parent, _GIVEN):
        return None
    if isinstance(parent, ast.keyword):
        if parent.arg in AXIS_ARGUMENTS:
            return None
        parent = trace.parents.get(parent)
    if isinstance(parent, ast.Call) and (parent.func is node or callee_of(parent) in _OTHERS):
        return None
    return None if isinstance(parent, _NO_PLACE) else last[0]


def _ways(
    trace: Trace, node: ast.expr, value: int, target: int, atoms: Sequence[Atom]
) -> Iterator[tuple[str, float]]:
    """Yield how a size is said by names, and how far each way stands behind."""
    own = trace.source(node)
    literal = isinstance(node, ast.Constant)
    parent = trace.parents.get(node)
    if isinstance(parent, ast.Call) and callee_of(parent) in RESHAPES and not literal:
        others = [part for part in parent.args if part is not node]
        if not any(ast.unparse(part) == "-1" for part in others):
            yield "-1", 0.1
    if isinstance(node, ast.BinOp):
        yield from _parts(trace, node, target)
    name = parent.arg if isinstance(parent, ast.keyword) else ""
    call = next((one for one in trace.around(node) if isinstance(one, ast.Call)), None)
    beside = {ast.unparse(part.value) for part in (call.keywords if call is not None else ())}
    for atom in atoms:
        if atom.text == own or (re.search(rf"\b{re.escape(atom.text)}\b", own) and not literal):
            continue
        alike = bool(words_of(atom.text) & words_of(name or own)) or atom.text in beside
        less = -0.1 * alike + 0.1 * (not atom.near)
        if atom.value == target and (not literal or atom.text.startswith("len(") or alike):
            yield atom.text, less + 0.1 * (".shape[" in atom.text)
        if literal or atom.value < 2 or ".shape[" in atom.text:
            continue
        text = own if isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript) else f"({own})"
        if value * atom.value == target:
            yield f"{text} * {atom.text}", less + 0.1
        if value % atom.value == 0 and value // atom.value == target:
            yield f"{text} // {atom.text}", less + 0.12
        if value + atom.value == target:
            yield f"{text} + {atom.text}", less + 0.3 + _STRANGE * (not alike)
        if value - atom.value == target:
            yield f"{text} - {atom.text}", less + 0.3 + _STRANGE * (not alike)
    if abs(target - value) == 1 and not literal:
        yield f"{own} {'+' if target > value else '-'} 1", 0.3


def _parts(trace: Trace, node: ast.BinOp, target: int) -> Iterator[tuple[str, float]]:
    """Yield one side of an operation, and both with another operator, where they are worth what is wanted."""
    worth = [trace.values(part)[-1:] for part in (node.left, node.right)]
    if not all(value and type(value[0]) is int for value in worth):
        return
    (left,), (right,) = worth
    texts = [trace.source(part) for part in (node.left, node.right)]
    for value, text in zip((left, right), texts, strict=True):
        if value == target:
            yield text, 0.1
    made = {"*": left * right, "+": left + right, "-": left - right, "//": left // right if right else 0}
    for sign, value in made.items():
        if value == target:
            yield f"{texts[0]} {sign} {texts[1]}", 0.15


def alike(trace: Trace, along: Mapping[ast.expr, int], vocabulary: Vocabulary) -> Iterator[Suggestion]:
    """Yield names behind a failure, in what a call is given, with another one that is called alike.

    Args:
        trace: the script.
        along: the expressions behind the failure, with their distance.
        vocabulary: the names.
    """
    for node, distance in along.items():
        if not isinstance(node, ast.Name | ast.Attribute) or not isinstance(node.ctx, ast.Load):
            continue
        held: Any = trace.last(node)
        sized = isinstance(held, tuple) and held[:1] == ("sized",)
        if not sized and type(held) is not int:
            continue
        calls = [one for one in trace.around(node) if isinstance(one, ast.Call)][:2]
        if not calls or isinstance(trace.parents.get(node), ast.Attribute) or calls[0].func is node:
            continue
        own = trace.source(node)
        value = held[1] if sized else held
        for atom in vocabulary.atoms(node):
            text = atom.text
            if text.startswith("len(") != sized or ".shape[" in text or atom.value == value:
                continue
            text = text.removeprefix("len(").removesuffix(")") if sized else text
            if text != own and words_of(text) & words_of(own):
                yield replaced(trace.span(node), text, 1.4 + 0.02 * ("." in text) + STEP * distance)


def forgotten(
    along: Mapping[ast.expr, int],
    left: Sequence[tuple[ast.Call, str, object]],
    vocabulary: Vocabulary,
) -> Iterator[tuple[ast.Call, str, str, float]]:
    """Yield arguments that are left at their defaults though the script has a size that is called alike.

    Args:
        along: the expressions behind the failure, with their distance.
        left: the calls, an argument that each does not give, and its default.
        vocabulary: the names.

    Yields:
        The call, the argument, what is written for it, and how far it stands behind.
    """
    for call, name, default in left:
        given = {ast.unparse(part) for part in (*call.args, *(word.value for word in call.keywords))}
        for atom in vocabulary.atoms(call):
            if atom.text in given or atom.value == default or ".shape[" in atom.text:
                continue
            common = words_of(atom.text) & words_of(name)
            if common:
                whole = words_of(atom.text) == words_of(name)
                yield call, name, atom.text, 0.55 - 0.1 * whole + STEP * along.get(call, 6)
