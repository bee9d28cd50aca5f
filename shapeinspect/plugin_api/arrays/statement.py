"""A statement on arrays outside of every layer: what it reads, and the edits with which it runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shapeinspect.ir import Layer, Value
from shapeinspect.plugin_api.claims import Claim, Level
from shapeinspect.plugin_api.facts import Edit, Explained
from shapeinspect.plugin_api.rerun import Rerun
from shapeinspect.plugin_api.rewriting import Rewriting, outside
from shapeinspect.plugin_api.user_code.source import UserSource, callee_of
from shapeinspect.plugin_api.user_code.statement_edits import Change, Dialect, Operand, changes
from shapeinspect.plugin_api.user_code.statement_runs import Arrays, NotHarmlessError, StatementRun
from shapeinspect.rules.rule import show

#: At most so many edits are run.
_EDITS = 24
#: At most so many arrays of a list are shown.
_SHOWN = 4
_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.MatMult: "matmul", ast.Pow: "pow",
    ast.FloorDiv: "floor_divide", ast.Mod: "remainder", ast.BitAnd: "and", ast.BitOr: "or",
}  # fmt: skip
#: What each kind of operation takes.
_EXPECTED = {
    "elementwise": "shapes that broadcast: aligned from the last axis, lengths equal or 1",
    "concat": "as many axes each, with equal lengths on all but the one that is joined",
    "stack": "arrays of one shape",
    "matmul": "the last axis of the left one as long as the last but one of the right one",
    "einsum": "one length for each letter",
    "gather": "indices that are integers, with as many axes as what they are looked up in",
    "index": "a mask as long as the axes that it chooses from",
    "store": "a value of the shape of the place where it is stored",
}  # fmt: skip
#: The kinds that the core has a name for.
_NAMED = {"index": "index", "store": "store", "gather": "gather", "einsum": "einsum"}
_CAUSES = {
    "elementwise": "broadcast", "concat": "concat-axis", "stack": "unequal", "reshape": "reshape",
    "matmul": "inner", "einsum": "inner", "gather": "rank", "index": "mask", "store": "stored",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ArrayStatement:
    """A failed operation on arrays.

    Args:
        source: the user's line.
        arrays: the library.
        dialect: how it writes edits.
        kinds: what its functions and methods are, by name.
        framework: its name.
        message: its words.
        where: the user's source line.
    """

    source: UserSource
    arrays: Arrays
    dialect: Dialect
    kinds: Mapping[str, str]
    framework: str
    message: str
    where: str | None

    def explained(self, only: Mapping[str, frozenset[str]] | None = None) -> Rerun | None:
        """Say which array has which shape, and find edits; None where the operation is not known.

        Args:
            only: the kinds that are explained, each with the causes of which an edit must have one, and none
                for any cause; None for all kinds.
        """
        failed = self.source.failed
        name, kind = self._operation(failed)
        if failed is None or not kind or (only is not None and kind not in only):
            return None
        operands = [*self._operands(failed, kind)]
        if not operands:
            return None
        run = StatementRun(self.source, self.arrays)
        found: list[Change] = []
        for change in changes(kind, self.source, failed, operands, self.dialect):
            if len(found) < _EDITS:
                found.append(change)
        causes = frozenset() if only is None else only[kind]
        if causes and not any(change.cause in causes for change in found):
            return None
        edits = [self._worded(failed, change) for change in found]
        fact = Explained(_CAUSES[kind], self._expected(kind, failed), self._got(operands), tuple(edits))
        layer = Layer(name, _NAMED.get(kind, kind), name)
        values = [
            Value(f"operand{number}", one.shape)
            for number, one in enumerate(operands)
            if len(one.shapes) == 1
        ]
        failure = outside(layer, values, self.framework, self.message, self.where, fact)
        return Rewriting(failure, lambda edit: self._trial(run, failed, kind, operands, found[edit]))

    def _operation(self, failed: ast.AST | None) -> tuple[str, str]:
        """Return the name of the failed operation, and its kind."""
        if isinstance(failed, ast.BinOp | ast.AugAssign):
            name = _OPERATORS.get(type(failed.op), "")
            return name, "matmul" if name == "matmul" else "elementwise" if name else ""
        if isinstance(failed, ast.Subscript):
            stored = isinstance(failed.ctx, ast.Store)
            return ("setitem", "store") if stored else ("getitem", "index")
        if isinstance(failed, ast.Call):
            name = callee_of(failed)
            return name, self.kinds.get(name, "")
        if isinstance(failed, ast.Compare) and len(failed.comparators) == 1:
            return "compare", "elementwise"
        return "", ""

    def _operands(self, failed: ast.AST, kind: str) -> Iterator[Operand]:
        run = StatementRun(self.source, self.arrays)
        for node in self._nodes(failed):
            items = (
                node.elts
                if isinstance(node, ast.List | ast.Tuple) and kind in ("concat", "stack")
                else [node]
            )
            for item in items:
                shapes = self._shapes_of(run, item)
                if shapes:
                    yield Operand(item, shapes, listed=item is not node)

    def _shapes_of(self, run: StatementRun, node: ast.expr) -> tuple[tuple[int, ...], ...]:
        try:
            value = run.value(node)
        except Exception:  # noqa: BLE001  # the user's own expression: it may raise anything
            return ()
        listed = list(value) if isinstance(value, list | tuple) else [value]
        if not listed or not all(self.arrays.is_array(one) for one in listed):
            return ()
        return tuple(tuple(int(length) for length in one.shape) for one in listed)

    def _nodes(self, failed: ast.AST) -> Iterator[ast.expr]:
        if isinstance(failed, ast.BinOp):
            yield from (failed.left, failed.right)
        elif isinstance(failed, ast.AugAssign):
            yield from (failed.target, failed.value)
        elif isinstance(failed, ast.Compare):
            yield from (failed.left, failed.comparators[0])
        elif isinstance(failed, ast.Subscript):
            statement = self.source.statement
            if isinstance(failed.ctx, ast.Store) and isinstance(statement, ast.Assign):
                yield from (failed, statement.value)
            else:
                yield failed.value
                yield from failed.slice.elts if isinstance(failed.slice, ast.Tuple) else (failed.slice,)
        elif isinstance(failed, ast.Call):
            if isinstance(failed.func, ast.Attribute):
                yield failed.func.value
            yield from failed.args
            yield from (keyword.value for keyword in failed.keywords)

    def _expected(self, kind: str, failed: ast.AST) -> tuple[str, ...]:
        if kind == "reshape" and isinstance(failed, ast.Call):
            return (f"as many elements as {self.source.source(failed)} asks for",)
        return (_EXPECTED[kind],) if kind in _EXPECTED else ()

    def _got(self, operands: list[Operand]) -> tuple[str, ...]:
        lines = []
        for one in operands:
            text, made = self.source.source(one.node), self.source.made_at(one.node)
            shapes = ", ".join(show(shape) for shape in one.shapes[:_SHOWN])
            more = f" and {len(one.shapes) - _SHOWN} more" if len(one.shapes) > _SHOWN else ""
            lines.append(
                f"{' '.join(text.split())} of {shapes}{more}{f', made in line {made}' if made else ''}"
            )
        return tuple(lines)

    def _worded(self, failed: ast.AST, change: Change) -> Edit:
        whole = self._whole(failed)
        new = self.source.edited(whole, change.parts)
        text = f"{' '.join(new.split())} instead of {' '.join(self.source.source(whole).split())}"
        return Edit("" if change.alters else change.cause, text, alters=change.alters)

    def _whole(self, failed: ast.AST) -> ast.AST:
        """Return what is written anew: the operation, or the statement where it is one that stores."""
        stores = isinstance(failed, ast.Subscript) and isinstance(failed.ctx, ast.Store)
        return self.source.statement if stores else failed

    def _trial(
        self, run: StatementRun, failed: ast.AST, kind: str, operands: list[Operand], change: Change
    ) -> Claim | None:
        """Run the operation with a change, and the whole statement as far as it only computes."""
        statement = self.source.statement
        try:
            if isinstance(failed, ast.Subscript) and isinstance(statement, ast.Assign) and kind == "store":
                parts = [part for part in change.parts if part[0] is statement.value]
                value = parts[0][1] if parts else self.source.edited(statement.value, change.parts)
                run.stored(self.source.source(failed), value)
                return Claim(what="the failing statement")
            if isinstance(failed, ast.AugAssign):
                left, right = self._edited(failed.target, change), self._edited(failed.value, change)
                made = run.value(f"({left}) {_sign(failed)} ({right})")
            else:
                made = run.value(self.source.edited(failed, change.parts))
        except Exception:  # noqa: BLE001  # whatever is raised, the change does not help
            return None
        if not self._keeps(kind, operands, made):
            return None
        return self._around(run, change)

    def _edited(self, node: ast.AST, change: Change) -> str:
        own = next((text for part, text in change.parts if part is node), None)
        inside = [part for part in change.parts if part[0] in list(ast.walk(node))]
        return own if own is not None else self.source.edited(node, inside)

    def _keeps(self, kind: str, operands: list[Operand], made: Any) -> bool:
        """Tell whether a sum is as large as its larger operand, and no table of every pair."""
        if kind != "elementwise" or not self.arrays.is_array(made) or len(operands) != 2:
            return True
        count = 1
        for length in made.shape:
            count *= int(length)
        sizes = []
        for one in operands:
            size = 1
            for length in one.shape:
                size *= length
            sizes.append(size)
        return count <= max(sizes) * (4 if min(sizes) <= 4 else 1)

    def _around(self, run: StatementRun, change: Change) -> Claim | None:
        """Run the expression of the whole statement."""
        value = getattr(self.source.statement, "value", None)
        part = Claim(Level.PART, "the failing operation", "the statement around it calls more than arrays")
        if not isinstance(value, ast.expr) or isinstance(self.source.statement, ast.AugAssign):
            return part
        try:
            run.value(self.source.edited(value, change.parts))
        except NotHarmlessError:
            return part
        except Exception:  # noqa: BLE001  # whatever is raised, the change does not help
            return None
        return Claim(what="the failing statement")


def _sign(node: ast.AugAssign) -> str:
    return ast.unparse(ast.BinOp(ast.Name("a"), node.op, ast.Name("b"))).split()[1]
