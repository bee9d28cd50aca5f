"""The call in the user's own source that built a model, and the same call with other arguments."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import FrameType
from typing import Any, TypeAlias

from shapeinspect.plugin_api.user_code.calls import UserCall
from shapeinspect.plugin_api.user_code.frames import Place, is_library, syntax_tree
from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect.plugin_api.user_code.values import UnknownError, makes_configuration, value_of

#: Methods that return the model that they are called on.
_FLUENT = frozenset({
    "to", "cuda", "cpu", "half", "float", "double", "bfloat16", "eval", "train", "requires_grad_",
})  # fmt: skip
#: Arguments with which a builder reads files or asks a server.
_READING = ("pretrained", "weights", "checkpoint", "ckpt", "path", "file", "url")
#: Functions of which a builder that calls one does more than to build, beside those called load….
_DOING = frozenset({
    "fit", "from_pretrained", "open", "urlopen", "urlretrieve", "get_file", "hf_hub_download", "system",
    "Popen", "check_call",
})  # fmt: skip
#: The types of what may be a setting.
_SETTINGS = frozenset({int, float, bool, str, list, tuple})
#: Arguments given to a call, each a path: the argument, then the attribute of the object that it is.
Changes: TypeAlias = Mapping[tuple[str, ...], Any]


@dataclass(frozen=True)
class Construction:
    """The call that built an object, with what it was given.

    Args:
        call: the call, its frame and statement.
        function: the class or function.
        around: what the object was wrapped in afterwards, the innermost first.
    """

    call: UserCall
    function: Any
    around: tuple[Any, ...] = ()

    @cached_property
    def given(self) -> dict[str, Any]:
        """The arguments by name, with the defaults of those that are not written."""
        arguments = _bound(self.function, self.call.node, self.call.frame)
        arguments.apply_defaults()
        return dict(arguments.arguments)

    @cached_property
    def written(self) -> frozenset[str]:
        """The names of the arguments that the source gives."""
        return frozenset(_bound(self.function, self.call.node, self.call.frame).arguments)

    def settings(self) -> dict[tuple[str, ...], Any]:
        """Return what the object is built from: numbers, lists and flags, also those of a configuration."""
        found: dict[tuple[str, ...], Any] = {}
        for name, value in self.given.items():
            if type(value) in _SETTINGS:
                found[name,] = value
            elif _is_configuration(value):
                numbers = {
                    key: item for key, item in _items(value).items() if type(item) in _SETTINGS - {str}
                }
                found |= {(name, key): item for key, item in numbers.items() if isinstance(key, str)}
        return found

    def texts(self) -> tuple[str, ...]:
        """Return the texts that the class or function holds, such as the names of its variants."""
        code = getattr(getattr(self.function, "__init__", None), "__code__", None)
        code = getattr(self.function, "__code__", code)
        parameters = inspect.signature(self.function).parameters.values()
        found = [item.default for item in parameters] + list(getattr(code, "co_consts", ()))
        return tuple(dict.fromkeys(item for item in found if isinstance(item, str) and item.isidentifier()))

    def build(self, changes: Changes) -> Any:
        """Build the object again.

        Args:
            changes: the settings that differ.
        """
        import copy

        arguments = _bound(self.function, self.call.node, self.call.frame)
        arguments.apply_defaults()
        for path, value in changes.items():
            if len(path) == 1:
                arguments.arguments[path[0]] = value
                continue
            if arguments.arguments[path[0]] is self.given[path[0]]:
                arguments.arguments[path[0]] = copy.copy(self.given[path[0]])
            held = arguments.arguments[path[0]]
            if isinstance(held, dict):
                held[path[1]] = value
            else:
                setattr(held, path[1], value)
        result = self.function(*arguments.args, **arguments.kwargs)
        for wrapper in self.around:
            result = wrapper(result)
        return result

    def is_written(self, path: tuple[str, ...]) -> bool:
        """Tell whether the source gives a setting, or leaves it at its default.

        Args:
            path: the setting, as in :meth:`settings`.
        """
        if len(path) == 1:
            return path[0] in self.written
        inner = self._configuration(path[0])
        return inner is not None and path[1] in inner.written

    def code(self, changes: Changes) -> str | None:
        """Write the edit that changes settings; None where it cannot be written as one statement.

        Args:
            changes: the settings that differ.
        """
        outer = {path[0]: value for path, value in changes.items() if len(path) == 1}
        inner: dict[tuple[str, ...], Any] = {path: value for path, value in changes.items() if len(path) == 2}
        parameters = inspect.signature(self.function).parameters
        for path in [*inner]:  # what **kwargs takes is written as an argument of the call
            if parameters[path[0]].kind is inspect.Parameter.VAR_KEYWORD:
                if path[1] not in {keyword.arg for keyword in self.call.node.keywords}:
                    return None
                outer[path[1]] = inner.pop(path)
        if not inner:
            return _instead(self.call, _rewritten(self.call, self.function, outer))
        holders = {path[0] for path in inner}
        if outer or len(holders) != 1:
            return None
        holder = holders.pop()
        made = self._configuration(holder)
        if made is None:
            return self._set_before(holder, inner)
        return _instead(
            made.call,
            _rewritten(made.call, made.function, {path[1]: value for path, value in inner.items()}),
        )

    def _set_before(self, holder: str, inner: Changes) -> str | None:
        """Write assignments to a configuration that stands in a variable, before the call that reads it."""
        node = _argument(self.function, self.call.node, holder)
        if not isinstance(node, ast.Name | ast.Attribute) or not isinstance(self.call.statement, ast.Assign):
            return None
        text = self.call.source(node)
        keyed = isinstance(self.given[holder], dict)
        sets = [
            f'{text}["{path[1]}"] = {_literal(value)}' if keyed else f"{text}.{path[1]} = {_literal(value)}"
            for path, value in inner.items()
        ]
        whole = self.call.source(self.call.statement)
        return f"{'; '.join((*sets, whole))} instead of {whole}"

    def _configuration(self, name: str) -> Construction | None:
        """Return the call that built an argument: in the call itself, or in an assignment before."""
        node = _argument(self.function, self.call.node, name)
        if isinstance(node, ast.Call):
            return _construction(node, self.call.statement, self.call.frame)
        if isinstance(node, ast.Name):
            return _assigned(node.id, self.call.frame, self.call.node.lineno)
        return None


def built_by(value: object, frames: list[Place], packages: tuple[str, ...]) -> Construction | None:
    """Find the call that built an object, in a line that the user's frames can still be read for.

    Args:
        value: the object, such as a model.
        frames: those of a traceback, the outermost first, with their lines.
        packages: as for ``frames.is_library``.
    """
    for frame, line in reversed(frames):
        if is_library(frame.f_code.co_filename, packages):
            continue
        for name, item in frame.f_locals.items():
            if item is value:
                found = _assigned(name, frame, line)
                if found is not None:
                    return found
        own = frame.f_locals.get("self")
        for name, item in getattr(own, "__dict__", {}).items():
            if item is value:
                found = _assigned(f"self.{name}", frame, None)
                if found is not None:
                    return found
        for name, item in frame.f_globals.items():
            if item is value:
                found = _assigned(name, frame, None)
                if found is not None:
                    return found
    return None


def built_in_place(call: UserCall) -> Construction | None:
    """Return the call that builds what the method is called on: ``Net(10).load_state_dict(...)``.

    Args:
        call: the call of the method.
    """
    owner = call.node.func.value if isinstance(call.node.func, ast.Attribute) else None
    inner = _core(owner) if owner is not None else None
    return _construction(inner, call.statement, call.frame) if inner is not None else None


def _assigned(name: str, frame: FrameType, line: int | None) -> Construction | None:
    """Find the last assignment of a call to a name before a line, in the file that a frame runs."""
    tree = syntax_tree(frame.f_code, frame.f_globals)
    found = None
    for statement in ast.walk(tree) if tree is not None else ():
        if not isinstance(statement, ast.Assign) or (line is not None and statement.lineno > line):
            continue
        if [ast.unparse(target) for target in statement.targets] != [name]:
            continue
        inner = _core(statement.value)
        result = None if inner is None else _built_from(inner, statement, frame)
        if result is not None and (found is None or statement.lineno > found.call.node.lineno):
            found = result
    return found


#: Classes that hold one object and put a prefix before its names.
_WRAPPERS = frozenset(("DataParallel", "DistributedDataParallel", "OptimizedModule"))


def _built_from(node: ast.Call, statement: ast.stmt, frame: FrameType) -> Construction | None:
    """Return what a call builds, or what built the one object that a wrapper is given."""
    if callee_of(node) not in _WRAPPERS or len(node.args) != 1:
        return _construction(node, statement, frame)
    held, inner = node.args[0], None
    if isinstance(held, ast.Call):
        inner = _construction(held, statement, frame)
    elif isinstance(held, ast.Name):
        inner = _assigned(held.id, frame, statement.lineno - 1)
    try:
        wrapper = value_of(node.func, frame)
    except UnknownError:
        return None
    return None if inner is None else replace(inner, around=(*inner.around, wrapper))


def _core(node: ast.expr) -> ast.Call | None:
    """Return the call under ``.to(device)`` and its like."""
    while isinstance(node, ast.Call):
        inner = node.func.value if isinstance(node.func, ast.Attribute) else None
        if not isinstance(inner, ast.Call) or callee_of(node) not in _FLUENT:
            return node
        node = inner
    return None


def _construction(node: ast.Call, statement: ast.stmt, frame: FrameType) -> Construction | None:
    try:
        function = value_of(node.func, frame)
        found = Construction(UserCall(frame, node, statement), function)
        given = found.given
    except (UnknownError, TypeError, ValueError):
        return None
    reads = any(word in name.lower() for name, value in given.items() if _is_set(value) for word in _READING)
    home = str(getattr(function, "__module__", ""))
    if (
        reads
        or any(name in _DOING or name.startswith("load") for name in _called_by(function))
        or inspect.ismethod(function)
        or home == "builtins"
        or not callable(function)
    ):
        return None
    return found


def _is_set(value: Any) -> bool:
    """Tell whether an argument may name what is read: arrays do not, and have no truth."""
    return not hasattr(value, "shape") and bool(value)


def _called_by(function: Any) -> tuple[str, ...]:
    """Return the names that a function, or the constructor of a class, reads."""
    code = getattr(getattr(function, "__init__", None), "__code__", None)
    return tuple(getattr(getattr(function, "__code__", code), "co_names", ()))


def _bound(function: Any, node: ast.Call, frame: FrameType) -> inspect.BoundArguments:
    args = []
    for item in node.args:
        if isinstance(item, ast.Starred):
            args += list(value_of(item.value, frame))
        else:
            args.append(value_of(item, frame))
    kwargs: dict[str, Any] = {}
    for keyword in node.keywords:
        value = value_of(keyword.value, frame)
        kwargs |= value if keyword.arg is None else {keyword.arg: value}
    return inspect.signature(function).bind(*args, **kwargs)


def _is_configuration(value: Any) -> bool:
    return type(value) is dict or makes_configuration(type(value))


def _items(value: Any) -> dict[Any, Any]:
    return value if type(value) is dict else vars(value)


def _argument(function: Any, node: ast.Call, name: str) -> ast.expr | None:
    """Return the expression that an argument is given; None where it is not written."""
    for keyword in node.keywords:
        if keyword.arg == name:
            return keyword.value
    names = list(inspect.signature(function).parameters)
    place = names.index(name) if name in names else len(node.args)
    return node.args[place] if place < len(node.args) else None


def _rewritten(call: UserCall, function: Any, values: Mapping[str, Any]) -> str:
    """Return a call with other arguments, as text."""
    node, before = call.node, call.source(call.node)
    places: list[tuple[ast.expr, str]] = []
    added: list[str] = []
    for name, value in values.items():
        written = _argument(function, node, name)
        if written is not None:
            places.append((written, _literal(value)))
        else:
            added.append(f"{name}={_literal(value)}")
    text, offset = before.encode(), node.col_offset
    if node.lineno != node.end_lineno:
        return before
    for part, new in sorted(places, key=lambda place: -place[0].col_offset):
        text = text[: part.col_offset - offset] + new.encode() + text[(part.end_col_offset or 0) - offset :]
    written_text = text.decode()
    if added:
        inner = written_text[:-1].rstrip().rstrip(",")
        written_text = f"{inner}{'' if inner.endswith('(') else ', '}{', '.join(added)})"
    return written_text


def _literal(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _instead(call: UserCall, after: str) -> str | None:
    """Write a changed call where it is the value of an assignment, else the call alone."""
    before = call.source(call.node)
    if before == after:
        return None
    if isinstance(call.statement, ast.Assign):
        whole = call.source(call.statement)
        if whole.count(before) == 1:
            return f"{whole.replace(before, after)} instead of {whole}"
    return f"{after} instead of {before}"
