"""Weight layouts as data: einops patterns, tables of them, and what follows from a row."""

from shapeinspect.layout.apply import to_common, to_native
from shapeinspect.layout.normalize import common_shape, normalize, permutation, transform
from shapeinspect.layout.pattern import Pattern, expand, lengths, parse
from shapeinspect.layout.table import Row, Table

__all__ = [
    "Pattern",
    "Row",
    "Table",
    "common_shape",
    "expand",
    "lengths",
    "normalize",
    "parse",
    "permutation",
    "to_common",
    "to_native",
    "transform",
]
