"""Pictures of what a layer does with its axes, as SVG with text that can be selected."""

from __future__ import annotations

from shapeinspect.render.pictures.album import pictures, sheet

__all__ = ["pictures", "sheet"]
