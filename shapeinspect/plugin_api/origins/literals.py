"""The integer literals of a user's source: what each is there, and the source with numbers that remember."""

from __future__ import annotations

import ast
import builtins
import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shapeinspect.plugin_api.origins.numbers import Number, Origin, Real, called, counted
from shapeinspect.plugin_api.user_code.source import arguments_in

#: Functions whose results are numbers of numbers, or counts.
_COUNTING = {"len": len, "int": int, "round": round, "sum": sum}
_ROUNDING = {"floor": math.floor, "ceil": math.ceil, "sqrt": math.sqrt, "prod": math.prod}
#: The names that take the place of literals.
_NAME = "_shapeinspect_{}"
_COUNT = "_shapeinspect_counted"
_CALL = "_shapeinspect_called"
_REAL = "_shapeinspect_real"
#: Real numbers between these are factors of sizes; others are rates, variances and tolerances.
_FACTORS = (0.01, 16.0)
#: Calls that take the key of an entry, and what it is where there is none.
_LOOKING_UP = frozenset({"get", "pop", "setdefault", "getattr"})
#: Functions that read the frame that calls them.
_BOUND = frozenset((
    "super", "locals", "globals", "vars", "dir", "eval", "exec", "breakpoint", "__import__", "namedtuple",
))  # fmt: skip
_ARITHMETIC = (ast.BinOp, ast.UnaryOp)
_ASSIGNING = (ast.Assign, ast.AnnAssign, ast.AugAssign)


@dataclass(frozen=True, slots=True)
class Literal:
    """An integer in the user's source.

    Args:
        value: the integer.
        file: its file.
        line: its line.
        start: where it begins in the text of the file, in bytes.
        end: where it ends.
        role: what it is: ``default`` of a parameter, ``field`` of a class, ``option`` of a command line,
            ``keyword`` of a call, ``fallback`` where an entry is missing, ``item`` of a dictionary,
            ``variable``, ``argument`` by place, ``choice`` by a condition, or ``part`` of something larger.
        name: the parameter, keyword, key or variable; empty for an argument or a part.
        owner: the function or class of a default or field, the function called for an argument.
        code: the smallest piece of source around it that tells what it is.
        position: of an argument its place in the call, else -1.
        alone: whether it is the whole value there, and not one of several.
    """

    value: int
    file: str
    line: int
    start: int
    end: int
    role: str
    name: str
    owner: str
    code: str
    position: int = -1
    alone: bool = True


class _Reading(ast.NodeTransformer):
    """Puts a name in the place of each literal, and keeps what the literal is."""

    def __init__(self, text: str, file: str, literals: list[Literal]) -> None:
        self._file, self._literals, self._raw = file, literals, text.encode()
        self._starts = [0]
        for line in self._raw.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._above: list[ast.AST] = []
        self._parameters = dict(arguments_in(ast.parse(text)))

    def visit(self, node: ast.AST) -> Any:
        """Visit a node, with those above it known."""
        self._above.append(node)
        try:
            return super().visit(node)
        finally:
            self._above.pop()

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """Replace an integer; let a factor keep the integers that are computed with it."""
        if type(node.value) is float and _FACTORS[0] <= node.value <= _FACTORS[1] and not self._is_fixed():
            return ast.copy_location(ast.Call(ast.Name(_REAL, ast.Load()), [node], []), node)
        if type(node.value) is not int or self._is_fixed():
            return node
        role, name, owner, around = self._role(node)
        start, end = self._span(node)
        statement = next(one for one in reversed(self._above) if isinstance(one, ast.stmt))
        alone = around is node and role in ("part", "variable")
        code = self._source(statement if alone and not hasattr(statement, "body") else around)
        position = self._position(node) if role == "argument" else -1
        known = self._parameters.get(owner, ())
        name = known[position] if 0 <= position < len(known) else name
        single = not isinstance(self._above[-2], ast.Tuple | ast.List | ast.Set)
        self._literals.append(
            Literal(
                node.value, self._file, node.lineno, start, end, role, name, owner, code, position, single
            )
        )
        return ast.copy_location(ast.Name(_NAME.format(len(self._literals) - 1), ast.Load()), node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Let a call that counts remember what it has counted, and any other be seen by the follower."""
        text, function = self._source(node), node.func
        self.generic_visit(node)
        plain = isinstance(function, ast.Name) and function.id in _COUNTING
        rounds = (
            isinstance(function, ast.Attribute)
            and function.attr in _ROUNDING
            and isinstance(function.value, ast.Name)
            and function.value.id in ("math", "np", "numpy")
        )
        if isinstance(function, ast.Name) and function.id in _BOUND:
            return node
        helper = ast.copy_location(ast.Name(_COUNT if plain or rounds else _CALL, ast.Load()), node)
        written = ast.copy_location(ast.Constant(text), node)
        return ast.copy_location(ast.Call(helper, [node.func, written, *node.args], node.keywords), node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """Leave the annotation as it is."""
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """Leave an argument and its annotation as they are."""
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        """Leave a formatted text as it is."""
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Leave the annotation of what a function returns as it is."""
        returns, node.returns = node.returns, None
        self.generic_visit(node)
        node.returns = returns
        return node

    def visit_MatchValue(self, node: Any) -> ast.AST:
        """Leave a pattern as it is."""
        return node  # type: ignore[no-any-return]  # a node, of Python 3.10 and later

    def _is_fixed(self) -> bool:
        return isinstance(self._above[-2] if len(self._above) > 1 else None, ast.Constant)

    def _position(self, node: ast.expr) -> int:
        call = self._above[-2]
        places = [at for at, one in enumerate(call.args) if one is node] if isinstance(call, ast.Call) else []
        return places[0] if places else -1

    def _span(self, node: Any) -> tuple[int, int]:
        return (
            self._starts[node.lineno - 1] + node.col_offset,
            self._starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def _source(self, node: Any) -> str:
        start, end = self._span(node)
        return " ".join(self._raw[start:end].decode().split())

    def _role(self, node: ast.expr) -> tuple[str, str, str, ast.AST]:
        """Return what a literal is: its role, its name, whose it is, and the code around it."""
        above = self._above[:-1][::-1]
        inner: ast.AST = node
        around: ast.AST = node
        for place, outer in enumerate(above):
            if isinstance(outer, ast.IfExp):
                return "choice", "", "", outer
            if isinstance(outer, _ARITHMETIC):
                around = outer
            elif (isinstance(outer, ast.stmt | ast.Lambda) and not isinstance(outer, _ASSIGNING)) or (
                isinstance(around, ast.BinOp)
                and isinstance(outer, ast.Call | ast.keyword | ast.Dict | ast.stmt)
            ):
                return "part", "", "", around
            elif isinstance(outer, ast.keyword):
                return self._keyword(outer, above[place + 1])
            elif isinstance(outer, ast.arguments):
                return self._default(outer, inner, above)
            elif isinstance(outer, ast.Dict):
                at = next((at for at, value in enumerate(outer.values) if value is inner), None)
                key = None if at is None else outer.keys[at]
                name = str(key.value) if isinstance(key, ast.Constant) else ""
                whose = f"{self._target(above)}{_keys_of(outer, above[place + 1 :])}"
                return ("item" if name else "part"), name, whose, around
            elif isinstance(outer, _ASSIGNING):
                return self._assigned(outer, inner is node, above, _place(inner, node))
            elif isinstance(outer, ast.Call) and _is_fallback(outer, inner):
                key = outer.args[-2]
                return "fallback", str(getattr(key, "value", "")), ast.unparse(outer.func), around
            elif isinstance(outer, ast.Call):
                return "argument" if inner is not outer.func else "part", "", ast.unparse(outer.func), outer
            elif isinstance(outer, ast.Subscript) and inner is outer.slice:
                return "part", "", "", outer
            inner = outer
        return "part", "", "", around

    @staticmethod
    def _keyword(outer: ast.keyword, call: ast.AST) -> tuple[str, str, str, ast.AST]:
        function = ast.unparse(call.func) if isinstance(call, ast.Call) else ""
        if outer.arg == "default" and function.endswith("add_argument") and isinstance(call, ast.Call):
            return "option", _first_text(call), function, outer
        return "keyword", outer.arg or "", function, outer

    def _default(
        self, arguments: ast.arguments, inner: ast.AST, above: list[ast.AST]
    ) -> tuple[str, str, str, ast.AST]:
        plain = [*arguments.posonlyargs, *arguments.args]
        named = dict(
            zip(
                [id(one) for one in arguments.defaults],
                plain[::-1][: len(arguments.defaults)][::-1],
                strict=True,
            )
        )
        named |= {
            id(value): one
            for one, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
            if value
        }
        function = next(
            (one for one in above if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)), None
        )
        after = above[above.index(function) + 1 :] if function is not None else []
        cls = next((one for one in after if isinstance(one, ast.ClassDef)), None)
        owner = function.name if function is not None else "lambda"
        if cls is not None:
            owner = cls.name if owner == "__init__" else f"{cls.name}.{owner}"
        parameter = named.get(id(inner))
        return "default", parameter.arg if parameter is not None else "", owner, inner

    def _assigned(
        self, outer: Any, alone: bool, above: list[ast.AST], at: int
    ) -> tuple[str, str, str, ast.AST]:
        target = outer.targets[0] if isinstance(outer, ast.Assign) else outer.target
        if isinstance(target, ast.Tuple) and 0 <= at < len(target.elts) == len(outer.value.elts):
            target, alone = target.elts[at], True
        name = self._source(target)
        body = next(
            (one for one in above if isinstance(one, ast.FunctionDef | ast.ClassDef | ast.Module)), None
        )
        owner = body.name if isinstance(body, ast.ClassDef | ast.FunctionDef) else ""
        if isinstance(body, ast.ClassDef):
            return "field", name, owner, outer
        return "variable", name if alone else "", owner, outer

    @staticmethod
    def _target(above: list[ast.AST]) -> str:
        outer = next((one for one in above if isinstance(one, ast.Assign)), None)
        return ast.unparse(outer.targets[0]) if outer is not None else ""


def _place(row: ast.AST, node: ast.expr) -> int:
    """Return the place of a number in a row; -1 where it is none of its entries."""
    entries = row.elts if isinstance(row, ast.Tuple | ast.List) else []
    return next((at for at, one in enumerate(entries) if one is node), -1)


def _keys_of(inner: ast.AST, above: Sequence[ast.AST]) -> str:
    """Return the keys under which a dictionary stands in others that are written around it, as it is read."""
    keys = ""
    for outer in above:
        if isinstance(outer, ast.Dict):
            pairs = zip(outer.keys, outer.values, strict=True)
            key = next((key for key, value in pairs if value is inner), None)
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                keys = f'["{key.value}"]{keys}'
            inner = outer
        elif not isinstance(outer, ast.expr):
            break
    return keys


def _is_fallback(call: ast.Call, node: ast.AST) -> bool:
    """Tell whether an argument is what a call returns where an entry of the name before it is missing."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    keyed = name in _LOOKING_UP and len(call.args) == (3 if name == "getattr" else 2)
    key = call.args[-2] if keyed else None
    return keyed and call.args[-1] is node and isinstance(key, ast.Constant) and isinstance(key.value, str)


def _first_text(call: ast.Call) -> str:
    texts = [one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return next((text for text in texts if text.startswith("--")), texts[0] if texts else "")


def remembering(text: str, file: str, literals: list[Literal]) -> ast.Module:
    """Return a source as a tree whose integers remember their literals.

    Args:
        text: the source.
        file: its path.
        literals: the literals of all files so far; those of this one are added.

    Raises:
        SyntaxError: if it is no Python.

    Example:
        >>> found = []
        >>> tree = remembering("def net(width=32): return width * 4", "net.py", found)
        >>> [(one.role, one.name, one.owner, one.code) for one in found]
        [('default', 'width', 'net', '32'), ('part', '', '', 'width * 4')]
    """
    tree = _Reading(text, file, literals).visit(ast.parse(text))
    return ast.fix_missing_locations(tree)  # type: ignore[no-any-return]  # a module again


def install(literals: Sequence[Literal]) -> None:
    """Make the names of literals known to every module of this process.

    Args:
        literals: the literals.
    """
    setattr(builtins, _COUNT, counted)
    setattr(builtins, _CALL, called)
    setattr(builtins, _REAL, functools.partial(Real, parts=()))
    for site, literal in enumerate(literals):
        origin = Origin(literal.value, "literal", site, file=literal.file, line=literal.line)
        setattr(builtins, _NAME.format(site), Number(literal.value, origin))


def numbers_in(values: Any, depth: int = 3) -> Iterator[Number]:
    """Yield the numbers that remember among arguments, those in lists and tuples included.

    Args:
        values: the arguments.
        depth: how deep they may lie.
    """
    for value in values:
        if isinstance(value, Number):
            yield value
        elif type(value) in (list, tuple) and depth:
            yield from numbers_in(value, depth - 1)
