"""What the user's own statement calls the data that a model is run on."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shapeinspect_keras.debug.statements.site import Site, argument

#: The methods that run a model on data, and those of them that compare its outputs with targets.
COMPARES = frozenset({"fit", "evaluate", "train_on_batch", "test_on_batch"})
RUNS = COMPARES | {"predict", "predict_on_batch"}


def called(site: Site, name: str, owner: Any, args: Sequence[Any], kwargs: Mapping[str, Any],
           inputs: Sequence[str]) -> dict[str, str]:  # fmt: skip
    """Return what the statement calls each input of a model, where it says so.

    Args:
        site: the statement.
        name: the method of the model that it calls.
        owner: the model.
        args: the positional arguments of the call.
        kwargs: the others.
        inputs: the names of the model's inputs, and ``y`` for the targets.
    """
    call = _call(site, name, owner, args)
    if call is None:
        return {}
    given = args[0] if args else kwargs.get("x")
    node = argument(call, 0, "x")
    found: dict[str, str] = {}
    own = [item for item in inputs if item != "y"]
    if node is not None and given is not None:
        found |= _named(site, node, given, own)
    targets = argument(call, 1, "y") if name in RUNS else None
    if targets is not None and "y" in inputs:
        found["y"] = site.text(targets)
    return found


def validated(
    site: Site, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], inputs: Sequence[str]
) -> dict[str, str]:
    """Return what the statement calls each input of a validation, where it says so.

    Args:
        site: the statement.
        name: the method of the model that it calls.
        args: the positional arguments of the call.
        kwargs: the others.
        inputs: the names of the model's inputs, and ``y`` for the targets.
    """
    call = _call(site, name, None, args)
    node = None if call is None else argument(call, 7, "validation_data")
    given = kwargs.get("validation_data") if len(args) < 8 else args[7]
    if not isinstance(node, ast.Tuple | ast.List) or not isinstance(given, tuple | list) or len(given) < 2:
        return {}
    found = _named(site, node.elts[0], given[0], [item for item in inputs if item != "y"])
    return found | ({"y": site.text(node.elts[1])} if "y" in inputs else {})


def _named(site: Site, node: ast.expr, given: Any, inputs: Sequence[str]) -> dict[str, str]:
    if hasattr(given, "shape"):
        return {inputs[0]: _operand(site, node)} if len(inputs) == 1 else {}
    if isinstance(node, ast.List | ast.Tuple) and len(node.elts) == len(inputs):
        return {name: _operand(site, item) for name, item in zip(inputs, node.elts, strict=True)}
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        texts = {key.value: _operand(site, item) for key, item in pairs if isinstance(key, ast.Constant)}
        return {str(name): text for name, text in texts.items() if name in inputs}
    return {}


def _operand(site: Site, node: ast.expr) -> str:
    """Return the source of an expression, so that an operator or a method can follow it."""
    text = site.text(node)
    return text if isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call) else f"({text})"


def _call(site: Site, name: str, owner: Any, args: Sequence[Any]) -> ast.Call | None:
    if name in RUNS:
        return next(site.calls(name), None)
    for call in site.calls():
        if site.value(call.func) is owner:
            return call
    for call in site.calls():
        if args and any(site.value(item) is args[0] for item in call.args):
            return call
    return None


def yielded(site: Site, data: Any, part: int = 0) -> tuple[str, str] | None:
    """Find the statement of a generator or a ``PyDataset`` that gives one batch, and its inputs in it.

    Args:
        site: the user's statement, whose file is read.
        data: what the model is run on.
        part: which part of a batch, 0 for the inputs.

    Returns: The statement and the expression of the inputs; None if there is not exactly one.
    """
    if inspect.isgenerator(data):
        code: Any = data.gi_code
    else:
        code = getattr(getattr(type(data), "__getitem__", None), "__code__", None)
    if code is None or code.co_filename != site.frame.f_code.co_filename:
        return None
    found = list(_batches(site, code.co_name, code.co_firstlineno, part))
    return found[0] if len(found) == 1 else None


def _batches(site: Site, name: str, line: int, part: int) -> Iterator[tuple[str, str]]:
    for function in ast.walk(site.tree):
        if not isinstance(function, ast.FunctionDef) or (function.name, function.lineno) != (name, line):
            continue
        for node in ast.walk(function):
            value = node.value if isinstance(node, ast.Yield | ast.Return) else None
            if isinstance(value, ast.Tuple) and len(value.elts) > 1:
                yield site.text(node), _operand(site, value.elts[part])
