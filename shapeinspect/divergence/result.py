"""Where two models part, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from shapeinspect.dims import Shape
from shapeinspect.ir import Model

#: Whether two activations are alike; ``"unseen"`` where one of them could not be compared.
Verdict: TypeAlias = Literal["same", "parts", "unseen"]


@dataclass(frozen=True, slots=True)
class Step:
    """One pair of layers, and how far what they return is apart.

    Args:
        a: the first model's layer; ``"output"`` for what the model returns, numbered if it is several.
        b: the second one's.
        kind: their kind; empty for what the model returns.
        verdict: the result.
        shape: the lengths of what the first one returned.
        axes: the letters of its axes, None where one has none; empty where they are not known.
        apart: the largest absolute difference; None where nothing was compared.
        largest: the largest absolute value that either returned.
        why: what was done to compare them, or why they could not be.
    """

    a: str
    b: str
    kind: str
    verdict: Verdict
    shape: Shape = ()
    axes: tuple[str | None, ...] = ()
    apart: float | None = None
    largest: float | None = None
    why: str = ""

    @property
    def is_output(self) -> bool:
        """Whether this is what the models return; a layer may be called ``output``, too."""
        return not self.kind

    @property
    def relative(self) -> float | None:
        """The difference as a part of the largest value."""
        if self.apart is None or self.largest is None:
            return None
        return self.apart / self.largest if self.largest else self.apart


@dataclass(frozen=True, slots=True)
class Suspect:
    """A difference of the models that may be the reason, and what came of changing it.

    Args:
        layer: the layer's path in the first model.
        text: the difference, as a clause.
        tried: what was changed to try it, as a clause; empty where it could not be changed.
        next: the first layer that parts after the change; None where all agree then, or nothing was tried.
        helps: whether the layers agree then that parted here.
    """

    layer: str
    text: str
    tried: str = ""
    next: str | None = None
    helps: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """One place where the models part, and what may be the reason.

    Args:
        step: the first pair that parts.
        suspects: the likeliest reasons; one that helps comes first.
        seen: the first pair of layers that parts, where an op in front of it is the reason; else None.
    """

    step: Step
    suspects: tuple[Suspect, ...] = ()
    seen: Step | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """Two models run side by side.

    Args:
        a: the first model.
        b: the second one.
        inputs: for each input its name, and its shape in either model.
        steps: all pairs, in the first model's order of execution, as they were at first.
        found: the places where they part: the first one, then those that remain when the reason of each
            before is changed.
        rtol: the difference that counts as none, as a part of the largest value.
    """

    a: Model
    b: Model
    inputs: tuple[tuple[str, str, str], ...]
    steps: tuple[Step, ...]
    found: tuple[Found, ...]
    rtol: float

    @property
    def same(self) -> bool:
        """Whether everything that could be compared agrees, the outputs among it."""
        outputs = [step for step in self.steps if step.is_output]
        return not self.found and bool(outputs) and all(step.verdict == "same" for step in outputs)
