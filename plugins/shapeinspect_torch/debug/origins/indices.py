"""Says where the indices of a failed lookup come from that are outside of their table."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shapeinspect.plugin_api.evidence.outside import outside
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect_torch.debug.origins.following import Found

#: What the losses of class numbers leave out by default.
_IGNORED = -100
_STATED = re.compile(r"index (-?\d+) is out of bounds for (?:dimension|axis) -?\d+ with size (\d+)")
#: Functions that count a negative index from the end.
_FROM_END = frozenset({"__getitem__", "__setitem__", "index_put_", "index_put", "take"})
#: Where among the tensors that a function reads its indices stand.
_INDICES = {"embedding": 0, "one_hot": 0, "embedding_bag": 0}


def told(found: Found, trace: Trace, message: str) -> Iterator[str]:
    """Yield where the indices come from that a failed lookup was asked for.

    Args:
        found: the call that failed.
        trace: the script, as it failed.
        message: torch's message.
    """
    size = _size(found, message)
    at = _INDICES.get(found.function)
    holding = [one.values for one in (found.operands if at is None else found.operands[at : at + 1])]
    if size is None:
        return
    lowest = -size if found.function in _FROM_END else 0
    marks = {
        _IGNORED: f"{_IGNORED} is what cross_entropy and nll_loss leave out by default; "
        f"{_called(found.function)} leaves out nothing"
    }
    for values in holding:
        if any(not lowest <= one < size for one in values):
            yield from outside(trace, values, size, lowest, marks)
            return


def stated(trace: Trace, message: str) -> Iterator[str]:
    """Yield where an index comes from that a message names, of an array that is none of torch's.

    Args:
        trace: the script, as it failed.
        message: the message.
    """
    said = _STATED.search(message)
    if said:
        yield from outside(trace, (int(said[1]),), int(said[2]), -int(said[2]))


def _size(found: Found, message: str) -> int | None:
    """Return how many entries the table has; None for a call that looks nothing up."""
    said = _STATED.search(message)
    if said:
        return int(said[2])
    if found.function in ("embedding", "embedding_bag") and len(found.operands) > 1:
        return found.operands[1].shape[0] if found.operands[1].shape else None
    if found.function == "one_hot" and found.asked:
        return found.asked[0].value
    return None


def _called(function: str) -> str:
    return "an index" if function.startswith("__") else function
