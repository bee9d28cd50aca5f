"""What the metadata states about an architecture, as plain values and as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from shapeinspect_gguf.reader import Array, Field, Header, Single, Text

#: The template is a program; it is mentioned but never shown.
_TEMPLATE = "tokenizer.chat_template"
#: Longer texts of the tokenizer, and any text longer than the reader keeps, are described by their length.
_LONG = 200
_MOST_SHOWN = 1000


@dataclass(frozen=True, slots=True)
class Facts:
    """The metadata of one model.

    Args:
        fields: all of it.

    Example:
        >>> Facts({"general.architecture": Text("llama", 5), "llama.block_count": 32}).number("block_count")
        32
    """

    fields: dict[str, Field]

    @property
    def architecture(self) -> str | None:
        """The name of the architecture, or None."""
        return self.text("general.architecture")

    @property
    def named_by_standard(self) -> bool:
        """Whether tensor names are llama.cpp's: it demands an architecture and its block count."""
        start = f"{self.architecture}."
        return self.architecture is not None and any(
            key.startswith(start) and key.endswith(".block_count") for key in self.fields
        )

    def text(self, key: str) -> str | None:
        """Return a text in full, or None if there is none under this key.

        Args:
            key: the full key.
        """
        field = self.fields.get(key)
        return field.start if isinstance(field, Text) and field.nbytes <= _MOST_SHOWN else None

    def number(self, key: str) -> int | None:
        """Return an integer of the architecture, or None.

        Args:
            key: the key without the architecture's name.
        """
        return self.block_number(key, None)

    def block_number(self, key: str, block: int | None) -> int | None:
        """Return an integer that may differ from block to block, or None.

        Args:
            key: the key without the architecture's name.
            block: the number of the block; None if there is none.
        """
        field = self.fields.get(f"{self.architecture}.{key}")
        if isinstance(field, Array) and field.items is not None and block is not None:
            field = field.items[block] if block < len(field.items) else None
        return field if type(field) is int else None

    def real(self, key: str, full: bool = False) -> float | None:
        """Return a number as a float, rounded to what its 32 bits hold, or None.

        Args:
            key: the key without the architecture's name.
            full: whether it is the whole key.
        """
        field = self.fields.get(key if full else f"{self.architecture}.{key}")
        if isinstance(field, Single):
            return float(f"{field.value:.7g}") if isfinite(field.value) else None
        if not isinstance(field, int | float) or isinstance(field, bool):
            return None
        return float(field) if isfinite(field) else None

    def holds(self, key: str) -> bool:
        """Tell whether the architecture states something.

        Args:
            key: the key without the architecture's name.
        """
        return f"{self.architecture}.{key}" in self.fields

    def count(self, key: str) -> int | None:
        """Return how many items an array has, or None.

        Args:
            key: the full key.
        """
        field = self.fields.get(key)
        return field.count if isinstance(field, Array) else None


def metadata(header: Header, fields: Mapping[str, Field]) -> dict[str, str]:
    """Return the metadata as text; long values are described by their length.

    Args:
        header: the header of the file.
        fields: the metadata of all parts.

    Example:
        >>> metadata(Header(3, "<", {}, ()), {"llama.block_count": 2})
        {'gguf.version': '3', 'llama.block_count': '2'}
    """
    shown = {"gguf.version": str(header.version)}
    if header.order == ">":
        shown["gguf.byte_order"] = "big"
    for key, field in list(fields.items())[:_MOST_SHOWN]:
        shown[key] = _text(key, field)
    return shown


def _text(key: str, field: Field) -> str:
    if isinstance(field, Text):
        if key.startswith(_TEMPLATE):
            return f"a template of {field.nbytes:,} bytes, not shown"
        if field.nbytes > (_LONG if key.startswith("tokenizer.") else _MOST_SHOWN):
            return f"a text of {field.nbytes:,} bytes"
        return field.start
    if isinstance(field, Array):
        if field.items is not None and field.count <= 64 and not key.startswith("tokenizer."):
            return ", ".join(_plain(item) for item in field.items)
        return f"{field.count:,} {field.item}s" if field.count != 1 else f"1 {field.item}"
    return f"{field.value:.7g}" if isinstance(field, Single) else _plain(field)


def _plain(value: float) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else f"{value:.7g}"
