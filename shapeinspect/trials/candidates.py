"""Changes of a user's source that are worth a trial: one expression each, the likeliest first."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from shapeinspect.plugin_api.edit_words import AXIS_ARGUMENTS, EditWords
from shapeinspect.plugin_api.suggestions import Suggestion
from shapeinspect.plugin_api.user_code.source import callee_of, given_names
from shapeinspect.trials.alterations import altered
from shapeinspect.trials.choices import chooses
from shapeinspect.trials.sizes import Sizes
from shapeinspect.trials.slices import FAR, Unit, measure
from shapeinspect.trials.source_file import Edit, File

#: Ranks of the kinds of changes; the distance from the failure is added.
EXACT, POWER, RATIO, SETTING, AXIS, LEFT_OUT, SUM, RENAMED, SWAPPED, WRAPPED, NEAR, NAME, DROPPED = (
    0.0, 0.25, 1.0, 1.5, 2.0, 2.0, 2.5, 2.5, 3.0, 3.0, 4.0, 4.5, 6.0,
)  # fmt: skip
#: Calls whose numbers are no sizes.
_NO_SIZES = frozenset(
    {"round", "print", "format", "manual_seed", "seed", "set_seed", "sleep", "set_num_threads"}
)
#: The rank of another word of a choice of the program's own: it is what it was written for.
CHOICE = -0.5
#: How far a pair of sizes stands behind the one before it.
_PAIR = 0.3
#: At most so many changes are listed.
_MOST = 600


@dataclass(frozen=True, slots=True)
class Candidate:
    """One change of the source.

    Args:
        edits: the parts that are replaced.
        rank: how far it stands behind; the lowest is tried first.
        node: the expression that is changed, for its text.
        file: its file.
        owner: the function or class that it stands in; empty for the module.
        number: the number that is changed, before and after; None for another change.
        alters: what it changes of the program's meaning, as a noun; empty for nothing.
        cause: what is wrong if the script runs with it, a key of the core's causes; empty where unknown.
        why: the same in the words of the script; empty for nothing.
        sure: whether `why` is true and says what is wrong, whatever becomes of the change.
    """

    edits: tuple[Edit, ...]
    rank: float
    node: Any
    file: str
    owner: str = ""
    number: tuple[int, int] | None = None
    alters: str = ""
    cause: str = ""
    why: str = ""
    sure: bool = False


def suggested(file: File, one: Suggestion) -> Candidate:
    """Return a suggestion of a plug-in as a change.

    Args:
        file: the file that it edits.
        one: the suggestion.
    """
    low, high = min(edit[0] for edit in one.edits), max(edit[1] for edit in one.edits)
    edits = tuple(Edit(file.path, *edit) for edit in one.edits)
    node = file.around(low, high)
    old = getattr(node, "value", None)
    number = (old, int(edits[0].new)) if type(old) is int and edits[0].new.isdigit() else None
    alters = one.alters or ("" if one.sure else altered(file, edits, node))
    return Candidate(edits, one.rank, node, file.path, "", number, alters, one.cause, one.why, one.sure)


def candidates(
    files: Sequence[File],
    failed: Iterable[tuple[str, int]],
    sizes: Sizes,
    words: EditWords,
    arrays: Mapping[str, str],
    modules: frozenset[str],
    shapes: Mapping[str, tuple[int, ...]] = MappingProxyType({}),
) -> list[Candidate]:
    """Return the changes that are worth a trial, the likeliest first.

    Args:
        files: the user's files.
        failed: the file and line of each of the user's frames.
        sizes: the numbers of the failure.
        words: how the frameworks in use are written.
        arrays: the class of each array that a name stands for in the statement that failed.
        modules: the names that stand for modules.
        shapes: the shape of such an array, as far as it is known.
    """
    failed = [*failed]
    lines = set(failed)
    every = [unit for file in files for unit in file.units]
    running = [
        unit
        for file in files
        for unit in file.units
        if any((file.path, line) in lines for line in _lines(unit.node))
    ]
    measure(every, running)
    found: list[Candidate] = []
    for file in files:
        end = _reached(file, failed)
        for unit in file.units:
            if getattr(unit.node, "lineno", 0) > end:
                continue  # the script had not come there
            site = _Site(file, unit, sizes, words, arrays, modules, shapes)
            found += site.candidates()
    seen: set[tuple[Edit, ...]] = set()
    ordered = []
    for one in sorted(found, key=lambda one: one.rank):
        if one.edits not in seen:
            seen.add(one.edits)
            ordered.append(one)
    return ordered[:_MOST]


def _reached(file: File, failed: Sequence[tuple[str, int]]) -> float:
    """Return the last line of the script's own statement that was running; no bound for another file."""
    for path, line in failed[:1]:
        for node in file.tree.body if path == file.path else ():
            defines = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            if line in _lines(node) and not defines:
                return node.end_lineno or math.inf
    return math.inf


def _lines(node: Any) -> range:
    first = getattr(node, "lineno", None)
    return range(0) if first is None else range(first, node.end_lineno + 1)


@dataclass(frozen=True, slots=True)
class _Site:
    file: File
    unit: Unit
    sizes: Sizes
    words: EditWords
    arrays: Mapping[str, str]
    modules: frozenset[str]
    shapes: Mapping[str, tuple[int, ...]]

    def candidates(self) -> Iterator[Candidate]:
        """Yield the changes of one unit."""
        if self.unit.distance == FAR:
            nodes: Iterable[ast.AST] = (
                node for node in ast.walk(self.unit.node) if isinstance(node, ast.Constant)
            )
        else:
            nodes = ast.walk(self.unit.node)
        for node in nodes:
            if isinstance(node, ast.Constant):
                yield from self._constants(node)
            elif isinstance(node, ast.Call):
                yield from self._calls(node)
            elif isinstance(node, ast.Tuple | ast.List):
                yield from self._swapped(node, node.elts)
            elif isinstance(node, ast.Subscript):
                yield from self._subscripts(node)
            elif isinstance(node, ast.Attribute) and node.attr == "T" and isinstance(node.ctx, ast.Load):
                yield self._one(node, self.file.source(node.value), LEFT_OUT)
            elif isinstance(node, ast.Name):
                yield from self._names(node)
        if self.unit.distance <= 1:
            yield from self._wrapped()
            yield from self._dropped()

    def _one(
        self, node: Any, new: str, rank: float, alters: str = "", number: tuple[int, int] | None = None
    ) -> Candidate:
        return self._edited((self.file.edit(node, new),), node, rank, alters, number)

    def _edited(
        self,
        edits: tuple[Edit, ...],
        node: Any,
        rank: float,
        alters: str = "",
        number: tuple[int, int] | None = None,
    ) -> Candidate:
        behind = rank + self.unit.distance
        alters = alters or altered(self.file, edits, node)
        return Candidate(edits, behind, node, self.file.path, self.unit.owner, number, alters)

    def _constants(self, node: ast.Constant) -> Iterator[Candidate]:
        value = node.value
        parent = self.file.parents.get(node)
        power = isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Pow)
        if callee_of(parent) in _NO_SIZES or power or isinstance(parent, ast.FormattedValue):
            return
        if isinstance(value, bool):
            yield self._one(node, str(not value), SETTING + 0.5)
        elif isinstance(value, int):
            yield from self._numbers(node, value)
        elif isinstance(value, str):
            for other in self.words.words.get(value, ()):
                quoted = self.file.source(node)
                yield self._one(node, quoted.replace(value, other), SETTING)
            if not chooses(self.file.parents, node):
                yield from self._chosen(node, value)

    def _chosen(self, node: ast.Constant, value: str) -> Iterator[Candidate]:
        """Take another word of a choice; for a default, where the function is called."""
        default = isinstance(self.file.parents.get(node), ast.arguments)
        calls = self.file.left(node) if default else []
        nearer = -self.unit.distance / 2  # it is no number: a far one does not fit by chance
        for place, other in enumerate(self.file.choices.get(value, ())):
            quoted, rank = self.file.source(node).replace(value, other), CHOICE + nearer + place * _PAIR
            for call, name in calls:
                yield self._one(call, self.file.extended(call, f"{name}={quoted}"), rank)
            if not default:
                yield self._one(node, quoted, rank)

    def _numbers(self, node: ast.Constant, value: int) -> Iterator[Candidate]:
        signed = self.file.parents.get(node)
        whole: Any = signed if isinstance(signed, ast.UnaryOp) and isinstance(signed.op, ast.USub) else node
        if whole is not node:
            value = -value
        known: set[int] = {value}
        said = "how many samples there are" if self.file.is_batch(node) else ""
        for new in self._switched(node, value):
            known.add(new)
            yield self._one(whole, str(new), CHOICE - self.unit.distance / 2, number=(value, new))
        for rank, new in self._values(value):
            if new not in known:
                known.add(new)
                yield self._one(whole, str(new), rank, said, number=(value, new))
        yield from self._powers(node, value)
        if self._is_axis(whole):
            near: tuple[int, ...] = (-2, -1, 0, 1, 2, 3)
            rank = AXIS
        elif 0 <= value <= 8:
            near, rank = (value + 1, value - 1, value * 2), NEAR
        elif value in (-1, -2):
            near, rank = (value - 1, value + 1), NEAR
        else:
            near, rank = (), NEAR
        for new in near:
            if not new and said:  # nothing fails without samples
                continue
            if new not in known and (new >= 0 or value < 0 or self._is_axis(whole)):
                known.add(new)
                yield self._one(whole, str(new), rank, said, number=(value, new))

    def _switched(self, node: ast.Constant, value: int) -> Iterator[int]:
        """Yield the other numbers of a choice, and one that is none of those it is compared with."""
        compared = [
            new for name in given_names(node, self.file.parents) for new in self.file.switches.get(name, ())
        ]
        if compared:
            yield from (new for new in (*compared, max(compared) + 1) if new != value)

    def _values(self, value: int) -> Iterator[tuple[float, int]]:
        if value >= 2:
            yield from self._related(value)
        if value >= 8:
            yield from self._natural(value)

    def _related(self, value: int) -> Iterator[tuple[float, int]]:
        """Yield numbers that would make two sizes equal, if one of them follows from the number."""
        for index, (had, wanted) in enumerate(self.sizes.pairs):
            behind = index * _PAIR
            for a, b in ((had, wanted), (wanted, had)):
                if value == a:
                    yield EXACT + behind, b
                if a and value * b % a == 0 and value * b // a >= 1:
                    yield RATIO + behind, value * b // a
            for new in (value + wanted - had, value + had - wanted):
                if new >= 1:
                    yield SUM + behind, new

    def _natural(self, value: int) -> Iterator[tuple[float, int]]:
        """Yield other sizes in sight, and multiples of what networks divide by."""
        for new in sorted(self.sizes.others, key=lambda one: abs(one - value)):
            if new >= 2:
                yield NEAR - 0.5, new
        for step in (8, 16, 32, 64):
            for new in (value // step * step, -(-value // step) * step):
                if new:
                    yield NEAR, new
        yield NEAR, value * 2
        if value % 2 == 0:
            yield NEAR, value // 2

    def _powers(self, node: ast.Constant, value: int) -> Iterator[Candidate]:
        """Change a number that stands several times in one expression, such as ``64 * 7 * 7``."""
        top, same = self.file.equals(node)
        if value < 2 or len(same) not in (2, 3) or same[0] is not node:
            return
        done = set()
        for parts in (same, same[-2:]):  # of 4 * width * 4 * 4 the last two are height and width
            for had, wanted in self.sizes.pairs:
                for a, b in ((had, wanted), (wanted, had)):
                    new = _root(value, len(parts), a, b)
                    if new > 1 and (new, len(parts)) not in done:
                        done.add((new, len(parts)))
                        edits = tuple(self.file.edit(part, str(new)) for part in parts)
                        yield self._edited(edits, top, POWER)

    def _is_axis(self, node: ast.AST) -> bool:
        return is_axis(self.file, node, self.words)

    def _calls(self, node: ast.Call) -> Iterator[Candidate]:
        name = callee_of(node)
        given = {keyword.arg for keyword in node.keywords}
        text = self.file.source(node)
        for setting in self.words.settings.get(name, ()):
            key = setting.partition("=")[0]
            if key not in given and text.endswith(")"):
                yield self._one(node, self.file.extended(node, setting), SETTING)
        if name in self.words.plain:
            value = node.func.value if isinstance(node.func, ast.Attribute) else None
            own = isinstance(value, ast.Name) and (value.id in self.modules or value.id == "self")
            if value is not None and not own:
                yield self._one(node, self.file.source(value), LEFT_OUT)
            elif node.args:
                yield self._one(node, self.file.source(node.args[0]), LEFT_OUT)
        for other in self.words.renamed.get(name, ()):
            place = node.func
            if isinstance(place, ast.Attribute):
                owner = self.file.source(place.value)
                yield self._one(node, text.replace(f"{owner}.{name}", f"{owner}.{other}", 1), RENAMED)
        yield from self._swapped(node, node.args)
        if self.unit.distance == FAR:
            return
        for index, argument in enumerate(node.args):
            # a layer of a chain, such as a pool too many
            if (
                len(node.args) > 2
                and isinstance(argument, ast.Call)
                and all(isinstance(one, ast.Call | ast.Starred) for one in node.args)
            ):
                following = node.args[index + 1] if index + 1 < len(node.args) else None
                first = self.file.span(argument)[0]
                last = self.file.span(argument)[1] if following is None else self.file.span(following)[0]
                if following is not None:
                    said = f"the network: without {self.file.source(argument)}"
                    yield self._edited((Edit(self.file.path, first, last, ""),), node, DROPPED, said)

    def _swapped(self, node: Any, parts: Sequence[ast.expr]) -> Iterator[Candidate]:
        if not 2 <= len(parts) <= 6 or any(isinstance(part, ast.Starred) for part in parts):
            return
        if all(isinstance(part, ast.Call) for part in parts):
            return
        for a, b in pairwise(parts):
            one, other = self.file.source(a), self.file.source(b)
            if one != other:
                edits = (self.file.edit(a, other), self.file.edit(b, one))
                yield self._edited(edits, node, SWAPPED)

    def _subscripts(self, node: ast.Subscript) -> Iterator[Candidate]:
        if not isinstance(node.ctx, ast.Load):
            return
        text = ast.unparse(node.slice)
        if (
            "newaxis" in text
            or "None" in text
            or (isinstance(node.slice, ast.Constant) and node.slice.value in (0, -1))
        ):
            yield self._one(node, self.file.source(node.value), LEFT_OUT)

    def _names(self, node: ast.Name) -> Iterator[Candidate]:
        """Multiply a size that is an argument, or write another parameter in its place."""
        parent = self.file.parents.get(node)
        if not isinstance(node.ctx, ast.Load) or self.unit.distance == FAR or node.id in self.arrays:
            return
        called = (
            parent
            if isinstance(parent, ast.Call)
            else self.file.parents.get(parent)
            if isinstance(parent, ast.keyword)
            else None
        )
        if not isinstance(called, ast.Call) or called.func is node or not self._is_constructor(called):
            return
        for had, wanted in self.sizes.pairs:
            for a, b in ((had, wanted), (wanted, had)):
                if a and b > a and b % a == 0 and b // a <= 16:
                    yield self._one(node, f"{node.id} * {b // a}", RATIO + 0.5)
                    yield self._one(node, f"{node.id} // {b // a}", RATIO + 0.6)
                elif 0 < abs(a - b) <= 8:
                    yield self._one(node, f"{node.id} {'+' if b > a else '-'} {abs(a - b)}", SUM + 0.5)
        for other in self._parameters():
            if other != node.id:
                yield self._one(node, other, NAME)

    def _is_constructor(self, call: ast.Call) -> bool:
        return callee_of(call)[:1].isupper()

    def _parameters(self) -> list[str]:
        node: ast.AST | None = self.unit.node
        while node is not None and not isinstance(node, ast.FunctionDef):
            node = self.file.parents.get(node)
        if node is None:
            return []
        return [
            arg.arg for arg in (*node.args.args, *node.args.kwonlyargs) if arg.arg not in ("self", "cls")
        ][:6]

    def _wrapped(self) -> Iterator[Candidate]:
        for node in ast.walk(self.unit.node):
            if not isinstance(node, ast.Name | ast.Attribute) or not isinstance(node.ctx, ast.Load):
                continue
            text = self.file.source(node)
            for wrap in self.words.wraps.get(self.arrays.get(text, ""), ()):
                parent = self.file.parents.get(node)
                called = isinstance(parent, ast.Call) and parent.func is node
                if called or isinstance(parent, ast.Attribute):
                    continue
                if text in self.shapes and not self.words.fits(wrap, self.shapes[text]):
                    continue
                yield self._one(node, wrap.replace("{}", text), WRAPPED)

    def _dropped(self) -> Iterator[Candidate]:
        """Leave a statement out that puts a value back into its own name, such as ``x = self.pool(x)``."""
        node = self.unit.node
        if (
            not isinstance(node, ast.Assign)
            or len(node.targets) != 1
            or not isinstance(node.targets[0], ast.Name)
        ):
            return
        name = node.targets[0].id
        value = node.value
        if isinstance(value, ast.Call) and any(
            isinstance(arg, ast.Name) and arg.id == name for arg in value.args[:1]
        ):
            yield self._one(value, name, DROPPED, f"the network: without {self.file.source(value)}")


def is_axis(file: File, node: ast.AST, words: EditWords) -> bool:
    """Tell whether a number stands where an axis is written.

    Args:
        file: its file.
        node: the number.
        words: how the frameworks in use are written.
    """
    parent = file.parents.get(node)
    while isinstance(parent, ast.Tuple | ast.List):
        node, parent = parent, file.parents.get(parent)
    if isinstance(parent, ast.keyword):
        return parent.arg in AXIS_ARGUMENTS
    name = callee_of(parent)
    return name in words.plain or (name in words.renamed and name[:1].islower())


def _root(value: int, count: int, a: int, b: int) -> int:
    """Return what equal factors become so that a size becomes another one; 0 for nothing whole.

    Args:
        value: each of them.
        count: how many they are.
        a: the size.
        b: the other one.
    """
    if value == a:
        return b
    new = round(value * (b / a) ** (1 / count)) if a > 0 and b > 0 else 0
    return new if new**count * a == value**count * b else 0
