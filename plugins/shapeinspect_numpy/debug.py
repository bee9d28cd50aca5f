"""Explains what NumPy refuses in the user's own lines, before a model sees anything."""

from __future__ import annotations

import ast
import re
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from types import BuiltinFunctionType, FunctionType
from typing import Any

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Value
from shapeinspect.plugin_api.arrays.numpy_text import IN_NUMPY, in_numpy
from shapeinspect.plugin_api.arrays.statement import ArrayStatement
from shapeinspect.plugin_api.facts import Explained
from shapeinspect.plugin_api.rerun import Debugger, Recorded, Rerun
from shapeinspect.plugin_api.rewriting import Rewriting, outside
from shapeinspect.plugin_api.user_code.frames import traceback_frames, user_line
from shapeinspect.plugin_api.user_code.source import UserSource, called_from, callee_of, user_source
from shapeinspect.plugin_api.user_code.statement_edits import Dialect
from shapeinspect.plugin_api.user_code.statement_runs import Arrays
from shapeinspect.sources.source import Source
from shapeinspect_numpy.edit_words import WORDS

_PACKAGES = ("numpy", "shapeinspect_numpy")
#: What NumPy says of shapes.
_OF_SHAPES = re.compile(
    r"operands could not be broadcast|all the input array|all input arrays must have the same shape"
    r"|cannot reshape array|matmul: |not aligned|boolean index did not match|could not broadcast input array"
    r"|zero-dimensional arrays cannot be concatenated|axes don't match array|shape mismatch|einstein sum"
    r"|axis -?\d+ is out of bounds|arrays used as indices|is out of bounds for axis"
    r"|non-broadcastable output operand"
)
_NO_AXIS = re.compile(r"axis (-?\d+) is out of bounds for array of dimension (\d+)")
_OUTPUT = re.compile(r"output operand with shape \(([\d,]*)\) doesn't match the broadcast shape \(([\d,]*)\)")
_OUTSIDE = re.compile(r"index (-?\d+) is out of bounds for axis (\d+) with size (\d+)")
#: What functions and methods of NumPy do.
_KINDS = {
    "concatenate": "concat", "hstack": "concat", "vstack": "concat", "column_stack": "concat",
    "append": "concat", "stack": "stack", "dstack": "concat", "reshape": "reshape", "matmul": "matmul",
    "dot": "matmul",
    "einsum": "einsum", "add": "elementwise", "subtract": "elementwise", "multiply": "elementwise",
    "divide": "elementwise", "where": "elementwise", "maximum": "elementwise", "minimum": "elementwise",
    "take_along_axis": "gather",
}  # fmt: skip


class NumpyDebugger(Debugger):
    """Reads the arrays that the user's own line names."""

    packages = ("numpy",)
    words = WORDS

    def recover(self, error: BaseException, model: object | None) -> Rerun | None:
        """Find the failed operation; see ``shapeinspect.plugin_api.rerun.Debugger``."""
        del model
        if not isinstance(error, (ValueError, IndexError)) or not _OF_SHAPES.search(str(error)):
            return None
        below = called_from(error.__traceback__, _PACKAGES)
        source = user_source(error.__traceback__, _PACKAGES)
        if source is None or (below is not None and not _is_numpy(below.f_globals.get("__name__"))):
            return None
        where = user_line(traceback_frames(error.__traceback__), _PACKAGES)
        output = _OUTPUT.search(str(error))
        if output is not None:
            return _written(source, _lengths(output[1]), _lengths(output[2]), str(error), where)
        far = _OUTSIDE.search(str(error))
        if far is not None:
            index, axis, size = (int(number) for number in far.groups())
            return _indexed(source, index, axis, size, str(error), where)
        statement = ArrayStatement(source, _arrays(), _DIALECT, _KINDS, "numpy", str(error), where)
        return statement.explained() or _axis(source, str(error), where)

    def watch(self, model: object) -> AbstractContextManager[Any]:
        """Keep nothing; see ``shapeinspect.plugin_api.rerun.Debugger``."""
        del model
        return nullcontext()

    def examine(self, source: Source) -> Rerun | Recorded | None:
        """Read the arrays of a file; see ``shapeinspect.plugin_api.rerun.Debugger``."""
        from shapeinspect_numpy.adapter import ADAPTER

        model = ADAPTER.read(replace(source, inputs=()))
        return Recorded(model, Frozen(), "", None, in_numpy, computed=True, steps=frozenset(IN_NUMPY))


def _indexed(
    source: UserSource, index: int, axis: int, size: int, message: str, where: str | None
) -> Rewriting | None:
    """Explain an index of the user's own that is outside of its axis."""
    import numpy as np

    failed = source.failed
    if not isinstance(failed, ast.Subscript):
        return None
    text = source.source(failed.value)
    array = source.names.get(failed.value.id) if isinstance(failed.value, ast.Name) else None
    known = isinstance(array, np.ndarray) and array.ndim > axis and array.shape[axis] == size
    of_shape = f" of shape {tuple(array.shape)}" if known and array is not None else ""
    expected = {0: "no index: there is no entry", 1: "index 0"}.get(size, f"an index from 0 to {size - 1}")
    fact = Explained(
        "index-outside", (f"{expected} on axis {axis} of {text}",), (f"index {index}, {text}{of_shape}",)
    )
    stored = isinstance(failed.ctx, ast.Store)
    layer = Layer("setitem" if stored else "getitem", "index", "index")
    values = [Value(text, tuple(array.shape))] if known and array is not None else []
    return Rewriting(outside(layer, values, "numpy", message, where, fact))


def _lengths(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",") if part)


def _written(
    source: UserSource, had: tuple[int, ...], made: tuple[int, ...], message: str, where: str | None
) -> Rewriting:
    """Explain a result that has no place in the array in which it is written."""
    import numpy as np

    statement = source.statement
    own = statement if isinstance(statement, ast.AugAssign) else None
    values, told = [], ""
    if own is not None:
        for node in (own.target, own.value):
            value = _value(source, node)
            if isinstance(value, np.ndarray):
                values.append(Value(source.source(node), tuple(value.shape)))
        told = " and ".join(f"{value.name} of {value.shape}" for value in values) if len(values) == 2 else ""
    target = (
        f"{source.source(own.target)} has" if own is not None else "the array has, in which it is written"
    )
    fact = Explained(
        "written-in-place", (f"a result of {had}, as {target}",), (f"{told + ': ' if told else ''}{made}",)
    )
    kind = type(own.op).__name__.lower() if own is not None else "operation"
    layer = Layer(kind, "elementwise", "statement")
    return Rewriting(outside(layer, values, "numpy", message, where, fact))


def _value(source: UserSource, node: ast.AST) -> Any:
    """Look up a name or an attribute of one, without running code of the user's."""
    if isinstance(node, ast.Name):
        return source.names.get(node.id)
    if isinstance(node, ast.Attribute):
        return getattr(_value(source, node.value), "__dict__", {}).get(node.attr)
    return None


def _axis(source: UserSource, message: str, where: str | None) -> Rewriting | None:
    """Explain an axis that an array does not have."""
    found = _NO_AXIS.search(message)
    if found is None:
        return None
    axis, rank = int(found[1]), int(found[2])
    name = callee_of(source.failed) if source.failed is not None else ""
    axes = f"an axis from {-rank} to {rank - 1}" if rank else "no axis: the array is a number"
    fact = Explained("axis-outside", (axes,), (f"axis {axis}",))
    layer = Layer(name or "axis", _KINDS.get(name, "unknown"), "statement")
    return Rewriting(outside(layer, [], "numpy", message, where, fact))


def _is_numpy(module: Any) -> bool:
    return str(module).partition(".")[0] == "numpy"


def _arrays() -> Arrays:
    import numpy as np

    def harmless(function: Any) -> bool:
        kinds = (np.ufunc, FunctionType, BuiltinFunctionType, type, type(np.stack))
        home = getattr(function, "__module__", None) or ("numpy" if isinstance(function, np.ufunc) else "")
        return isinstance(function, kinds) and _is_numpy(home) and "random" not in str(home)

    return Arrays(
        lambda value: isinstance(value, np.ndarray | np.generic),
        lambda array: array.copy(),
        harmless,
        lambda name: hasattr(np.ndarray, name) and name not in ("tofile", "dump", "setflags", "resize"),
    )


def _grown(text: str, axis: int) -> str:
    return f"{text}[{', '.join([':'] * axis + ['None'])}]"


_DIALECT = Dialect(
    permuted=lambda text, axes: f"{text}.T" if axes == (1, 0) else f"{text}.transpose{axes}",
    grown=_grown,
    squeezed=lambda text, axis: f"{text}.squeeze({axis})",
    repeated=lambda text, axis, count, _rank: f"np.repeat({text}, {count}, {axis})",
    keeps="keepdims",
    joins={"stack": "concatenate"},
    indices=".astype(np.int64)",
    colored=lambda text, count: (
        f"[one if one.ndim == 3 else np.repeat(one[..., None], {count}, -1) for one in {text}]"
    ),
)

DEBUGGER = NumpyDebugger()
