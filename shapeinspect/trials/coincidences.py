"""Changes with which a script runs by chance: sizes that broadcast, or that are as long as this batch."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any

from shapeinspect.plugin_api.user_code.source import is_named_batch
from shapeinspect.trials.candidates import Candidate
from shapeinspect.trials.source_file import Edit, File, applied

#: What a framework says of sizes that it makes equal by broadcasting, or finds different.
_OF_SIZES = re.compile(
    r"broadcast|(?:size|shape|length)s?\b.*\b(?:different|differs?|mismatch|match|same)\b", re.I | re.S
)
#: How far a number in the place of an expression stands behind a change of the number that is wrong.
_BARE = 3.0
#: How far one of several equal factors stands behind a change of all: height and width change together.
_PARTED = 2.0
#: How far the length of a batch stands behind: farther than another operator, axis or loss.
_CHANCE = 3.5


def of_sizes(text: str) -> bool:
    """Tell whether a warning is about sizes that differ.

    Args:
        text: the warning.

    Example:
        >>> of_sizes("Using a target size (4, 1) that is different to the input size (4, 5)")
        True
        >>> of_sizes("lr_scheduler.step() was called before optimizer.step()")
        False
    """
    return bool(_OF_SIZES.search(text))


def given_warnings(frames: Sequence[FrameType]) -> frozenset[str]:
    """Return the warnings about sizes that this process has given.

    Args:
        frames: the frames of the failure, whose modules may be gone.
    """
    spaces: list[Mapping[str, Any]] = [frame.f_globals for frame in frames]
    spaces += [getattr(module, "__dict__", {}) for module in [*sys.modules.values()]]
    texts = {
        key[0]
        for space in spaces
        if isinstance(registry := space.get("__warningregistry__"), dict)
        for key in [*registry]
        if isinstance(key, tuple) and isinstance(key[0], str)
    }
    return frozenset(text for text in texts if of_sizes(text))


def is_bare(file: File, one: Candidate) -> bool:
    """Tell whether a change writes a number in the place of an expression with names.

    Args:
        file: its file.
        one: the change.
    """
    raw = file.raw
    before = sorted(raw[edit.first : edit.last].decode() for edit in one.edits)
    if before == sorted(edit.new for edit in one.edits):  # they are exchanged
        return False
    return any(
        edit.new.isdigit() and re.search(rb"[A-Za-z_]", raw[edit.first : edit.last]) for edit in one.edits
    )


def longer(files: Sequence[File], one: Candidate) -> tuple[int, Mapping[str, str]] | None:
    """Return the length of the batch that a number becomes by a change, and the texts with it longer by one.

    Args:
        files: the files before the change.
        one: the change.

    Returns:
        None where no number becomes the length of a batch that is written in the files.
    """
    if one.alters or one.number is None:
        return None
    value = one.number[1]
    found: dict[str, list[Edit]] = {}
    for file in files:
        taken = [(edit.first, edit.last) for edit in one.edits if edit.file == file.path]
        for node in _batches(file, value):
            first, last = file.span(node)
            if all(last <= start or end <= first for start, end in taken):
                found.setdefault(file.path, []).append(Edit(file.path, first, last, str(value + 1)))
    if value < 2 or not found:
        return None
    texts = {}
    for file in files:
        edits = [*found.get(file.path, ()), *(edit for edit in one.edits if edit.file == file.path)]
        if edits:
            texts[file.path] = applied(file.text, edits)
    return value, texts


def larger(files: Sequence[File], one: Candidate) -> tuple[int, Mapping[str, str]] | None:
    """Return the named length of a batch beside which a number changes, and the texts with it longer by one.

    What is made of samples and fits a batch of this length only, fits by chance.

    Args:
        files: the files before the change.
        one: the change.

    Returns:
        None where the number is not one of data, or no length of a batch has a name.
    """
    file = next(file for file in files if file.path == one.file)
    if one.alters or one.number is None or file.is_in_class(one.node) or file.is_batch(one.node):
        return None
    for other in files:
        for value, nodes in other.numbers.items():
            named = [node for node in nodes if value > 1 and is_named_batch(node, other.parents)]
            if named:
                edits = {other.path: [other.edit(node, str(value + 1)) for node in named]}
                edits.setdefault(file.path, []).extend(one.edits)
                texts = {each.path: each.text for each in files}
                return value, {path: applied(texts[path], changed) for path, changed in edits.items()}
    return None


def behind(files: Sequence[File], one: Candidate) -> float:
    """Return how far a change stands behind since it may fit by chance.

    Args:
        files: the files before the change.
        one: the change.
    """
    file = next(file for file in files if file.path == one.file)
    bare = _BARE if is_bare(file, one) else 0.0
    parted = _PARTED if _is_parted(file, one) else 0.0
    return bare + parted + (_CHANCE if longer(files, one) is not None else 0.0)


def _is_parted(file: File, one: Candidate) -> bool:
    """Tell whether a change makes equal factors of one product differ."""
    if not isinstance(one.node, ast.Constant) or len(one.edits) > 1 or one.number is None:
        return False
    top, same = file.equals(one.node)
    return isinstance(top, ast.BinOp) and len(same) > 1


def _batches(file: File, value: int) -> list[ast.Constant]:
    """Return the numbers of this value that say how many samples there are.

    The first length of a single array may be anything: a name tells it, or a second array as long.
    """
    found = [node for node in file.numbers.get(value, ()) if file.is_batch(node)]
    named = any(isinstance(file.parents[node], ast.keyword | ast.Assign) for node in found)
    return found if named or len(found) > 1 else []
