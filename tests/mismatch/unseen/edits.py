"""Changes of a program's text, by the nodes of its tree."""

from __future__ import annotations

import ast
import re
from typing import Any


def source(text: str, node: ast.AST) -> str:
    """The text of a node."""
    return ast.get_source_segment(text, node) or ""


def replaced(text: str, node: Any, new: str) -> str:
    """The text with a node's own text replaced."""
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line.encode()))
    raw = text.encode()
    a = starts[node.lineno - 1] + node.col_offset
    b = starts[node.end_lineno - 1] + node.end_col_offset
    return (raw[:a] + new.encode() + raw[b:]).decode()


def statement_at(tree: ast.Module, line: int) -> Any:
    """The innermost statement that covers a line."""
    covering = [
        n for n in ast.walk(tree) if isinstance(n, ast.stmt) and n.lineno <= line <= (n.end_lineno or 0)
    ]
    return max(covering, key=lambda n: (n.lineno, -(n.end_lineno or 0)), default=None)


def insert(text: str, line: int, new: str) -> str:
    """The text with a line put before this one, indented as it is."""
    lines = text.splitlines()
    indent = re.match(r"\s*", lines[line - 1])
    lines.insert(line - 1, (indent[0] if indent else "") + new)
    return "\n".join(lines) + "\n"


def signature(cls: str, kind: str) -> list[str]:
    """The names of a layer's positional arguments."""
    import importlib
    import inspect

    if cls in ("RNN", "LSTM", "GRU") and kind != "keras":
        return ["input_size", "hidden_size", "num_layers"]  # their signatures are *args, **kwargs
    for module in ("torch.nn", "torch.utils.data") if kind != "keras" else ("keras.layers",):
        found = getattr(importlib.import_module(module), cls, None)
        if found is not None:
            return [p for p in inspect.signature(found.__init__).parameters if p != "self"]
    return []


def with_argument(text: str, call: ast.Call, name: str, value: str, kind: str) -> str:
    """The text with one argument of a call set, whether it stands there by name, by place or not at all."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return replaced(text, keyword.value, value)
    cls = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    names = signature(cls, kind)
    if name in names and names.index(name) < len(call.args):
        return replaced(text, call.args[names.index(name)], value)
    if not isinstance(call.func, ast.Name | ast.Attribute):
        return text
    written = source(text, call)
    inner = written.rstrip()[:-1].rstrip().rstrip(",")
    return replaced(text, call, f"{inner}{'' if inner.endswith('(') else ', '}{name}={value})")


def call_name(call: ast.Call) -> str:
    """The last part of what is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def made_at(text: str, line: int | None, cls: str | None) -> ast.Call | None:
    """The call of a class on a line."""
    if line is None:
        return None
    calls = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call) and call_name(n) == cls]
    return next((n for n in calls if n.lineno <= line <= (n.end_lineno or 0)), None)
