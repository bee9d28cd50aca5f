"""Explains a failure that nothing else knows, by the call that failed in a second run of the program."""

from __future__ import annotations

from shapeinspect.ir import Layer, Value
from shapeinspect.plugin_api.facts import Explained
from shapeinspect.plugin_api.rewriting import Rewriting, outside
from shapeinspect.rules.rule import show
from shapeinspect_torch.debug.origins.following import Found
from shapeinspect_torch.debug.origins.telling import story_of


def failed_call(error: BaseException, where: str | None) -> Rewriting | None:
    """Return the call of torch that failed, with what it read; None where it is not known.

    Args:
        error: the exception, with its traceback.
        where: the user's source line.
    """
    tell = story_of(error)
    found = None if tell is None else tell().found
    if not isinstance(found, Found) or not (found.operands or found.given):
        return None
    operands = found.operands or found.given
    name = found.function or found.layer
    values = [Value(one.name or f"operand {at}", one.shape) for at, one in enumerate(operands[:4])]
    got = " and ".join(show(one.shape) for one in operands[:4])
    fact = Explained("unknown", (), (got,))
    return Rewriting(outside(Layer(name, "unknown", name), values, "torch", str(error), where, fact))
