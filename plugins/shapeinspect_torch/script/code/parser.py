"""Parses the code of TorchScript into small trees; it is never compiled and never run.

Source: ``torch/csrc/jit/serialization/python_print.cpp``, the writer of the code: assignments, ``if``,
``for``, ``while`` and ``return``, and expressions of calls, attributes, subscripts and literals.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shapeinspect_torch.script.code.source import Source as Code

_TOKEN = re.compile(
    r"\s*(?:(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')|(\d{1,30}(?:\.\d{0,30})?(?:e[-+]?\d{1,3})?)|([A-Za-z_]\w*)"
    r"|(->|\*\*|//|==|!=|<=|>=|<<|>>|[-+*/%()\[\]{},.:=<>&|^~]))"
)
#: What parts a list of parameters; a mark inside a text is none.
_MARK = re.compile(r"\"(?:[^\"\\]|\\.)*\"?|'(?:[^'\\]|\\.)*'?|[\[\](),]")
_MAX_LINE = 200_000
#: Lines that are parsed of all functions of an archive; a scripted network has a few thousand.
MAX_LINES = 60_000
_MAX_DEPTH = 60
_SIMPLE = {"pass", "break", "continue"}


class CodeError(Exception):
    """The code is not TorchScript's, or is nested too deeply."""


@dataclass(frozen=True, slots=True)
class Expr:
    """An expression.

    Args:
        form: ``name``, ``literal``, ``list``, ``tuple``, ``dict`` (keys and values in turn), ``attribute``,
            ``call``, ``item``, ``keyword`` or ``other``.
        text: the name, attribute or keyword.
        parts: the expressions inside; the callee or container comes first.
        value: a literal's value.
    """

    form: str
    text: str = ""
    parts: tuple[Expr, ...] = ()
    value: object = None


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement and the statements indented below it.

    Args:
        form: ``assign``, ``set`` (an attribute), ``do``, ``return``, ``if``, ``for``, ``while`` or ``pass``.
        names: the names that are assigned, or the loop variable.
        expr: its expression: the value, the condition, or the iterable of a loop.
        body: the statements inside.
        other: those of ``else``.
    """

    form: str
    names: tuple[str, ...] = ()
    expr: Expr | None = None
    body: tuple[Statement, ...] = ()
    other: tuple[Statement, ...] = ()


@dataclass(slots=True)
class Function:
    """A function or method.

    Args:
        parameters: the names of its parameters, and whether each is a tensor.
        body: its statements.
        defaults: the defaults of its parameters that are literals.
        lines: the lines of its body.
    """

    parameters: list[tuple[str, bool]] = field(default_factory=list)
    body: tuple[Statement, ...] = ()
    defaults: dict[str, object] = field(default_factory=dict)
    lines: int = 0


def starts(text: str, indent: int) -> dict[str, int]:
    r"""Return the offset of the parameters of every function of a class or file.

    Args:
        text: the code of the class, or of the file.
        indent: the indentation of each ``def``.

    Example:
        >>> starts("def f(x):\n  return x\n", 0)
        {'f': 6}
    """
    definitions = re.finditer(rf"^{' ' * indent}def (\w+)\(", text, re.MULTILINE)
    every = [(match[1], match.end()) for match in definitions]
    return dict(reversed(every))  # the first function of each name


class Functions:
    """The functions of one archive, each parsed once.

    Args:
        code: the code of its classes.
    """

    def __init__(self, code: Code) -> None:
        self._code = code
        self._functions: dict[tuple[str, str], Function | None] = {}
        self._starts: dict[tuple[str, int], Mapping[str, int]] = {}
        self._left = MAX_LINES

    def find(self, class_name: str, name: str, indent: int) -> Function | None:
        """Return a method of a class, or a function of the file that defines it; None if there is none.

        Args:
            class_name: the class, with the module that defines it.
            name: the function's name.
            indent: the indentation of its ``def``: 2 for a method, 0 for a function.

        Raises:
            CodeError: if it cannot be parsed.
        """
        key = class_name, name
        if key not in self._functions:
            text = self._code.text(class_name) if indent else self._code.module(class_name)
            if (class_name, indent) not in self._starts:
                self._starts[class_name, indent] = starts(text, indent)
            function = find_function(text, name, indent, self._starts[class_name, indent], self._left)
            self._left -= 0 if function is None else function.lines
            self._functions[key] = function
        return self._functions[key]


def find_function(
    text: str, name: str, indent: int, known: Mapping[str, int] | None = None, most: int = MAX_LINES
) -> Function | None:
    r"""Parse one function of a class or file.

    Args:
        text: the code of the class, or of the file.
        name: the function's name.
        indent: the indentation of its ``def``.
        known: the result of :func:`starts` for the text, where it was called before.
        most: how many lines it may have.

    Raises:
        CodeError: if it cannot be parsed.

    Example:
        >>> function = find_function("def f(x: Tensor) -> Tensor:\n  return torch.relu(x)\n", "f", 0)
        >>> function.parameters, function.body[0].expr.form
        ([('x', True)], 'call')
    """
    space = " " * indent
    start = (starts(text, indent) if known is None else known).get(name)
    if start is None:
        return None
    end = text.find(":\n", start, start + _MAX_LINE)
    # Colons in the signature are followed by a type, never by the end of a line.
    if end < 0 or f"\n{space}def " in text[start:end]:
        raise CodeError
    parameters, defaults = _parameters(text[start:end])
    rest = re.compile(rf"^(?!{space}  )(?=.*\S)", re.MULTILINE).search(text, end + 2)
    body = text[end + 2 : rest.start() if rest is not None else len(text)]
    lines = [line for line in reversed(body.split("\n")) if line.strip()]
    count = len(lines)
    if count > most:
        raise CodeError
    return Function(parameters, _block(lines, indent + 2, 0), defaults, count)


def _parameters(text: str) -> tuple[list[tuple[str, bool]], dict[str, object]]:
    parameters = []
    defaults = {}
    for part in _split(text.rpartition(")")[0] if ")" in text else text):
        name, _, type_ = part.partition(":")
        kind, is_given, default = type_.partition("=")
        if name.strip():
            parameters.append((name.strip(), kind.strip() in ("Tensor", "Optional[Tensor]", "")))
        expr = _default(default) if is_given else None
        if expr is not None and expr.form == "literal":
            defaults[name.strip()] = expr.value
    return parameters, defaults


def _default(text: str) -> Expr | None:
    try:
        return _expression(text)
    except CodeError:
        return None


def _split(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for match in _MARK.finditer(text):
        depth += (match[0] in "[(") - (match[0] in "])")
        if match[0] == "," and depth == 0:
            parts.append(text[start : match.start()])
            start = match.end()
    return [*parts, text[start:]]


def _block(lines: list[str], indent: int, depth: int) -> tuple[Statement, ...]:
    """Parse the lines of one indentation; they are popped from the end of the list."""
    if depth > _MAX_DEPTH:
        raise CodeError
    statements: list[Statement] = []
    while lines:
        line = lines[-1]
        here = len(line) - len(line.lstrip(" "))
        if here < indent:
            break
        if here > indent or len(line) > _MAX_LINE:
            raise CodeError
        lines.pop()
        statements.append(_statement(line.strip(), lines, indent, depth))
    return tuple(statements)


def _statement(text: str, lines: list[str], indent: int, depth: int) -> Statement:
    if text in _SIMPLE:
        return Statement("pass")
    word = text.split(" ", 1)[0].rstrip(":")
    if word in ("if", "while") and text.endswith(":"):
        condition = _expression(text[len(word) : -1])
        body = _block(lines, indent + 2, depth + 1)
        otherwise: tuple[Statement, ...] = ()
        if word == "if" and lines and lines[-1] == " " * indent + "else:":
            lines.pop()
            otherwise = _block(lines, indent + 2, depth + 1)
        return Statement(word, expr=condition, body=body, other=otherwise)
    if word == "for" and text.endswith(":"):
        name, middle, rest = text[4:-1].partition(" in ")
        if not middle:
            raise CodeError
        return Statement("for", (name.strip(),), _expression(rest), _block(lines, indent + 2, depth + 1))
    if word == "return":
        return Statement("return", expr=_expression(text[6:]) if text[6:].strip() else None)
    if word in ("assert", "def", "class", "with", "lambda"):
        raise CodeError
    return _assignment(text)


_TARGETS = re.compile(r"([A-Za-z_]\w*(?: ?, ?[A-Za-z_]\w*)* ?,?) ?(?::[^=]{1,2000})?=(?!=)")
_SETTING = re.compile(r"[A-Za-z_]\w*(?:\.\w+)+ ?=(?!=)")


def _assignment(text: str) -> Statement:
    if _SETTING.match(text):
        target, _, given = text.partition("=")
        return Statement("set", tuple(target.strip().split(".")), _expression(given))
    match = _TARGETS.match(text)
    if match is None:
        return Statement("do", expr=_expression(text))
    written = match.group(1)
    names = tuple(name.strip() for name in written.split(",") if name.strip())
    # "a, = x" unpacks a tuple of one, "a = x" does not.
    several = ("unpack",) if "," in written else ()
    value = _expression(text[match.end() :], several=bool(several))
    return Statement("assign", (*several, *names) if several else names, value)


def _expression(text: str, *, several: bool = False) -> Expr:
    tokens: list[tuple[int, str]] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise CodeError
        tokens.append((match.lastindex or 0, match.group(match.lastindex or 0)))
        position = match.end()
    tokens.reverse()
    parser = _Parser(tokens)
    expressions = [parser.expression(0)]
    while several and parser.take(","):
        expressions.append(parser.expression(0))
    if parser.tokens:
        raise CodeError
    return expressions[0] if len(expressions) == 1 else Expr("tuple", parts=tuple(expressions))


class _Parser:
    def __init__(self, tokens: list[tuple[int, str]]) -> None:
        self.tokens = tokens

    def take(self, *marks: str) -> bool:
        if self.tokens and self.tokens[-1][0] == 4 and self.tokens[-1][1] in marks:
            self.tokens.pop()
            return True
        return False

    def expression(self, depth: int) -> Expr:
        if depth > _MAX_DEPTH:
            raise CodeError
        left = self._unary(depth)
        while self.tokens and (self.tokens[-1][0], self.tokens[-1][1]) in _BINARY:
            self.tokens.pop()
            left = Expr("other", parts=(left, self._unary(depth)))
        return left

    def _unary(self, depth: int) -> Expr:
        if self.take("-"):
            inner = self._postfix(depth)
            if inner.form == "literal" and type(inner.value) in (int, float):
                return Expr("literal", value=-inner.value)  # type: ignore[operator]  # a number, as checked
            return Expr("other", parts=(inner,))
        if self.take("~"):
            return Expr("other", parts=(self._postfix(depth),))
        if self.tokens and self.tokens[-1] == (3, "not"):
            self.tokens.pop()
            return Expr("other", parts=(self._postfix(depth),))
        return self._postfix(depth)

    def _postfix(self, depth: int) -> Expr:
        expression = self._atom(depth)
        while True:
            if self.take("."):
                expression = Expr("attribute", self._name(), (expression,))
            elif self.take("("):
                expression = Expr("call", parts=(expression, *self._items(")", depth)))
            elif self.take("["):
                expression = Expr("item", parts=(expression, *self._items("]", depth)))
            else:
                return expression

    def _name(self) -> str:
        if not self.tokens or self.tokens[-1][0] != 3:
            raise CodeError
        return self.tokens.pop()[1]

    def _items(self, close: str, depth: int) -> Sequence[Expr]:
        items: list[Expr] = []
        while not self.take(close):
            if self.take(":"):  # in a dict or a slice: both sides are kept
                continue
            item = self.expression(depth + 1)
            if item.form == "name" and self.take("="):
                item = Expr("keyword", item.text, (self.expression(depth + 1),))
            items.append(item)
            if not self.take(",", ":") and not (self.tokens and self.tokens[-1] == (4, close)):
                raise CodeError
        return items

    def _atom(self, depth: int) -> Expr:
        if self.take("("):
            items = self._items(")", depth)
            # "(x)" and "(x,)" differ in their use: a method is called on the first.
            return items[0] if len(items) == 1 else Expr("tuple", parts=tuple(items))
        if self.take("["):
            return Expr("list", parts=tuple(self._items("]", depth)))
        if self.take("{"):
            return Expr("dict", parts=tuple(self._items("}", depth)))
        if not self.tokens:
            raise CodeError
        kind, text = self.tokens.pop()
        if kind == 1:
            return Expr("literal", value=text[1:-1])
        if kind == 2:
            return Expr("literal", value=int(text) if text.isdigit() else float(text))
        if kind == 3:
            return _WORDS.get(text) or Expr("name", text)
        raise CodeError


_WORDS = {
    "True": Expr("literal", value=True),
    "False": Expr("literal", value=False),
    "None": Expr("literal", value=None),
}
_BINARY = frozenset({
    *((4, mark) for mark in ("+", "-", "*", "/", "//", "%", "**", "<", ">", "<=", ">=", "==", "!=", "&", "|",
                             "^", "<<", ">>")),
    *((3, word) for word in ("and", "or", "is", "in")),
})  # fmt: skip
