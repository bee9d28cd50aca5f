"""The pictures of all cards in one compressed text, each once."""

from __future__ import annotations

import base64
import zlib

from shapeinspect.explanation import LayerExplanation
from shapeinspect.render.pictures import pictures
from shapeinspect.render.pictures.canvas import stacked, style

#: Pictures are left out beyond so many characters: most of a page's size would be theirs.
_MOST = 2_400_000
#: Between two pictures; no text of a picture holds it.
SEPARATOR = "\0"


class Album:
    """Collects pictures; layers whose pictures are equal share one.

    Example:
        >>> album = Album()
        >>> album.add(LayerExplanation("a", "module", "Block", "")), album.packed
        (-1, '')
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._length = 0
        self._left_out = 0

    def add(self, layer: LayerExplanation) -> int:
        """Draw a layer, and return the number of its picture; -1 where it has none, or there is no room.

        Args:
            layer: the layer, explained.
        """
        if self._length > _MOST:
            self._left_out += 1
            return -1
        canvases = list(pictures(layer))
        if not canvases:
            return -1
        drawn = stacked(canvases).svg(layer.summary or layer.kind)
        drawn = drawn.replace(f"<style>{style()}</style>", "")  # the page has it once
        if drawn not in self._numbers:
            self._length += len(drawn)
        return self._numbers.setdefault(drawn, len(self._numbers))

    @property
    def left_out(self) -> int:
        """For how many layers there was no room."""
        return self._left_out

    @property
    def packed(self) -> str:
        """All pictures as a text of letters, digits, ``+``, ``/`` and ``=``: deflated, then in base 64."""
        if not self._numbers:
            return ""
        text = SEPARATOR.join(self._numbers)
        return base64.b64encode(zlib.compress(text.encode("utf-8", "replace"), 9)).decode()
