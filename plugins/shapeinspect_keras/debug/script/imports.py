"""How a script writes what it imports, and what an edit has to import besides."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property

from shapeinspect_keras.debug.script.program import Program, Replacement

#: Modules of one content, by the name of the first; and what is imported where a script has none of them.
_ALIKE = {
    "keras.layers": ("keras.layers", "tensorflow.keras.layers"),
    "keras.ops": ("keras.ops", "tensorflow.keras.ops"),
    "keras.utils": ("keras.utils", "tensorflow.keras.utils"),
    "tensorflow": ("tensorflow",),
    "numpy": ("numpy",),
}
_STATEMENTS = {
    "keras.layers": ("import keras", "keras.layers"),
    "keras.ops": ("import keras", "keras.ops"),
    "keras.utils": ("import keras", "keras.utils"),
    "tensorflow": ("import tensorflow as tf", "tf"),
    "numpy": ("import numpy as np", "np"),
}
#: Something of a module as a script writes it, and the edits that import it where the script does not.
Written = tuple[str, tuple[Replacement, ...]]


class Imports:
    """The imports of a script, and how it writes what it has of them.

    Args:
        program: the script.
    """

    def __init__(self, program: Program) -> None:
        self.program = program

    @cached_property
    def _bound(self) -> dict[str, str]:
        """What is imported at the top of the script, by its full name, and how it is written there."""
        found: dict[str, str] = {}
        for node in self._statements:
            for alias in node.names:
                if isinstance(node, ast.ImportFrom):
                    found.setdefault(f"{node.module}.{alias.name}", alias.asname or alias.name)
                elif alias.asname:
                    found.setdefault(alias.name, alias.asname)
                else:  # `import keras.layers` binds "keras"
                    found.setdefault(alias.name.partition(".")[0], alias.name.partition(".")[0])
        return found

    @cached_property
    def _statements(self) -> list[ast.Import | ast.ImportFrom]:
        return [node for node in self.program.tree.body if isinstance(node, ast.Import | ast.ImportFrom)]

    def prefix(self, module: str) -> str | None:
        """Return how the script writes a module; None where it cannot with what it imports.

        Args:
            module: its full name, such as ``keras.ops``.

        Example:
            >>> Imports(Program("a.py", "import tensorflow as tf")).prefix("keras.layers")
            'tf.keras.layers'
        """
        return min(self._written(module), key=len, default=None)

    def _written(self, module: str) -> Iterator[str]:
        for full in _ALIKE[module]:
            outer = full
            while outer:
                if outer in self._bound:
                    yield self._bound[outer] + full[len(outer) :]
                outer = outer.rpartition(".")[0]

    def name(self, module: str, name: str) -> Written:
        """Return how the script writes something of a module, and the edits that import it where it does not.

        Args:
            module: the module's full name.
            name: the function or class.

        Example:
            >>> script = Program("a.py", "from keras.layers import Dense")
            >>> text, edits = Imports(script).name("keras.layers", "GRU")
            >>> text, [edit.text for edit in edits]
            ('GRU', ['Dense, GRU'])
        """
        modules = _ALIKE[module]
        own = next(
            (self._bound[f"{full}.{name}"] for full in modules if f"{full}.{name}" in self._bound), None
        )
        if own is not None:
            return own, ()
        written = self.prefix(module)
        if written is not None:
            return f"{written}.{name}", ()
        for node in self._statements:
            if isinstance(node, ast.ImportFrom) and node.module in modules and not node.level:
                last = node.names[-1]
                if last.name == "*":
                    return name, ()
                return name, (Replacement(last, f"{self.program.source(last)}, {name}"),)
        statement, written = _STATEMENTS[module]
        first = next((node for node in self._statements if getattr(node, "module", "") != "__future__"), None)
        if first is None:
            return f"{written}.{name}", ()
        return f"{written}.{name}", (Replacement(first, f"{statement}; {self.program.source(first)}"),)
