"""Arguments that a call leaves at their default, where the program sets another value under the same name."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from shapeinspect.plugin_api.origins.literals import Literal
from shapeinspect.plugin_api.programs.arguments import keyword_edit
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.suggestions import Replacement
from shapeinspect.plugin_api.user_code.source import callee_of

#: Roles of literals that set something under a name.
_SETTING = frozenset({"item", "keyword", "variable", "field", "option", "argument"})
#: Shorter names stand for many things.
_SHORTEST = 3


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An argument that a call leaves at its default.

    Args:
        call: the call.
        default: the default.
        setting: what the program sets under the same name.
    """

    call: ast.Call
    default: Literal
    setting: Literal

    def values(self) -> Iterator[str]:
        """Yield how the setting can be written in the call, the plainest name first."""
        if self.setting.role == "item" and self.setting.owner.isidentifier():
            yield f'{self.setting.owner}["{self.setting.name}"]'
        if self.setting.role == "variable" and self.setting.name.isidentifier():
            yield self.setting.name
        yield str(self.setting.value)

    def edit(self, trace: Trace, value: str) -> Replacement:
        """Return what passes the argument.

        Args:
            trace: the script.
            value: what is passed.
        """
        return keyword_edit(trace, self.call, self.default.name, value)

    def sentence(self, trace: Trace) -> str:
        """Say what is left out, and what is set elsewhere.

        Args:
            trace: the script.
        """
        one = self.setting
        whose = {
            "item": f'"{one.name}"' + (f" of {one.owner}" if one.owner else ""),
            "keyword": f"{one.name} in {one.owner}(…)",
            "argument": f"{one.name} in {one.owner}(…)",
        }.get(one.role, one.name)
        return (
            f"{self.default.name} is not passed to {callee_of(self.call)}(…), {trace.line(self.call)}, "
            f"and is {self.default.value} by default; "
            f"{whose}, line {one.line}{trace.of_file(one.file)}, is {one.value}"
        )


def left_out(trace: Trace, literals: Sequence[Literal], involved: Collection[int]) -> Iterator[LeftOut]:
    """Yield the arguments that calls leave out, and that the program sets to another value elsewhere.

    Args:
        trace: the script, as it failed.
        literals: its integers.
        involved: the numbers of those from which sizes come that differ; a default or a setting is one.
    """
    for site, default in enumerate(literals):
        if default.role != "default" or len(default.name) < _SHORTEST or not default.alone:
            continue
        others = [
            (at not in involved, one)
            for at, one in enumerate(literals)
            if one.role in _SETTING and one.name == default.name and one.value != default.value and one.alone
        ]
        if site not in involved:
            others = [(far, one) for far, one in others if not far]
        for _, setting in sorted(others, key=lambda one: one[0])[:1]:
            for call in _calls(trace, default):
                yield LeftOut(call, default, setting)


def _calls(trace: Trace, default: Literal) -> Iterator[ast.Call]:
    """Yield the calls that ran with a default."""
    name = default.owner.rpartition(".")[2]
    for file in trace.texts:
        for node in ast.walk(trace.tree(file)):
            if isinstance(node, ast.Call) and callee_of(node) == name and trace.ran(node):
                function, method = trace.definition(node)
                if function is not None and not _passes(trace, node, function, default.name, method):
                    yield node


def _passes(trace: Trace, call: ast.Call, function: ast.FunctionDef, name: str, method: bool) -> bool:
    """Tell whether a call passes an argument; also where that is not known."""
    plain = [one.arg for one in (*function.args.posonlyargs, *function.args.args)][int(method) :]
    named = {one.arg for one in function.args.kwonlyargs} | {*plain}
    if name not in named or any(isinstance(one, ast.Starred) for one in call.args):
        return True
    if name in plain and plain.index(name) < len(call.args):
        return True
    for word in call.keywords:
        keys = {word.arg} if word.arg is not None else _keys(trace, word.value)
        if keys is None or name in keys:
            return True
    return False


def _keys(trace: Trace, node: ast.expr) -> set[str | None] | None:
    """Return the keys of a dictionary that is written in the script; None where it is not."""
    found: list[ast.expr] = []
    tree = trace.tree(trace.homes[node])
    if isinstance(node, ast.Dict):
        found.append(node)
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        for one in ast.walk(tree):
            if isinstance(one, ast.Dict):
                pairs = zip(one.keys, one.values, strict=True)
                found += [v for k, v in pairs if isinstance(k, ast.Constant) and k.value == node.slice.value]
    elif isinstance(node, ast.Name):
        for one in ast.walk(tree):
            if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == node.id:
                found.append(one.value)
    keys: set[str | None] = set()
    for one in found:
        if not isinstance(one, ast.Dict) or not all(isinstance(key, ast.Constant) for key in one.keys):
            return None
        keys |= {str(key.value) for key in one.keys if isinstance(key, ast.Constant)}
    return keys if found else None
