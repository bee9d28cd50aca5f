"""Reads a tensor's values on request from a data file next to the model."""

from __future__ import annotations

import os
from pathlib import Path

from shapeinspect.binary.repeats import Repeats
from shapeinspect.errors import UnreadableFileError
from shapeinspect.sources.source import Source


def lacking(source: Source, location: str, needed: int) -> str | None:
    """Return what is wrong with a data file, without opening it: it is missing, or too short.

    Args:
        source: the model's file; a remote one is not asked.
        location: the path of the data file in the model.
        needed: the bytes that the model's tensors need of it.
    """
    if source.path is None:
        return None
    try:
        real = _inside(source, source.path.parent, location)
        size = needed if real is None else real.stat().st_size
    except FileNotFoundError:
        return f"{location} is missing"
    except OSError:
        return None  # what is wrong with it is said where it is read
    return None if size >= needed else f"{location} is cut off, it has {size:,} of {needed:,} bytes"


def _inside(source: Source, folder: Path, location: str) -> Path | None:
    """Return where a data file is, or None if that is not in the model's directory or its cache's blobs.

    Nor is it where the source is confined to a directory, and this leads out of it.
    """
    real = Path(os.path.realpath(folder / location, strict=True))
    home = Path(os.path.realpath(folder, strict=True))
    cache = [above.parent / "blobs" for above in home.parents if above.name == "snapshots"]
    if source.root is not None and not real.is_relative_to(source.root):
        return None
    return real if any(real.is_relative_to(allowed) for allowed in (home, *cache)) else None


def read(source: Source, location: str, offset: int, length: int, claimed: int = 0) -> bytes:
    """Read a span of a data file.

    The text of the path has been checked before. Here its target is checked too: it must be in the model's
    directory, or in the ``blobs`` folder of a model cache if the model is one of its snapshots.

    Args:
        source: the model's file.
        location: the path of the data file in the model.
        offset: the first byte.
        length: the number of bytes.
        claimed: how many bytes all tensors take from the file together.

    Raises:
        UnreadableFileError: if the file is missing, too short, outside these directories, or far smaller than
            what all tensors take from it.
    """
    folder = Path(source.label).parent if source.path is None else source.path.parent
    try:
        real = _inside(source, folder, location)
        if real is None or not real.is_file():
            raise UnreadableFileError(
                source.label, f"the data file {location!r} is outside the model's directory"
            )
        with real.open("rb") as file:
            opened = os.fstat(file.fileno())
            if _inside(source, folder, location) != real or not os.path.samestat(opened, real.stat()):
                raise UnreadableFileError(source.label, f"the data file {location!r} was exchanged")
            repeats = Repeats(source.label)
            repeats.add(claimed, opened.st_size)
            repeats.check()
            missing = offset + length - opened.st_size
            if missing <= 0:
                file.seek(offset)
                data = file.read(length)
                missing = length - len(data)
    except OSError as error:
        reason = f"the data file {location!r}: {error.strerror or error}"
        raise UnreadableFileError(source.label, reason) from None
    if missing:
        raise UnreadableFileError(
            source.label, f"the data file {location!r} ends {missing:,} bytes too early"
        )
    return data
