"""A folder that looks like another one: links to its files, except for those that are changed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass

#: After so many entries a link stands for a whole folder in which the script has written nothing yet.
_ENTRIES = 300
#: How the temporary folders are called in which mirrors are made.
PREFIX = "shapeinspect-trial-"
#: At most so many links stand beside the mirror.
_BESIDE = 1000
#: What a script does not read from its own folder.
_LEFT_OUT = frozenset(
    {"__pycache__", "node_modules", ".git", ".venv", "venv", ".mypy_cache", ".pytest_cache"}
)


def mirror(
    folder: str, target: str, changed: Mapping[str, str], since: float, entered: Sequence[str] = ()
) -> None:
    """Make a mirror of a folder.

    A file that was written after the script began is left out: the script writes it again.

    Args:
        folder: the folder.
        target: where the mirror is made; it is not there yet.
        changed: the text of each file that is changed, by its path in the folder.
        since: when the script began, in seconds since 1970.
        entered: paths in the folder whose folders have to be writable, such as the script's own.
    """
    texts = {os.path.normpath(name): text for name, text in changed.items()}
    needed = {os.path.normpath(name) for name in entered} | {os.path.dirname(name) for name in texts}
    inside = os.path.relpath(os.path.realpath(target), os.path.realpath(folder))
    _copy(folder, target, _Order(texts, needed, since, [_ENTRIES], inside), "")


@dataclass(frozen=True, slots=True)
class _Order:
    texts: Mapping[str, str]
    needed: AbstractSet[str]
    since: float
    left: list[int]
    target: str

    def is_entered(self, name: str, folder: os.DirEntry[str]) -> bool:
        """Tell whether a folder is mirrored entry by entry."""
        inside = any((one + os.sep).startswith(name + os.sep) for one in self.needed)
        if not os.access(folder.path, os.R_OK | os.X_OK):  # nobody lists it, the script no more than a trial
            return False
        return inside or self.left[0] > 0 or _written(folder, self.since)

    def is_own(self, name: str) -> bool:
        """Tell whether an entry holds the mirror itself, or that of another run."""
        return os.path.basename(name).startswith(PREFIX) or (self.target + os.sep).startswith(name + os.sep)


def beside(folder: str, target: str) -> None:
    """Make a folder with links to what stands beside another one, so that ``../data`` is found.

    Args:
        folder: the folder.
        target: what is made; it is not there yet.
    """
    os.mkdir(target)
    parent, own = os.path.split(folder)
    with suppress(OSError):
        entries = [entry for entry in os.scandir(parent) if entry.name != own]
        for entry in entries[:_BESIDE]:
            os.symlink(os.path.abspath(entry.path), os.path.join(target, entry.name))


def _copy(folder: str, target: str, order: _Order, within: str) -> None:
    os.mkdir(target)
    for entry in sorted(os.scandir(folder), key=lambda one: (one.is_dir(), one.name)):
        name = os.path.join(within, entry.name) if within else entry.name
        place = os.path.join(target, entry.name)
        if entry.name in _LEFT_OUT or order.is_own(name):
            continue
        order.left[0] -= 1
        if name in order.texts:
            with open(place, "w", encoding="utf-8", newline="") as file:
                file.write(order.texts[name])
        elif entry.is_dir() and not entry.is_symlink() and order.is_entered(name, entry):
            _copy(entry.path, place, order, name)
        elif entry.is_dir() or not _written(entry, order.since):
            os.symlink(os.path.abspath(entry.path), place)


def _written(entry: os.DirEntry[str], since: float) -> bool:
    try:
        return entry.stat().st_mtime >= since
    except OSError:  # a link to nothing
        return False
