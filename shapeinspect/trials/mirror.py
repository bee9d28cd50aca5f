"""A folder that looks like another one: links to its files, except for those that are changed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress

#: At most so many entries are mirrored one by one; of larger folders a link stands for the whole.
_ENTRIES = 2000
#: What a script does not read from its own folder.
_LEFT_OUT = frozenset(
    {"__pycache__", "node_modules", ".git", ".venv", "venv", ".mypy_cache", ".pytest_cache"}
)


def mirror(folder: str, target: str, changed: Mapping[str, str], since: float) -> None:
    """Make a mirror of a folder.

    A file that was written after the script began is left out: the script writes it again.

    Args:
        folder: the folder.
        target: where the mirror is made; it is not there yet.
        changed: the text of each file that is changed, by its path in the folder.
        since: when the script began, in seconds since 1970.
    """
    left = [_ENTRIES]
    _copy(folder, target, {os.path.normpath(name): text for name, text in changed.items()}, "", since, left)


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
        for entry in entries[:_ENTRIES]:
            os.symlink(os.path.abspath(entry.path), os.path.join(target, entry.name))


def _copy(
    folder: str, target: str, changed: Mapping[str, str], within: str, since: float, left: list[int]
) -> None:
    os.mkdir(target)
    entries = sorted(os.scandir(folder), key=lambda one: (one.is_dir(), one.name))
    needed = {name.split(os.sep)[0] for name in _below(changed, within)}
    for entry in entries:
        name = os.path.join(within, entry.name) if within else entry.name
        place = os.path.join(target, entry.name)
        if entry.name in _LEFT_OUT:
            continue
        left[0] -= 1
        if name in changed:
            with open(place, "w", encoding="utf-8", newline="") as file:
                file.write(changed[name])
        elif entry.is_dir() and not entry.is_symlink() and (left[0] > 0 or entry.name in needed):
            _copy(entry.path, place, changed, name, since, left)
        elif entry.is_dir() or not _written(entry, since):
            os.symlink(os.path.abspath(entry.path), place)


def _below(changed: Mapping[str, str], within: str) -> list[str]:
    start = within + os.sep if within else ""
    return [name[len(start) :] for name in changed if name.startswith(start)]


def _written(entry: os.DirEntry[str], since: float) -> bool:
    try:
        return entry.stat().st_mtime >= since
    except OSError:  # a link to nothing
        return False
