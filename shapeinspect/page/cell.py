"""A page inside a notebook's cell."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from shapeinspect.text import one_line
from shapeinspect.units import short


@dataclass(frozen=True, slots=True)
class PageInCell:
    """A page that a notebook shows in a frame of its own, which may run the page's code and nothing else.

    Args:
        source: the model's name.
        page: the page.
        height: how high the frame is, in pixels.

    Example:
        >>> PageInCell("m.onnx", "<!doctype html>", 400)
        <page of m.onnx: 15 B>
    """

    source: str
    page: str
    height: int = 640

    def __repr__(self) -> str:
        return one_line(f"<page of {self.source}: {short(len(self.page.encode()), 'B')}>")

    def _repr_html_(self) -> str:
        return (
            f'<iframe title="{escape(one_line(self.source), quote=True)}" sandbox="allow-scripts" '
            f'width="100%" height="{self.height}" style="border:1px solid #8884;border-radius:8px" '
            f'srcdoc="{escape(self.page, quote=True)}"></iframe>'
        )
