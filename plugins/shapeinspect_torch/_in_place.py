"""Finds the operation in place that overwrites what a gradient needs, by leaving out one at a time."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shapeinspect.ir import Layer
from shapeinspect.rerun import Change, Failure, OnCall, Rerun
from shapeinspect.source import Source
from shapeinspect_torch._guard import undisturbed
from shapeinspect_torch._inputs import prepare
from shapeinspect_torch._mode import function_name
from shapeinspect_torch._pytree import tensors
from shapeinspect_torch._record import is_ours
from shapeinspect_torch._rerun import TorchRerun, call_without_numbers
from shapeinspect_torch._shadow import Shadow

_OPERATORS = {"__iadd__": "+", "__isub__": "-", "__imul__": "*", "__itruediv__": "/", "__ipow__": "**"}


@dataclass(frozen=True, slots=True)
class _Write:
    """One operation in place: its number in the run, its name, and the user's line."""

    number: int
    name: str
    where: str


class InPlace(Rerun):
    """Statements whose backward fails.

    Args:
        step: the module of the statements.
        inputs: its tensors by name.
        message: torch's words.
    """

    def __init__(self, step: Any, inputs: dict[str, Any], message: str) -> None:
        self._step, self._inputs, self._message = step, inputs, message
        self._culprit: _Write | None = None

    def locate(self) -> bool:
        """Find the one operation without which the backward passes; tell whether there is one."""
        writes: list[_Write] = []
        if not self._fails(None, writes):
            return False
        forward = TorchRerun(self._step, (), self._inputs)
        if forward.reproduce(self._message, None) is not None:
            return False
        for write in writes:
            if not self._fails(write.number, []):
                self._culprit = write
                break
        if self._culprit is None:
            return False
        kind = "activation" if "relu" in self._culprit.name else "elementwise"
        layer = Layer(self._culprit.name.strip("_"), kind, f"Tensor.{self._culprit.name}")
        self.failure = replace(forward.failure, layer=layer, inputs=(), where=self._culprit.where)
        return True

    def attempt(self, changes: Sequence[Change]) -> Failure | None:
        """Run forward and backward with the one operation out of place."""
        wanted = any(isinstance(change, OnCall) and "inplace" in change.attributes for change in changes)
        number = self._culprit.number if wanted and self._culprit is not None else None
        return self.failure if self._fails(number, []) else None

    def spell(self, change: Change, name: str) -> str:
        """Write the operation out of place."""
        del change, name
        culprit = self._culprit
        if culprit is None:
            return ""
        line = culprit.where.partition("  ")[2]
        return _spelled_anew(line) or f"{culprit.name.rstrip('_')} out of place instead of {culprit.name}"

    def _fails(self, without: int | None, writes: list[_Write]) -> bool:
        shadow, count = Shadow(), 0

        def listen(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], run: Callable[[], Any]) -> Any:
            nonlocal count
            name = function_name(func)
            if not _is_in_place(name, args, kwargs):
                return run()
            count += 1
            writes.append(_Write(count, name, _line()))
            return _out_of_place(name, func, args, kwargs) if count == without else run()

        with undisturbed(True):
            copy = shadow.of(self._step)
            source = Source("", target=self._step, example=((), self._inputs))
            inputs = prepare(source, self._step, shadow, frozenset())
            for (_, real), (_, meta) in zip(tensors(self._inputs), inputs.names, strict=False):
                if real.requires_grad and real.is_leaf:
                    meta.requires_grad_()
            try:
                made = call_without_numbers(copy, self._step, inputs, listen)
                ends = [one for _, one in tensors(made) if one.requires_grad]
                ends[0].sum().backward()
            except (RuntimeError, IndexError) as error:
                return "inplace" in str(error)
        return False


def _is_in_place(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    if name in _OPERATORS or kwargs.get("inplace"):
        return True
    own = name.endswith("_") and not name.startswith("_") and name not in ("requires_grad_", "retain_grad_")
    return own or name == "__setitem__"


def _out_of_place(name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if kwargs.get("inplace"):
        return func(*args, **{**kwargs, "inplace": False})
    if name == "__setitem__":
        return None
    plain = f"__{name[3:]}" if name in _OPERATORS else name.rstrip("_")
    return getattr(args[0], plain)(*args[1:], **kwargs)


def _spelled_anew(line: str) -> str | None:
    """Write a source line so that it makes a new tensor."""
    try:
        statement = ast.parse(line).body[0]
    except (SyntaxError, IndexError):
        return None
    if isinstance(statement, ast.AugAssign):
        target = ast.unparse(statement.target)
        new = ast.BinOp(ast.Name(target), statement.op, statement.value)
        return f"{target} = {ast.unparse(new)} instead of {line}"
    if "inplace=True" in line:
        return "inplace=False"
    value = getattr(statement, "value", None)
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        name = value.func.attr
        if name.endswith("_"):
            owner = ast.unparse(value.func.value)
            value.func.attr = name.rstrip("_")
            return f"{owner} = {ast.unparse(value)} instead of {line}"
    return None


def _line() -> str:
    from shapeinspect_torch.debugger import spelled_line

    frame = sys._getframe(1)
    while frame is not None:
        if not is_ours(frame.f_code.co_filename):
            return spelled_line(frame.f_code.co_filename, frame.f_lineno, frame)
        frame = frame.f_back  # type: ignore[assignment]  # None ends the loop
    return ""
