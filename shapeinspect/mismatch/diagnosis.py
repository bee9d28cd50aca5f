"""What is known about a failure, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from shapeinspect.ir import Call, Layer, Model, Value
from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.mismatch.sizes.requirements import Problem
from shapeinspect.plugin_api.claims import Claim
from shapeinspect.plugin_api.rerun import Failure


def _nothing(_diagnosis: object) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Tried:
    """A fix that gets past the failure.

    Args:
        fix: what was tried.
        text: what to write, in the framework's terms.
        claim: what was run with it.
    """

    fix: Fix
    text: str
    claim: Claim


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is known about a failure.

    Args:
        failure: where the run ended.
        model: everything up to there, with named axes and common layouts.
        problem: what does not fit.
        cause: why, a key of ``causes.CAUSES``.
        fixes: the changes that get past the failure, the best first.
        runs: how many times the call was run again.
        because: where the sizes come from that do not fit, a sentence each.
        searched: what ended the search for changes of the script before it was through; empty for nothing.
        html: writes it as a piece of HTML.
        sure: those of ``because`` that name the mistake itself, whatever fix helps.
    """

    failure: Failure
    model: Model
    problem: Problem
    cause: str
    fixes: tuple[Tried, ...]
    runs: int = 0
    because: tuple[str, ...] = ()
    searched: str = ""
    html: Callable[[Diagnosis], str] = field(default=_nothing, repr=False, compare=False)
    sure: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        return self.html(self)

    @property
    def layer(self) -> Layer:
        """The layer that refused."""
        return self.failure.layer

    def chain(self, last: int = 10) -> tuple[tuple[Layer, Call], ...]:
        """Return the calls that led to the failure, in order.

        Args:
            last: how many of them.
        """
        layers = {layer.path: layer for layer in self.model.layers}
        wanted = {name for name in self.failure.inputs if name}
        chain: list[tuple[Layer, Call]] = []
        for call in reversed(self.model.calls):
            layer = layers.get(call.layer)
            if layer is None or layer.kind in ("module", "input") or not wanted.intersection(call.outputs):
                continue
            wanted.update(name for name in call.inputs if name)
            chain.append((layer, call))
        return tuple(reversed(chain[:last]))

    def values(self) -> Mapping[str, Value]:
        """Return every value up to the failure, by name."""
        return self.model.values
