"""Which statements of a user's source have to do with the one that failed, and how far they are from it."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from shapeinspect.plugin_api.user_code.source import callee_of

#: The distance of what has nothing to do with the failure, as far as names tell.
FAR = 9


@dataclass(eq=False, slots=True)
class Unit:
    """A simple statement, the head of a compound one, or the parameters of a function.

    Args:
        node: the statement; the arguments of a function for its parameters.
        owner: the function or class that it stands in; empty for the module.
        defines: the names that it sets: variables, attributes, parameters, keywords that it passes.
        uses: the names that it reads.
        calls: the names of what it calls.
        distance: how far it is from the failure, in steps from what is read to what sets it.
    """

    node: ast.AST
    owner: str
    defines: set[str] = field(default_factory=set)
    uses: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    distance: int = FAR


def units(tree: ast.Module) -> list[Unit]:
    """Return the units of a module, in order.

    Args:
        tree: the module.
    """
    return [*_units(tree.body, "")]


def measure(found: Iterable[Unit], failed: Iterable[Unit]) -> None:
    """Set the distance of each unit from the failed ones.

    Args:
        found: all units.
        failed: those that were running.
    """
    every = [*found]
    by_name: dict[str, list[Unit]] = defaultdict(list)
    by_owner: dict[str, list[Unit]] = defaultdict(list)
    by_call: dict[str, list[Unit]] = defaultdict(list)
    for unit in every:
        for name in unit.defines:
            by_name[name].append(unit)
        for name in unit.calls:
            by_call[name].append(unit)
        for part in unit.owner.split("."):
            by_owner[part].append(unit)
    edge = [*failed]
    for unit in edge:
        unit.distance = 0
    distance = 0
    while edge:
        distance += 1
        nearby: list[Unit] = []
        for unit in edge:
            for name in unit.uses | unit.calls:
                nearby += by_name.get(name, ())
                nearby += by_owner.get(name, ())
            if isinstance(unit.node, ast.arguments):
                nearby += [call for part in unit.owner.split(".") if part for call in by_call.get(part, ())]
        edge = [unit for unit in {id(one): one for one in nearby}.values() if unit.distance > distance]
        for unit in edge:
            unit.distance = distance


def _units(body: Iterable[ast.stmt], owner: str) -> Iterator[Unit]:
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{owner}.{statement.name}".strip(".")
            for decorator in statement.decorator_list:
                yield _unit(decorator, owner)
            if not isinstance(statement, ast.ClassDef):
                yield _unit(statement.args, inner)
            yield from _units(statement.body, inner)
            continue
        blocks = [
            getattr(statement, name)
            for name in ("body", "orelse", "finalbody")
            if getattr(statement, name, None)
        ]
        if not blocks:
            yield _unit(statement, owner)
            continue
        for name in ("test", "iter", "items"):
            head = getattr(statement, name, None)
            for node in head if isinstance(head, list) else [head] if head is not None else []:
                unit = _unit(node, owner)
                target = getattr(statement, "target", None)
                unit.defines |= _stored(target) if isinstance(target, ast.AST) else set()
                yield unit
        for block in blocks:
            yield from _units(block, owner)


def _unit(node: ast.AST, owner: str) -> Unit:
    unit = Unit(node, owner, _stored(node))
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
            unit.uses.add(part.id)
        elif isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Load):
            unit.uses.add(part.attr)
        elif isinstance(part, ast.keyword | ast.arg) and part.arg is not None:
            unit.defines.add(part.arg)
        elif isinstance(part, ast.Dict):
            unit.defines |= {
                key.value for key in part.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)
            }
        elif (
            isinstance(part, ast.Subscript)
            and isinstance(part.slice, ast.Constant)
            and isinstance(part.slice.value, str)
        ):
            unit.uses.add(part.slice.value)
        if isinstance(part, ast.Call):
            unit.calls.add(callee_of(part))
    # an option of a command line is the attribute of what is parsed
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value.startswith("--"):
            unit.defines.add(part.value.lstrip("-").replace("-", "_"))
    return unit


def _stored(node: ast.AST) -> set[str]:
    found = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            found.add(part.id)
        elif isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store):
            found.add(part.attr)
        elif isinstance(part, ast.Subscript) and isinstance(part.ctx, ast.Store):
            found |= {one.id for one in ast.walk(part.value) if isinstance(one, ast.Name)}
            found |= {one.attr for one in ast.walk(part.value) if isinstance(one, ast.Attribute)}
    return found
