"""The colors of the styles on pages; those of a terminal are its own."""

from __future__ import annotations

#: The styles' colors on a light and on a dark ground; the contrast of texts to the ground is at least 4.5.
COLORS: dict[str, tuple[str, str]] = {
    "heading": ("#101418", "#f2f4f6"),
    "rule": ("#c3c9d0", "#3d444c"),
    "dim": ("#5b6570", "#9aa4af"),
    "path": ("#0b6478", "#6cc7dc"),
    "kind": ("#2b6a2f", "#8ccf90"),
    "common": ("#8a2f86", "#dc9ad9"),
    "number": ("#7d5200", "#e3b866"),
    "note": ("#7d5200", "#e3b866"),
    "error": ("#b3261e", "#ff8a80"),
}

#: The ground and the text on it.
GROUND, TEXT = ("#fcfcfb", "#14181c"), ("#1f262d", "#d9dee3")

#: The fonts of tables, the first that a machine has.
MONOSPACE = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
