"""Finds the TensorFlow operation that refused inside a layer whose calls cannot be traced."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shapeinspect.dims import UNKNOWN, Shape
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call, Layer, Model, Value
from shapeinspect.plugin_api.claims import Claim, Level
from shapeinspect.plugin_api.rerun import Recorded
from shapeinspect.plugin_api.user_code.frames import traceback_frames
from shapeinspect_keras.debug.spelling import Speller
from shapeinspect_keras.tracing import graph as graphs

_HERE = f"{os.sep}tensorflow{os.sep}python{os.sep}util{os.sep}traceback_utils.py"
_TENSORFLOW = f"{os.sep}tensorflow{os.sep}"
_KERAS = f"{os.sep}keras{os.sep}src{os.sep}"


@dataclass(frozen=True, slots=True)
class _Operation:
    """An operation, named by its function or by the exception.

    Args:
        name: what it is called.
        kind: its kind.
        operands: their names in the user's code, and their shapes.
        attributes: its settings.
        scope: its place in TensorFlow's graph: the names of the layers around it.
    """

    name: str
    kind: str
    operands: tuple[tuple[str, Shape], ...]
    attributes: Mapping[str, Any]
    scope: str = ""


def operation(error: BaseException, where: str | None) -> Recorded | None:
    """Recover the operation that an exception is about.

    Args:
        error: the exception, with its traceback and those that it was raised from.
        where: the user's source line.
    """
    compared = _COMPARED.search(str(error))
    if compared is not None:
        return _comparison(compared, str(error), where)
    refused = _of_frames(error) or _of_words(str(error))
    if refused is None:
        return None
    refused = _as_named(refused, str(error))
    owner = _inside(_owner(error), refused.scope)
    own = owner is not None and graphs.keras_class(owner) is None
    parts = (*(() if owner is None else (str(owner.name),)), refused.name)
    path = "/".join(parts)
    values = {name: Value(name, shape) for name, shape in refused.operands}
    layer = Layer(path, refused.kind, refused.name, parts, Frozen(refused.attributes))
    call = Call(path, tuple(values), (f"{path}:0",))
    model = Model("", "live", "tensorflow", "keras-live", (layer,), (call,), Frozen(values))
    claim = Claim(Level.UNTRIED, rest="by the arithmetic of shapes the operation itself takes it")
    spell = Speller(data=False, shapes={})
    # The user cannot change what Keras does inside its own layers.
    guessed = refused.kind == "concat" and bool(refused.scope)
    steps = frozenset() if (own or owner is None) and not guessed else frozenset({"none"})
    return Recorded(model, Frozen(), str(error), where, spell, claim=claim, steps=steps)


_COMPARED = re.compile(
    r"(?P<name>\w+)(?: expects)? .*?(?P<first>target|y_pred)\.shape=\((?P<one>[\dNone, ]*)\)(?:,| and) "
    r"(?:output|y_true)\.shape=\((?P<other>[\dNone, ]*)\)",
    re.S,
)


def _comparison(match: re.Match[str], message: str, where: str | None) -> Recorded:
    """Recover the loss or metric whose message names the shapes of its inputs."""
    pair = [_lengths(match[key]) for key in ("one", "other")]
    loss = match["first"] == "target"
    target, output = pair if loss else pair[::-1]
    name = "loss" if loss else match["name"]
    kind = "sparse_loss" if "up until the last dimension" in message else name
    layer = Layer(name, "loss", kind, (name,))
    values = {"output": Value("output", output), "target": Value("target", target)}
    model = Model(
        "", "live", "keras", "keras-live", (layer,), (Call(name, tuple(values), ("",)),), Frozen(values)
    )
    taken = f"by the arithmetic of shapes the {'loss' if loss else 'metric'} takes it"
    claim = Claim(Level.UNTRIED, rest=taken)
    return Recorded(model, Frozen(), message, where, Speller(data=False, shapes={}), claim=claim)


def _lengths(text: str) -> Shape:
    """Read a shape as Keras and TensorFlow write it."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return tuple(UNKNOWN if part in ("?", "None") else int(part) for part in parts)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and its causes, the first cause last."""
    for _ in range(12):
        if error is None:
            return
        yield error
        error = error.__context__


def _owner(error: BaseException) -> Any:
    """Return the innermost Keras layer that is being called, or None."""
    import keras

    result = None
    for item in _chain(error):
        for frame, _ in traceback_frames(item.__traceback__):
            if frame.f_code.co_name != "error_handler" or _KERAS not in frame.f_code.co_filename:
                continue
            bound = getattr(frame.f_locals.get("fn"), "__self__", None)
            for owner in (bound, *frame.f_locals.get("args", ())[:1]):
                result = owner if isinstance(owner, keras.Layer) else result
    return result


def _inside(owner: Any, scope: str) -> Any:
    """Return the innermost layer of a model that a scope names; a repeated call has a number there."""
    if owner is None:
        return None
    layers = {str(layer.name): layer for layer in owner._flatten_layers()}
    for part in reversed(scope.split("/")[:-1]):
        for name in (part, re.sub(r"_\d+$", "", part)):
            if name in layers:
                return layers[name]
    return owner


def _of_frames(error: BaseException) -> _Operation | None:
    """Read the arguments of the innermost known TensorFlow function."""
    for item in reversed(list(_chain(error))):
        frames = [frame for frame, _ in traceback_frames(item.__traceback__)]
        for position in range(len(frames) - 1, -1, -1):
            frame = frames[position]
            if not frame.f_code.co_filename.endswith(_HERE):
                continue
            name = _name(frame.f_locals.get("fn"))
            if name in _FUNCTIONS:
                outer = [item for item in frames[:position] if _TENSORFLOW not in item.f_code.co_filename]
                caller = outer[-1].f_locals if outer else {}
                args, kwargs = frame.f_locals.get("args", ()), frame.f_locals.get("kwargs", {})
                result: _Operation | None = _FUNCTIONS[name](name, args, kwargs, caller)
                if result is not None:
                    return result
    return None


_STATED = re.compile(r"\[Op:(\w+)\]|\{\{node [^}]*\}\} = (\w+)\[")


def _as_named(operation: _Operation, message: str) -> _Operation:
    """Call an elementwise operation as TensorFlow's message does: the wrapper of operators has no name."""
    match = _STATED.search(message)
    stated = (match[1] or match[2]) if match else ""
    if operation.kind != "elementwise" or _OPS.get(stated) != "elementwise":
        return operation
    name = _snake(stated)
    return replace(operation, name=name, attributes={**operation.attributes, "op": name})


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.removesuffix("V2")).lower()


def _name(function: Any) -> str:
    """Return the name of a TensorFlow function, unwrapped from its dispatcher."""
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    cells = [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]
    target = dict(zip(names, cells, strict=True)).get("dispatch_target", function)
    return str(getattr(target, "__name__", ""))


def _operands(tensors: Sequence[Any], caller: Mapping[str, Any]) -> tuple[tuple[str, Shape], ...] | None:
    """Name tensors after the variables of the function that uses them."""
    result: list[tuple[str, Shape]] = []
    for index, tensor in enumerate(tensors):
        shape: Any = getattr(tensor, "shape", None)
        if shape is None or getattr(shape, "rank", 0) is None:
            return None
        name = _called_in(caller, tensor) or f"operand {index}"
        name = name if name not in dict(result) else f"{name}:{index}"
        result.append((name, tuple(UNKNOWN if length is None else int(length) for length in shape)))
    return tuple(result) or None


def _called_in(caller: Mapping[str, Any], tensor: Any) -> str | None:
    """Return what a function calls a tensor: one of its variables, or an attribute of its ``self``."""
    own = getattr(caller.get("self"), "__dict__", {})
    named = {**{f"self.{key}": value for key, value in own.items() if not key.startswith("_")}, **caller}
    return next((key for key, value in reversed(named.items()) if value is tensor), None)


def _two(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], caller: Mapping[str, Any]) -> Any:
    given = _operands((*args, *(kwargs[key] for key in ("x", "y") if key in kwargs))[:2], caller)
    if given is None or len(given) < 2:
        return None
    return _Operation(_plain(name), "elementwise", given, {"op": _plain(name)})


def _product(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], caller: Mapping[str, Any]) -> Any:
    named = dict(zip(("a", "b", "transpose_a", "transpose_b"), args, strict=False)) | dict(kwargs)
    given = _operands([named[key] for key in ("a", "b") if key in named], caller)
    if given is None or len(given) != 2 or named.get("transpose_a"):
        return None
    if named.get("transpose_b"):
        (left, (right, shape)) = given
        given = (left, (right, (*shape[:-2], *shape[:-3:-1])))
    return _Operation(name, "matmul", given, {})


def _joined(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], caller: Mapping[str, Any]) -> Any:
    named = dict(zip(("values", "axis"), args, strict=False)) | dict(kwargs)
    given = _operands(list(named.get("values", ())), caller)
    axis = named.get("axis", 0)
    if given is None or not isinstance(axis, int):
        return None
    return _Operation(name, name, given, {"axis": axis})


def _shaped(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], caller: Mapping[str, Any]) -> Any:
    named = dict(zip(("tensor", "shape"), args, strict=False)) | dict(kwargs)
    given, target = _operands([named.get("tensor")], caller), named.get("shape")
    if given is None or not isinstance(target, list | tuple) or not all(type(item) is int for item in target):
        return None
    return _Operation(name, "reshape", given, {"shape": tuple(target)})


def _lettered(name: str, args: Sequence[Any], _kwargs: Mapping[str, Any], caller: Mapping[str, Any]) -> Any:
    given = _operands(list(args[1:]), caller)
    if given is None or not isinstance(args[0], str):
        return None
    return _Operation(name, "einsum", given, {"equation": args[0]})


_Reader = Callable[[str, Sequence[Any], Mapping[str, Any], Mapping[str, Any]], Any]
#: TensorFlow's functions, and the readers of their arguments.
_FUNCTIONS: dict[str, _Reader] = {
    **dict.fromkeys(
        (
            "add", "add_v2", "subtract", "multiply", "divide", "truediv", "maximum", "minimum", "pow",
            "squared_difference", "logical_and", "logical_or", "binary_op_wrapper", "r_binary_op_wrapper",
        ),
        _two,
    ),
    "matmul": _product,
    "concat": _joined,
    "stack": _joined,
    "reshape": _shaped,
    "einsum": _lettered,
}  # fmt: skip


def _plain(name: str) -> str:
    return {"binary_op_wrapper": "elementwise", "r_binary_op_wrapper": "elementwise", "add_v2": "add"}.get(
        name, name
    )


#: TensorFlow's operation names and their kinds.
_OPS = {
    **dict.fromkeys(
        (
            "Add", "AddV2", "Sub", "Mul", "RealDiv", "Maximum", "Minimum", "Pow", "SquaredDifference",
            "Equal", "Greater", "Less", "NotEqual", "LogicalAnd", "LogicalOr", "SelectV2",
        ),
        "elementwise",
    ),
    "MatMul": "matmul", "BatchMatMul": "matmul", "BatchMatMulV2": "matmul", "ConcatV2": "concat",
}  # fmt: skip
_NODE = re.compile(r"\{\{node (?P<path>[^}]*)\}\} = (?P<op>\w+)\[(?P<settings>[^\]]*)\].*?"
                   r"with input shapes: (?P<shapes>(?:\[[\d?,]*\],? ?)+)", re.S)  # fmt: skip
_EAGER = re.compile(r"(?:Incompatible shapes: |In\[0\]: )(?P<left>\[[\d,]*\])(?: vs\. |, In\[1\]: )"
                    r"(?P<right>\[[\d,]*\]).*?\[Op:(?P<op>\w+)\]", re.S)  # fmt: skip
_TURNED = re.compile(r"(?:transpose|adj)_(?:b|y)=true")


def _of_words(message: str) -> _Operation | None:
    """Read the operation and the shapes from TensorFlow's message."""
    match = _NODE.search(message) or _EAGER.search(message)
    kind = None if match is None else _OPS.get(match["op"])
    if match is None or kind is None:
        return None
    named = match.groupdict()
    texts = re.findall(r"\[([\d?,]*)\]", named.get("shapes") or f"{named.get('left')}{named.get('right')}")
    shapes = [_lengths(text) for text in texts]
    if kind == "concat":
        shapes.pop()  # the axis, whose number is unknown
    if len(shapes) < 2 or (kind == "concat" and len({len(shape) for shape in shapes}) == 1):
        return None
    if kind == "matmul" and _TURNED.search(named.get("settings") or ""):
        shapes[1] = (*shapes[1][:-2], *shapes[1][:-3:-1])
    operands = tuple((f"operand {index}", shape) for index, shape in enumerate(shapes))
    name = _snake(match["op"])
    known: dict[str, dict[str, Any]] = {"elementwise": {"op": name}, "concat": {"axis": -1}}
    attributes = known.get(kind, {})
    return _Operation(name, kind, operands, attributes, named.get("path") or "")
