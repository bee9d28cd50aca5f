"""Reads a tensor's numbers from the file beside the model, only when they are asked for."""

from __future__ import annotations

from pathlib import Path

from shapeinspect.errors import UnreadableFileError
from shapeinspect.sources.source import Source


def read(source: Source, location: str, offset: int, length: int) -> bytes:
    """Read a span of a data file.

    The path was checked by its text before; here what it leads to is checked too: it must lie in
    the model's directory, or in the ``blobs`` folder of a model cache whose snapshot this is.

    Args:
        source: the model's file.
        location: the data file as the model names it.
        offset: the first byte.
        length: how many.

    Raises:
        UnreadableFileError: if the file is missing, too short or somewhere else.
    """
    folder = Path(source.label).parent if source.path is None else source.path.parent
    try:
        real = (folder / location).resolve(strict=True)
        home = folder.resolve(strict=True)
        cache = [above.parent / "blobs" for above in home.parents if above.name == "snapshots"]
        inside = any(real.is_relative_to(place) for place in (home, *cache))
        if not inside or not real.is_file():
            raise UnreadableFileError(source.label, f"the data file {location!r} leads outside its directory")
        with real.open("rb") as file:
            file.seek(offset)
            data = file.read(length)
    except OSError as error:
        reason = f"the data file {location!r}: {error.strerror or error}"
        raise UnreadableFileError(source.label, reason) from None
    if len(data) != length:
        raise UnreadableFileError(
            source.label, f"the data file {location!r} ends {length - len(data):,} bytes too early"
        )
    return data
