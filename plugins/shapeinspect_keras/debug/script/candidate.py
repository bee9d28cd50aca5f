"""One edit of a script that is worth trying."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from shapeinspect.plugin_api.user_code.source import defaults_of
from shapeinspect_keras.debug.script.clues import Clues
from shapeinspect_keras.debug.script.imports import Imports, Written
from shapeinspect_keras.debug.script.program import Program, Replacement
from shapeinspect_keras.debug.script.reach import FAR, Reach
from shapeinspect_keras.debug.script.running import Seen, Shaped, numbered

#: The functions of whose arrays are in which module.
_MODULES = {"numpy": "numpy", "tensorflow": "tensorflow"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """An edit.

    Args:
        replacements: the parts of the script, and what to write there.
        prior: how unlikely it is; small numbers are tried first.
        cause: what is wrong if it helps, a key of the core's causes; empty where it does not say it.
        why: the same in the words of the script, a sentence without a period; empty for nothing.
        alters: what it changes of the program's meaning; empty for nothing.
        fact: whether `why` is true and says what is wrong, whatever becomes of the edit.
    """

    replacements: tuple[Replacement, ...]
    prior: float
    cause: str = ""
    why: str = ""
    alters: str = ""
    fact: bool = False


@dataclass(frozen=True)
class Scene:
    """A failed run of a script.

    Args:
        program: the script.
        seen: what its expressions were.
        clues: the numbers of the failure.
        reach: how far its statements are from the failure.
        message: the framework's words.
        weighted: the shapes of a loss's values and of the weights of the samples, where these do not fit.
    """

    program: Program
    seen: Seen
    clues: Clues
    reach: Reach
    message: str
    weighted: tuple[tuple[int | None, ...], tuple[int | None, ...]] | None = None

    @cached_property
    def numbers(self) -> dict[ast.AST, int]:
        """The number of each expression."""
        return numbered(self.program)

    @cached_property
    def near(self) -> list[ast.AST]:
        """The nodes that the failure may come from."""
        return [
            node
            for node in ast.walk(self.program.tree)
            if isinstance(node, ast.expr | ast.keyword) and self.reach.of(node) < FAR
        ]

    def far(self, node: ast.AST) -> float:
        """Return what the distance of a node counts: the first steps more than those behind.

        Args:
            node: the node.
        """
        distance = self.reach.of(node)
        return 0.5 * min(distance, 2) + 0.15 * max(distance - 2, 0)

    @cached_property
    def functions(self) -> frozenset[str]:
        """The names of the functions that the script defines."""
        nodes = ast.walk(self.program.tree)
        return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef))

    @cached_property
    def imports(self) -> Imports:
        """What the script imports."""
        return Imports(self.program)

    def layer(self, name: str) -> Written:
        """Return how the script writes a layer, and the edits that import it where it does not.

        Args:
            name: the class.
        """
        return self.imports.name("keras.layers", name)

    def function(self, kind: str, name: str) -> Written:
        """Return how the script writes a function of arrays, and the edits that import it where it does not.

        Args:
            kind: whose arrays it takes, as :meth:`kind` has it: NumPy's, TensorFlow's, else those of Keras.
            name: the function.
        """
        return self.imports.name(_MODULES.get(kind, "keras.ops"), name)

    @cached_property
    def spatial(self) -> bool:
        """Whether the failure is about arrays with more axes than samples and features."""
        return any(len(shape) > 2 for shape in self.clues.shapes) or "egative" in self.message

    def values(self, node: ast.AST) -> list[Any]:
        """Return what an expression has been, the latest last.

        Args:
            node: the expression.
        """
        return self.seen.values.get(self.numbers.get(node, -1), [])

    def value(self, node: ast.AST) -> Any:
        """Return what an expression was last, or is where it is a constant; None where that is not known.

        Args:
            node: the expression.
        """
        return node.value if isinstance(node, ast.Constant) else (self.values(node) or [None])[-1]

    def shape(self, node: ast.AST) -> tuple[int | None, ...] | None:
        """Return the latest shape of an expression; None where it is no array.

        Args:
            node: the expression.
        """
        return next((item.shape for item in reversed(self.values(node)) if isinstance(item, Shaped)), None)

    def kind(self, node: ast.AST) -> str:
        """Return whose array an expression was; empty where it is none.

        Args:
            node: the expression.
        """
        return next((item.kind for item in reversed(self.values(node)) if isinstance(item, Shaped)), "")

    def extended(self, call: ast.Call, argument: str) -> str:
        """Return the source of a call with one more argument.

        Args:
            call: the call.
            argument: the argument, ``name=value``.
        """
        inner = self.program.source(call).rstrip()[:-1].rstrip().rstrip(",")
        return f"{inner}{'' if inner.endswith('(') else ', '}{argument})"

    def at(self, node: ast.AST) -> str:
        """Return the line of a node: ``line 12``.

        Args:
            node: the node.
        """
        return f"line {getattr(node, 'lineno', 0)}"

    def text(self, node: ast.AST) -> str:
        """Return the source of a node on one line, cut short where it is long.

        Args:
            node: the node.
        """
        return self.program.short(node)


Operator = Callable[[Scene], Iterator[Candidate]]


def default_of(arguments: ast.arguments, node: ast.AST) -> str:
    """Return the argument whose default a node is; empty for none.

    Args:
        arguments: those of a function.
        node: the node.

    Example:
        >>> given = ast.parse("def build(width, depth=3, *, rate=7): pass").body[0].args
        >>> [default_of(given, node) for node in (*given.defaults, *given.kw_defaults)]
        ['depth', 'rate']
    """
    return next((name for name, value in defaults_of(arguments).items() if value is node), "")


def show(shape: tuple[int | None, ...]) -> str:
    """Write a shape.

    Args:
        shape: its lengths, None for an open one.

    Example:
        >>> show((None, 3)), show((7,))
        ('(?, 3)', '(7,)')
    """
    lengths = ["?" if length is None else str(length) for length in shape]
    return f"({lengths[0]},)" if len(lengths) == 1 else f"({', '.join(lengths)})"
