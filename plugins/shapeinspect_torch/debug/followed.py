"""A failed call and the statements behind it: a fix has to suit both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from shapeinspect.plugin_api.changes import Change, OnInput, Wording
from shapeinspect.plugin_api.claims import Claim, Level
from shapeinspect.plugin_api.rerun import Failure, Rerun
from shapeinspect_torch.debug.calls.rerun import TorchRerun
from shapeinspect_torch.debug.following import Following
from shapeinspect_torch.debug.index_errors import LargestIndex

#: What fails behind the call lies further than anything in it.
_BEHIND = 1_000_000


class Followed(Rerun):
    """A call that failed, and what its program does with what it returns.

    Args:
        rerun: the call.
        rest: the statements behind it.
    """

    def __init__(self, rerun: TorchRerun | LargestIndex, rest: Following) -> None:
        self._rerun, self._rest = rerun, rest
        self.failure = rerun.failure
        self._claims: dict[tuple[Change, ...], Claim] = {}

    def attempt(self, changes: Sequence[Change]) -> Failure | None:
        """Run the call with changes, then what follows; see ``shapeinspect.plugin_api.rerun.Rerun``."""
        ended = self._rerun.attempt(changes)
        if ended is not None:
            return ended
        refused = self._refused(tuple(changes))
        if refused is None:
            return None
        failure = refused.failure
        return replace(failure, position=_BEHIND + failure.position)

    def claim(self, changes: Sequence[Change]) -> Claim:
        """Return what ran to its end; see ``shapeinspect.plugin_api.rerun.Rerun``.

        Args:
            changes: the changes, as they were last given to ``attempt``.
        """
        return self._claims.get(tuple(changes), self._rerun.claim(changes))

    def continued(self, changes: Sequence[Change]) -> Rerun | None:
        """Return the call up to the next failure, in it or behind it; see ``Rerun``.

        Args:
            changes: they belong to every run of the call that is returned.
        """
        if self._rerun.attempt(changes) is None:
            return self._refused(tuple(changes))
        inside = self._rerun.continued(changes)
        return Followed(inside, self._rest) if isinstance(inside, TorchRerun | LargestIndex) else None

    def spell(self, change: Wording, name: str) -> str:
        """Write a change in torch's words; see ``shapeinspect.plugin_api.rerun.Rerun``."""
        return self._rerun.spell(change, name)

    def _refused(self, changes: tuple[Change, ...]) -> TorchRerun | None:
        """Run what follows on what the call has just returned; return its failure, or None."""
        rest, others = self._rest, dict(self._resized(changes))
        inputs = {**rest.inputs, **others, rest.given: self._rerun.outputs}
        behind = TorchRerun(rest.module, (), inputs)
        error = behind.reproduce("", None)
        claim = self._rerun.claim(changes)
        if error is not None and not behind.is_limit(error) and behind.failure.layer.kind != "module":
            behind.point(error)
            behind.scope = _with(claim, self._words(others)) if claim.level is Level.WHOLE else claim
            return behind
        if claim.level is Level.WHOLE:
            said = "what follows was not run" if error is not None else self._words(others)
            self._claims[changes] = replace(
                _with(claim, said), to_end=error is None and self._rest.left is None
            )
        return None

    def _words(self, others: dict[str, Any]) -> str:
        """Say how far the program ran."""
        sizes = [f"{name} of {tuple(tensor.shape)}" for name, tensor in others.items()]
        given = f", with {' and '.join(sizes)}" if sizes else ""
        left = "" if self._rest.left is None else f"; line {self._rest.left} was not run"
        return f"so does what follows, to line {self._rest.last}{given}{left}"

    def _resized(self, changes: tuple[Change, ...]) -> Iterator[tuple[str, Any]]:
        """Yield what belongs to an input of another size, such as the masks of its pictures."""
        import torch

        values = self.failure.model.values
        for change in changes:
            if not isinstance(change, OnInput) or [step for step, _ in change.steps] != ["resize"]:
                continue
            value = values.get(change.name)
            old, new = () if value is None else tuple(value.shape or ()), tuple(change.steps[0][1])
            for name, tensor in self._rest.inputs.items():
                shape = _like(tuple(tensor.shape), old, new)
                if shape != tuple(tensor.shape):
                    yield name, torch.empty(shape, dtype=tensor.dtype, device="meta")


def _with(claim: Claim, said: str) -> Claim:
    return replace(claim, rest="; ".join(text for text in (said, claim.rest) if text))


def _like(shape: tuple[int, ...], old: tuple[Any, ...], new: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape with the batch and the spatial lengths that follow from those of an input.

    Args:
        shape: the shape.
        old: the input's shape.
        new: its new shape.

    Example:
        >>> _like((8, 96, 96), (8, 3, 96, 96), (8, 3, 64, 64)), _like((8,), (8, 3, 96, 96), (2, 3, 96, 96))
        ((8, 64, 64), (2,))
    """
    if shape == old:
        return new
    result, space = list(shape), len(old) - 2
    if shape[:1] == old[:1]:
        result[:1] = new[:1]
    if space > 0 and len(shape) > space and shape[-space:] == old[-space:]:
        result[-space:] = new[-space:]
    return tuple(result)
