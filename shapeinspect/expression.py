"""One bounded reader of the expressions that lengths are written as, such as ``floor(H/2 - 1/2) + 1``.

A language names the operators, the functions and the spellings of names that its texts may hold, and says
what each computes. A text is compiled once to a list of steps, which a loop evaluates.

=====================  =================================================================
what a text may hold   and what more is refused
=====================  =================================================================
characters             20,000
tokens                 as many as its language takes, 400 by default
digits of a number     19, those of the largest 64-bit integer
depth                  100 parentheses, calls, signs and powers within each other
=====================  =================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, Literal, NoReturn, TypeAlias, TypeVar

T = TypeVar("T")

_CHARACTERS, _DIGITS, _DEPTH = 20_000, 19, 100
_TOKEN = re.compile(
    r"(?P<space>\s*)(?:(?P<number>\d+)|(?P<name>[^\W\d][\w.]*)|'(?P<quoted>[\w.]{1,100})'"
    r"|(?P<sign>\*\*|//|[-+*/%(),=]))"
)
#: Tighter binding has a higher number; a leading minus is between products and powers.
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "%": 2, "**": 3}
_OPERANDS = ("number", "name", "quoted")


class ExpressionError(ValueError):
    """A text is not an expression of a language.

    Args:
        reason: why; the text of the error adds the position.
        position: the index of the offending character.
        expected: what would be valid there.
    """

    def __init__(self, reason: str, position: int, expected: str = "") -> None:
        super().__init__(f"{reason} at character {position + 1}{expected and f', not one of {expected}'}")
        self.position = position


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an evaluation: it takes its arguments from a stack, and puts its result there.

    Args:
        kind: what it does.
        value: the number, or the name of the symbol, the operator or the function.
        arguments: the number of values it takes.
    """

    kind: Literal["number", "name", "operator", "negative", "function"]
    value: int | str
    arguments: int = 0


@dataclass(frozen=True)
class Expression:
    """A compiled text.

    Args:
        steps: in the order of their evaluation.
    """

    steps: tuple[Step, ...]

    def values(self, kind: str) -> tuple[int | str, ...]:
        """Return the values of all steps of a kind, in their order.

        Args:
            kind: as in :class:`Step`.
        """
        return tuple(step.value for step in self.steps if step.kind == kind)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names in it, each as often as it occurs."""
        return tuple(map(str, self.values("name")))

    @cached_property
    def only_name(self) -> str | None:
        """The name, if the expression is nothing else."""
        return self.names[0] if len(self.steps) == 1 and self.names else None


_Token: TypeAlias = "tuple[str, str, int]"


@dataclass(frozen=True)
class Language(Generic[T]):
    """The syntax of one source's expressions, and what it computes.

    Args:
        number: turns an integer into a value.
        operators: what each operator computes; others are refused.
        negative: what a leading minus computes; None if there is none.
        functions: each function's number of arguments, None for one or more, and what it computes.
        constructor: a function whose quoted argument is a name, as in SymPy's ``Symbol('s0', integer=True)``.
        juxtaposed: whether a space between two operands multiplies.
        tokens: the largest number of tokens.

    Example:
        >>> import operator
        >>> integers = Language(int, {"+": operator.add, "*": operator.mul}, functions={"max": (2, max)})
        >>> integers.evaluate(integers.read("2*max(n, 3) + 1"), {"n": 5}.__getitem__)
        11
        >>> integers.read("2*(n + 1")
        Traceback (most recent call last):
        shapeinspect.expression.ExpressionError: unclosed parenthesis at character 3
    """

    number: Callable[[int], T]
    operators: Mapping[str, Callable[[T, T], T]]
    negative: Callable[[T], T] | None = None
    functions: Mapping[str, tuple[int | None, Callable[..., T]]] = field(default_factory=dict)
    constructor: str = ""
    juxtaposed: bool = False
    tokens: int = 400

    @property
    def calls(self) -> bool:
        """Whether a name before a parenthesis is a function."""
        return bool(self.functions or self.constructor)

    def read(self, text: str, start: int = 0) -> Expression:
        """Compile a text.

        Args:
            text: the text.
            start: the index of the character at which the expression begins.

        Raises:
            ExpressionError: if it is not an expression of this language.
        """
        return _Reader(self, text, start).read()

    def evaluate(self, expression: Expression, name: Callable[[str], T]) -> T:
        """Evaluate an expression.

        Args:
            expression: what :meth:`read` returned.
            name: returns the value of a name.
        """
        stack: list[T] = []
        for step in expression.steps:
            if step.kind == "number":
                stack.append(self.number(int(step.value)))
                continue
            if step.kind == "name":
                stack.append(name(str(step.value)))
                continue
            if step.kind == "operator":
                right = stack.pop()
                stack.append(self.operators[str(step.value)](stack.pop(), right))
                continue
            arguments = stack[len(stack) - step.arguments :]
            del stack[len(stack) - step.arguments :]
            stack.append(self._function(step)(*arguments))
        return stack.pop()

    def _function(self, step: Step) -> Callable[..., T]:
        if step.kind == "negative" and self.negative is not None:
            return self.negative
        return self.functions[str(step.value)][1]


class _Reader(Generic[T]):
    """Reads by operator precedence; the steps are in the order of evaluation."""

    def __init__(self, language: Language[T], text: str, start: int) -> None:
        self._language = language
        self._end = len(text)
        self._steps: list[Step] = []
        self._depth = 0
        #: The tokens left to read, the next one last.
        self._tokens = _tokens(language, text, start)[::-1]

    def read(self) -> Expression:
        self._operation(0)
        if self._tokens:
            self._refuse()
        return Expression(tuple(self._steps))

    def _refuse(self) -> NoReturn:
        if not self._tokens:
            raise ExpressionError("incomplete expression", self._end)
        _, text, position = self._tokens[-1]
        raise ExpressionError(f"unexpected {text!r}", position)

    def _next(self, sign: str) -> bool:
        """Take a sign if it is the next token."""
        if self._tokens and self._tokens[-1][:2] == ("sign", sign):
            self._tokens.pop()
            return True
        return False

    def _operation(self, lowest: int) -> None:
        """Read operands joined by operators of at least some precedence."""
        self._operand()
        while self._tokens:
            kind, sign, position = self._tokens[-1]
            precedence = _PRECEDENCE.get(sign, -1) if kind == "sign" else -1
            if precedence < max(lowest, 1) or sign not in self._language.operators:
                return
            self._tokens.pop()
            if sign == "**":
                self._nested(position, precedence)
            else:
                self._operation(precedence + 1)
            if sign in ("/", "//", "%") and self._steps[-1] == Step("number", 0):
                raise ExpressionError("division by 0", position)
            self._steps.append(Step("operator", sign, 2))

    def _nested(self, position: int, lowest: int) -> None:
        """Read an expression nested in another one."""
        self._depth += 1
        if self._depth > _DEPTH:
            raise ExpressionError(f"more than {_DEPTH} levels", position)
        self._operation(lowest)
        self._depth -= 1

    def _operand(self) -> None:
        if not self._tokens:
            self._refuse()
        kind, text, position = self._tokens[-1]
        if kind == "number":
            self._tokens.pop()
            self._steps.append(Step("number", int(text)))
        elif kind == "name":
            self._tokens.pop()
            if not self._language.calls or not self._next("("):
                self._steps.append(Step("name", text))
            elif text == self._language.constructor:
                self._named()
            else:
                self._call(text, position)
        elif self._next("("):
            self._nested(position, 0)
            self._close(position)
        elif self._language.negative is not None and self._next("-"):
            self._nested(position, _PRECEDENCE["**"])
            self._steps.append(Step("negative", "-", 1))
        else:
            self._refuse()

    def _close(self, opened: int) -> None:
        if self._next(")"):
            return
        if self._tokens:
            self._refuse()
        raise ExpressionError("unclosed parenthesis", opened)

    def _call(self, function: str, position: int) -> None:
        if function not in self._language.functions:
            raise ExpressionError(f"unknown function {function!r}", position)
        count = 1
        self._nested(position, 0)
        while self._next(","):
            self._nested(position, 0)
            count += 1
        self._close(position)
        wanted = self._language.functions[function][0]
        if wanted not in (None, count):
            raise ExpressionError(f"{function} takes {wanted} arguments, not {count},", position)
        self._steps.append(Step("function", function, count))

    def _named(self) -> None:
        """Read ``'s0', positive=True)``: the assumptions about a symbol do not affect its value."""
        if not self._tokens or self._tokens[-1][0] != "quoted":
            self._refuse()
        self._steps.append(Step("name", self._tokens.pop()[1]))
        while not self._next(")"):
            if not self._tokens or self._tokens[-1][1] == "(":
                self._refuse()
            self._tokens.pop()


def _tokens(language: Language[T], text: str, start: int) -> list[_Token]:
    """Split a text into tokens, each with its kind and its position."""
    if len(text) > _CHARACTERS:
        raise ExpressionError("too long", _CHARACTERS)
    tokens: list[_Token] = []
    index, end = start, len(text.rstrip())
    while index < end:
        match = _TOKEN.match(text, index)
        if match is None:
            position = index + len(text[index:end]) - len(text[index:end].lstrip())
            signs = " ".join((*language.operators, "(", ")"))
            raise ExpressionError(f"unexpected {text[position]!r}", position, signs)
        kind = str(match.lastgroup)
        token = match.group(kind), match.start(kind)
        if kind == "number" and len(token[0]) > _DIGITS:
            raise ExpressionError(f"a number of more than {_DIGITS} digits", token[1])
        if tokens and _adjacent(tokens[-1], kind, token[0], language.calls):
            if not (language.juxtaposed and match["space"]):
                raise ExpressionError(f"no operator between {tokens[-1][1]!r} and {token[0]!r}", token[1])
            tokens.append(("sign", "*", token[1]))
        tokens.append((kind, *token))
        if len(tokens) > language.tokens:
            raise ExpressionError(f"more than {language.tokens} names and signs", token[1])
        index = match.end()
    return tokens


def _adjacent(before: _Token, kind: str, text: str, calls: bool) -> bool:
    """Tell whether two operands follow each other; a name before a parenthesis may be a function."""
    if before[0] not in _OPERANDS and before[1] != ")":
        return False
    return kind in _OPERANDS or (text == "(" and not (calls and before[0] == "name"))
