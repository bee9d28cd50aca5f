"""How large a table or an axis would have to be for the indices that it is asked for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

from shapeinspect.plugin_api.programs.numbers import Pair
from shapeinspect.plugin_api.programs.places import Step

_OUTSIDE = re.compile(r"out of (?:bounds|range)")
_SIZE = re.compile(r"with size (\d+)")


def outside(steps: Sequence[Step], message: str) -> list[Pair]:
    """Return one more than the largest index, with the length that is too short for it.

    Args:
        steps: the expressions that were running, the innermost first.
        message: torch's message.
    """
    if not _OUTSIDE.search(message):
        return []
    for step in steps[:2]:
        if not isinstance(step.node, ast.Call | ast.Subscript) or step.frame is None:
            continue
        found = [value for value in _values(step.node, step.frame) if value is not None]
        largest = [int(value.max()) for value in found if _is_integer(value)]
        size = _SIZE.search(message)
        lengths = [int(size[1])] if size else [*_tables(found)]
        if largest and lengths and max(largest) >= lengths[0]:
            return [(max(largest) + 1, lengths[0])]
    return []


def _values(call: ast.AST, frame: FrameType) -> Iterator[Any]:
    """Yield what the names in a call stand for, as far as looking them up runs no code of the user's."""
    for node in ast.walk(call):
        if isinstance(node, ast.Name):
            yield frame.f_locals.get(node.id, frame.f_globals.get(node.id))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = frame.f_locals.get(node.value.id)
            held = getattr(owner, "__dict__", {})
            yield held.get(node.attr, held.get("_modules", {}).get(node.attr))


def _is_integer(value: Any) -> bool:
    import torch

    plain = isinstance(value, torch.Tensor) and value.numel() > 0
    return plain and value.dtype in (torch.int64, torch.int32, torch.int16, torch.uint8)


def _tables(found: Sequence[Any]) -> Iterator[int]:
    """Yield how many rows the tables among some values have, or how many classes scores have."""
    import torch

    for value in found:
        if isinstance(value, torch.nn.Embedding):
            yield value.num_embeddings
    for value in found:
        if isinstance(value, torch.Tensor) and value.is_floating_point() and value.dim() > 1:
            yield int(value.shape[1])
