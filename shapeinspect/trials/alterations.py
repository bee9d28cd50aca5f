"""What a change of a source alters of its meaning, as far as the place and the text of the change tell it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Any

from shapeinspect.plugin_api.user_code.source import callee_of, given_names
from shapeinspect.trials.given_up import DROPPING, given_up
from shapeinspect.trials.source_file import Edit, File
from shapeinspect.trials.unread import left_unread

#: Calls that compute something of an array; without one of them another thing is computed.
_COMPUTING = frozenset(
    {"mean", "sum", "max", "min", "amax", "amin", "argmax", "softmax", "log_softmax", "norm", "std"}
)
#: Calls that write a model to a file of another format.
_EXPORTING = re.compile("export|convert")
#: Calls that write what has been learned to a file.
_SAVING = re.compile(r"save(?:_\w+)?")
_PART = re.compile(r"\[[^\[\]]*\]$")
#: Names of lengths that no list has by its number of entries.
_MEASURED = re.compile(
    r"scale|side|width|height|stride|kernel|hop|window|crop|patch|im(?:g|age)|pixel|rate|hidden|dilation|padding"
    r"|resolution|target_size",
    re.IGNORECASE,
)
_ENTRIES = re.compile(r"\blen\(([\w.]+)\)")
#: Calls that join arrays along an axis.
_JOINING = frozenset({"cat", "concat", "concatenate", "stack", "hstack", "vstack"})
#: What a loss is called by.
_LOSS = re.compile(r"loss|entropy|mse\b|_?crossentropy", re.IGNORECASE)


def altered(file: File, edits: Sequence[Edit], node: Any) -> str:
    """Return what edits alter of a program's meaning, as a noun; empty for nothing that can be told.

    Args:
        file: the file.
        edits: the parts that are replaced.
        node: the smallest expression or statement around them.
    """
    raw = file.raw
    for edit in edits:
        old, new = raw[edit.first : edit.last].decode(), edit.new
        if _is_end_of_slice(file, edit, node) and not _is_next(old, new):
            return "how much is read"
        if (
            new.startswith(old)
            and old
            and _PART.fullmatch(new[len(old) :])
            and not _adds_axis(new[len(old) :])
            and not old.endswith(".shape")
        ):
            return "which entries are read"
        if _is_size(old, new) and (_is_written(file, node, _EXPORTING) or _calls_export(file, node)):
            return "the size that the model is exported for"
        if _is_written(file, node, _SAVING):
            return "what is saved"
        if _is_loss(old) and _is_loss(new) and _name(old) != _name(new):
            return f"the loss: {_name(new)} instead of {_name(old)}"
    if len(edits) == 1 and isinstance(node, ast.Call) and callee_of(node) in _COMPUTING:
        old, new = raw[edits[0].first : edits[0].last].decode(), edits[0].new
        if old == file.source(node) and new and new != old and new in old and not new.endswith(")"):
            return f"what is computed: without {callee_of(node)}"
    if "reduction" in _names(file, edits, node):
        return "what the loss returns: it is reduced otherwise"
    whole = [one for one in _replaced(file, edits, node) if file.is_batch(one)]
    if whole and all(edit.new.isdigit() for edit in edits):
        return "how many samples there are"
    unread = left_unread(file, edits, node)
    if unread:
        return f"what is computed: {unread} is not read any more"
    lost = given_up(file, edits, node)
    return lost or _condition(file, edits, node) or _entries(file, edits, node) or _samples(file, edits, node)


def noted(file: File, edits: Sequence[Edit], node: Any) -> str:
    """Return what edits change besides, where a mistake may stand just there, as a noun; empty for nothing.

    Args:
        file: the file.
        edits: the parts that are replaced.
        node: the smallest expression or statement around them.
    """
    names = _names(file, edits, node)
    if any(DROPPING.search(edit.new) for edit in edits):
        return "what is read: the samples of an incomplete last batch are left out"
    axis = {*names} & {"dim", "axis"} or any(re.search(r"\b(?:dim|axis)\s*=", edit.new) for edit in edits)
    if axis and isinstance(node, ast.Call) and callee_of(node) in _JOINING:
        return "along which axis arrays are joined"
    return "how many classes there are" if any("classes" in name.lower() for name in names) else ""


def _names(file: File, edits: Sequence[Edit], node: Any) -> list[str]:
    """Return what the expressions are given to that are replaced."""
    found = []
    for one in _replaced(file, edits, node):
        found += given_names(one, file.parents) or file.parameters(one)
    return found


def _replaced(file: File, edits: Sequence[Edit], node: Any) -> list[ast.AST]:
    """Return the expressions that are replaced as a whole."""
    spans = {(edit.first, edit.last) for edit in edits}
    return [one for one in ast.walk(node) if isinstance(one, ast.expr) and file.span(one) in spans]


def _condition(file: File, edits: Sequence[Edit], node: Any) -> str:
    """Say that another condition is asked, outside of what is called in it."""
    for one in _replaced(file, edits, node):
        around: Any = file.parents.get(one)
        while isinstance(around, ast.BinOp | ast.UnaryOp):
            around = file.parents.get(around)
        if isinstance(around, ast.Compare):
            return f"a condition: {file.source(around)}"
    return ""


def _entries(file: File, edits: Sequence[Edit], node: Any) -> str:
    """Say that a length is said by the number of entries of something that has nothing to do with it."""
    raw = file.raw
    for edit in edits:
        old = raw[edit.first : edit.last].decode()
        added = {*_ENTRIES.findall(edit.new)} - {*_ENTRIES.findall(old)}
        argument = re.search(r"(\w+)=[^=]*len\([\w.]+\)[^=]*$", edit.new)
        place = argument[1] if argument else " ".join(_names(file, edits, node))
        if added and _MEASURED.search(f"{place} {old if not argument else ''}"):
            return f"a length to the number of entries of {added.pop()}"
    return ""


def _samples(file: File, edits: Sequence[Edit], node: Any) -> str:
    """Say that what is made has its samples along another axis."""
    spans = [(edit.first, edit.last) for edit in edits]
    if len(edits) == 2 and isinstance(node, ast.Tuple | ast.List | ast.Call):
        parts = node.args if isinstance(node, ast.Call) else node.elts
        if [file.span(one) for one in parts[:2]] == spans and file.is_batch(parts[0]):
            return f"what is fed: {file.source(parts[1])} samples instead of {file.source(parts[0])}"
    return ""


def _is_size(old: str, new: str) -> bool:
    """Tell whether one number is written for another, or one more argument is given that is a number."""
    added = new.replace(old, "", 1) if old in new else new
    return (old.isdigit() and new.isdigit()) or bool(re.search(r"=\s*\d+\)?$", added.strip(", ")))


def _calls_export(file: File, node: Any) -> bool:
    """Tell whether a number is an argument of a function of this file that writes a model to a file."""
    while node is not None and not isinstance(node, ast.Call):
        node = file.parents.get(node)
    called = file.functions.get(callee_of(node))
    return called is not None and any(_writing(file, called, _EXPORTING))


def _is_written(file: File, node: Any, writes: re.Pattern[str]) -> bool:
    """Tell whether a part stands in a function that writes a model to a file, before it does so."""
    inner = node
    while node is not None and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        node = file.parents.get(node)
    return node is not None and any(
        inner.lineno <= (call.end_lineno or call.lineno) for call in _writing(file, node, writes)
    )


def _writing(file: File, function: Any, writes: re.Pattern[str]) -> Iterator[ast.Call]:
    """Yield the calls in a function that write to a file."""
    for name, calls in file.calls.items():
        if writes.fullmatch(name):
            yield from (call for call in calls if function.lineno <= call.lineno <= function.end_lineno)


def _is_end_of_slice(file: File, edit: Edit, node: Any) -> bool:
    while node is not None and not isinstance(node, ast.stmt):
        if isinstance(node, ast.Slice):
            first, last = file.span(node)
            return first <= edit.first and edit.last <= last
        node = file.parents.get(node)
    return False


def _is_next(old: str, new: str) -> bool:
    """Tell whether a number becomes the one before or behind it."""
    try:
        return abs(int(old) - int(new)) == 1
    except ValueError:
        return re.sub(r" [+-] 1$", "", new) == old


def _adds_axis(text: str) -> bool:
    return "None" in text or "newaxis" in text


def _name(text: str) -> str:
    return text.partition("(")[0].rpartition(".")[2].strip()


def _is_loss(text: str) -> bool:
    return bool(_LOSS.search(_name(text)))
