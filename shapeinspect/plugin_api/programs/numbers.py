"""Edits of the numbers in a script from which sizes that do not fit are made."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

from shapeinspect.plugin_api.edit_words import AXIS_ARGUMENTS
from shapeinspect.plugin_api.programs.source_edit import replaced
from shapeinspect.plugin_api.programs.span import Span
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.suggestions import Suggestion
from shapeinspect.plugin_api.user_code.source import callee_of, is_named_batch

#: A size that is wanted, and the one that is there.
Pair: TypeAlias = "tuple[int, int]"

#: Arguments that name an axis or switch something, and are no sizes.
_NO_SIZES = AXIS_ARGUMENTS | {
    "keepdim", "seed", "manual_seed", "num_workers", "random_state",
    "diagonal", "epochs", "verbose", "lr", "step_size", "groups", "dilation",
}  # fmt: skip
#: Functions and methods whose numbers are axes, or no sizes.
_OF_AXES = frozenset({
    "size", "unsqueeze", "squeeze", "transpose", "permute", "softmax", "log_softmax", "sum", "mean", "argmax",
    "max", "min", "flatten", "range", "manual_seed", "seed", "chunk", "norm", "cumsum", "unbind", "swapaxes",
    "movedim", "Flatten", "Softmax", "LogSoftmax", "Dropout", "dropout", "Unflatten", "topk",
    "sort", "std", "var", "select", "set_num_threads", "print", "round", "format", "zip", "enumerate",
    "int", "float", "str",
    "set_seed", "RandomState", "default_rng", "split",
})  # fmt: skip
#: Sizes that pictures and sequences often have.
_NATURAL = (32, 64, 96, 112, 128, 160, 192, 224, 256, 288, 320, 384, 448, 512)
#: What the side of a picture is often a multiple of.
_MULTIPLES = (32, 16, 64, 8, 4)
#: What is counted has no natural size.
_COUNTED = re.compile(r"class|vocab|label|word|token|layer|head|channel|anchor", re.IGNORECASE)
#: A size below is more likely a count, a kernel or a stride.
_SMALLEST = 12
#: A larger number is no size.
_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Number:
    """A number in the source that may be a size.

    Args:
        node: the number.
        value: what it is.
        whole: the expression of numbers around it, such as ``4 * 7 * 7``.
        builds: whether it is inside of a class, and so builds a layer of it.
        default: whether it is the default of an argument.
    """

    node: ast.Constant
    value: int
    whole: ast.expr
    builds: bool
    default: bool


def numbers(trace: Trace) -> Iterator[Number]:
    """Yield the numbers of a script that may be sizes.

    Args:
        trace: the script.
    """
    for file in trace.texts:
        for node in ast.walk(trace.tree(file)):
            plain = isinstance(node, ast.Constant) and type(node.value) is int and 0 < node.value < _LARGEST
            if plain and _may_be_size(trace, node) and trace.ran(node):  # type: ignore[arg-type]  # a Constant
                yield _number(trace, node)  # type: ignore[arg-type]  # a Constant


def _number(trace: Trace, node: ast.Constant) -> Number:
    whole: ast.expr = node
    for outer in trace.around(node):
        if not isinstance(outer, ast.BinOp):
            break
        whole = outer
    builds = any(isinstance(outer, ast.ClassDef) for outer in trace.around(node))
    default = isinstance(trace.parents.get(whole), ast.arguments)
    value: Any = node.value
    return Number(node, int(value), whole, builds, default)


def _may_be_size(trace: Trace, node: ast.Constant) -> bool:
    inner: ast.AST = node
    for outer in trace.around(node):
        if isinstance(outer, ast.Subscript | ast.Compare | ast.JoinedStr | ast.Slice):
            return False
        if isinstance(outer, ast.keyword) and outer.arg in _NO_SIZES:
            return False
        if isinstance(outer, ast.Call):
            name = callee_of(outer)
            return inner is not outer.func and name not in _OF_AXES
        if isinstance(outer, ast.BinOp) and isinstance(outer.op, ast.Pow):
            return False
        if isinstance(outer, ast.stmt | ast.arguments):
            return isinstance(outer, ast.Assign | ast.AnnAssign | ast.arguments | ast.Return)
        inner = outer
    return False


def ratios(pairs: Sequence[Pair]) -> list[Fraction]:
    """Return by which factors sizes may be wrong, those of sides of pictures among them.

    Args:
        pairs: the sizes that do not fit.

    Example:
        >>> ratios([(197, 325)])[1:]
        [Fraction(9, 7), Fraction(197, 325), Fraction(7, 9)]
    """
    found: list[Fraction] = []
    for wanted, had in pairs:
        for a, b in ((had, wanted), (wanted, had)):
            if a > 0 and b > 0:
                found.append(Fraction(a, b))
            for less in (0, 1, 2):
                x, y = a - less, b - less
                if x > 1 and y > 1 and math.isqrt(x) ** 2 == x and math.isqrt(y) ** 2 == y:
                    found.append(Fraction(math.isqrt(x), math.isqrt(y)))
            if a % b == 0 and math.isqrt(a // b) ** 2 == a // b:
                found.append(Fraction(math.isqrt(a // b)))
            elif b % a == 0 and math.isqrt(b // a) ** 2 == b // a:
                found.append(Fraction(1, math.isqrt(b // a)))
    return [one for one in dict.fromkeys(found) if one != 1]


def resized(trace: Trace, pairs: Sequence[Pair], lengths: Sequence[int]) -> Iterator[Suggestion]:
    """Yield edits of numbers: those that make one of the sizes, those that may be a factor of them.

    Args:
        trace: the script.
        pairs: the sizes that are wanted, each with the one that is there; they are tried both ways.
        lengths: the lengths of what the model is called with.
    """
    found = [*numbers(trace)]
    inner = {trace.span(call) for call in trace.made[-1:]}
    chain = {trace.span(call) for call in trace.made}
    for number in found:
        near = _is_in(trace, number.node, inner)
        linked = near or _is_in(trace, number.node, chain)
        place = -0.05 if near else 0.5 if linked else 0.9
        for wanted, had in pairs:
            for old, new, back in ((wanted, had, 0.0), (had, wanted, 0.3)):
                value = _solved(trace, number, old, new)
                if value is not None:
                    far = abs(math.log2(value / number.value)) / 100 + math.log2(number.value) / 1000
                    yield _edit(trace, number, value, place + back + far)
    factors = ratios(pairs)
    for number in found:
        for order, factor in enumerate(factors):
            scaled = number.value * factor
            if scaled.denominator == 1 and 0 < scaled < _LARGEST and number.value > 2:
                shown = number.value in lengths or number.value >= _SMALLEST
                yield _edit(trace, number, int(scaled), (1.6 if shown else 2.6) + min(order, 8) / 10)
    for number in found:
        if number.value >= _SMALLEST and not number.builds and not _counts(trace, number.node):
            given = 1.2 if number.value in lengths and number.value > _SMALLEST else 2.6
            for order, value in enumerate(natural(number.value)):
                yield _edit(trace, number, value, given + order / 8)


def _counts(trace: Trace, node: ast.AST) -> bool:
    """Tell whether the name of a number says that it counts something, and is no side of a picture."""
    parent = trace.parents.get(node)
    names = [parent.arg or ""] if isinstance(parent, ast.keyword) else []
    if isinstance(parent, ast.Assign):
        names = [ast.unparse(target) for target in parent.targets]
    return any(_COUNTED.search(name) for name in names)


def natural(length: int) -> Iterator[int]:
    """Yield the sizes near a length that networks take more often.

    Args:
        length: the length.

    Example:
        >>> [*natural(122)]
        [128, 96, 112, 64, 120, 124]
    """
    found: list[int] = []
    for multiple in _MULTIPLES:
        if length % multiple:
            down = length // multiple * multiple
            found += sorted((down + multiple, down), key=lambda one: abs(one - length))
    usual = sorted(
        (one for one in _NATURAL if length / 2 <= one <= length * 2), key=lambda one: abs(one - length)
    )
    for value in dict.fromkeys((*found[:3], *usual[:3], *found[3:])):
        if value > 0 and value != length:
            yield value


def _is_in(trace: Trace, node: ast.AST, spans: set[Span]) -> bool:
    return any(isinstance(one, ast.Call) and trace.span(one) in spans for one in trace.around(node))


def _solved(trace: Trace, number: Number, old: int, new: int) -> int | None:
    """Return the number with which the expression around it is worth ``new`` where it was ``old``."""
    if old not in trace.values(number.whole):
        return None
    if number.whole is number.node:
        return new
    now, then = (_worth(trace, number.whole, number.node, number.value + more) for more in (0, 1))
    if now is None or then is None or now != old or then == now:
        return None
    value = number.value + Fraction(new - now, then - now)
    if value.denominator != 1 or value <= 0:
        return None
    return int(value) if _worth(trace, number.whole, number.node, int(value)) == new else None


def _worth(trace: Trace, node: ast.expr, changed: ast.Constant, value: int) -> int | None:
    """Work an expression out with another value of one number."""
    if node is changed:
        return value
    if isinstance(node, ast.BinOp):
        left, right = (_worth(trace, part, changed, value) for part in (node.left, node.right))
        if left is None or right is None:
            return None
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Mult):
            return left * right
        return left // right if isinstance(node.op, ast.FloorDiv) and right else None
    last = trace.values(node)[-1:]
    return last[0] if last and type(last[0]) is int else None


def _edit(trace: Trace, number: Number, value: int, rank: float) -> Suggestion:
    alters = "" if number.builds or not is_batch(trace, number.node) else "how many samples there are"
    return replaced(trace.span(number.node), str(value), rank + 0.1 * number.default, alters)


def is_batch(trace: Trace, node: ast.AST) -> bool:
    """Tell whether a number says how many samples there are.

    Args:
        trace: the script.
        node: the number.
    """
    if is_named_batch(node, trace.parents):
        return True
    parent = trace.parents.get(node)
    call = (
        trace.parents.get(parent)
        if isinstance(parent, ast.Tuple | ast.List) and parent is not None
        else parent
    )
    if not isinstance(call, ast.Call) or len(trace.shape(call) or ()) < 2:
        return False
    first = (
        parent.elts[0] if isinstance(parent, ast.Tuple | ast.List) else call.args[0] if call.args else None
    )
    return node is first and (trace.shape(call) or (0,))[0] == getattr(node, "value", None)
