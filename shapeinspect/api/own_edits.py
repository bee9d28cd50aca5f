"""Fixes of the debugger as edits of the user's source, and where the layers are made that they set."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator, Sequence

from shapeinspect.mismatch import Diagnosis
from shapeinspect.mismatch.diagnosis import Tried
from shapeinspect.plugin_api.claims import Level
from shapeinspect.plugin_api.evidence.edit import shortened
from shapeinspect.plugin_api.suggestions import Replacement, Suggestion
from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect.trials.candidates import Candidate, suggested
from shapeinspect.trials.source_file import File

#: A setting as it is written: its name, its value and the layer.
_SETTING = re.compile(r'(\w+)=([^ ,]+) in "([^"]+)"')
#: At most so many lines at which layers are made are told.
_MADE = 2


def own_edits(
    diagnosis: Diagnosis | None, files: Sequence[File], places: Sequence[tuple[str, int]]
) -> Iterator[Candidate]:
    """Yield the fixes that are code in the place of other code, for a run of the script.

    Args:
        diagnosis: what is known of the failure; None for nothing.
        files: the files that may be changed.
        places: file and line of the user's frames, the outermost first.
    """
    for place, one in enumerate(() if diagnosis is None else diagnosis.fixes):
        for file, edit in (*_code(one, files), *_settings(one, files, places)):
            cause = one.fix.cause if place else ""  # that of the first is the diagnosis's, if it is any
            alters, rank = one.fix.alters, 0.05 + 0.05 * place
            yield suggested(file, Suggestion(file.path, (edit,), rank, cause, alters=alters))


def _code(one: Tried, files: Sequence[File]) -> Iterator[tuple[File, Replacement]]:
    """Yield what a fix writes for something that stands in one place."""
    new, split, old = one.text.partition(" instead of ")
    if not split or " instead of " in old or (one.claim.level is Level.WHOLE and one.claim.to_end):
        return
    for file in files:
        if file.text.count(old) == 1:
            first = len(file.text[: file.text.index(old)].encode())
            yield file, (first, first + len(old.encode()), new)


def _settings(
    one: Tried, files: Sequence[File], places: Sequence[tuple[str, int]]
) -> Iterator[tuple[File, Replacement]]:
    """Yield the argument of a function, which is no layer that is made elsewhere, where it is called."""
    setting = _SETTING.fullmatch(one.text)
    if setting is None:
        return
    name, value, path = setting.groups()
    function = re.sub(r"_\d+$", "", path.rpartition(".")[2])
    for home, line in reversed(places):
        for file in (one for one in files if one.path == home):
            calls = [
                node
                for node in file.calls.get(function, ())
                if node.lineno <= line <= (node.end_lineno or 0) and not _is_own(node.func)
            ]
            if len(calls) == 1:
                yield file, _argument(file, calls[0], name, value)
                return


def _is_own(function: ast.expr) -> bool:
    """Tell whether what is called is an attribute of the object itself, such as a layer."""
    return isinstance(function, ast.Attribute) and ast.unparse(function.value).split(".")[0] == "self"


def _argument(file: File, call: ast.Call, name: str, value: str) -> Replacement:
    for word in call.keywords:
        if word.arg == name:
            return (*file.span(word.value), value)
    return (*file.span(call), file.extended(call, f"{name}={value}"))


def making_lines(diagnosis: Diagnosis, files: Sequence[File]) -> tuple[str, ...]:
    """Say where the layers are made of which the first fix sets something.

    Args:
        diagnosis: the diagnosis.
        files: the user's files, the script first.
    """
    text = diagnosis.fixes[0].text if diagnosis.fixes else ""
    paths = [found[3] for found in _SETTING.finditer(text)][:1]
    said = []
    for path in paths:
        parts = path.split(".")
        for depth, part in enumerate(parts):
            made = [] if part.isdigit() else [*_made(files, part)]
            if len(made) == 1:
                file, row = made[0]
                of = "" if file is files[0] else f" of {os.path.basename(file.path)}"
                code = shortened(file.source(row.value))
                said.append(f'"{".".join(parts[: depth + 1])}" is {code}, line {row.value.lineno}{of}')
    known = " ".join(diagnosis.because)
    lines = (one for one in said[::-1] if not re.search(rf"{one.rpartition(', ')[2]}\b", known))
    return tuple(lines)[:_MADE]


def _made(files: Sequence[File], attribute: str) -> Iterator[tuple[File, ast.Assign]]:
    """Yield the assignments of a call to an attribute of an object itself."""
    for file in files:
        for node in ast.walk(file.tree):
            if not isinstance(node, ast.Assign) or not callee_of(node.value):
                continue
            target = node.targets[0]
            if isinstance(target, ast.Attribute) and target.attr == attribute and _is_own(target):
                yield file, node
