"""A failed statement of the user's own, which is run again with edits of its source."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Model, Value
from shapeinspect.plugin_api.changes import Change, Edited, Wording
from shapeinspect.plugin_api.claims import Claim
from shapeinspect.plugin_api.facts import Explained
from shapeinspect.plugin_api.rerun import NOTHING_RUN, Failure, Rerun


class Rewriting(Rerun):
    """A failure that is explained with edits of the user's own code: ``facts.Explained``.

    Args:
        failure: the failure; its ``fact`` holds the edits.
        trial: runs the statement with an edit, by its number: what was run, or None if it fails. Without it
            the edits say what was run with them.
    """

    def __init__(self, failure: Failure, trial: Callable[[int], Claim | None] | None = None) -> None:
        self.failure = failure
        edits = failure.fact.edits if isinstance(failure.fact, Explained) else ()
        self._trial = trial or (lambda edit: edits[edit].claim)
        self._claims: dict[int, Claim] = {}

    def attempt(self, changes: Sequence[Change]) -> Failure | None:
        """Run the statement with an edit; see :class:`Rerun`."""
        edits = [change.edit for change in changes if isinstance(change, Edited)]
        claim = self._trial(edits[0]) if len(edits) == len(changes) == 1 else None
        if claim is None:
            return self.failure
        self._claims[edits[0]] = claim
        return None

    def claim(self, changes: Sequence[Change]) -> Claim:
        """Return what was run with an edit; see :class:`Rerun`.

        Args:
            changes: the edit.
        """
        change = changes[0] if changes else None
        return self._claims.get(change.edit, NOTHING_RUN) if isinstance(change, Edited) else NOTHING_RUN

    def spell(self, change: Wording, name: str) -> str:
        """Write nothing: an edit is a text already; see :class:`Rerun`."""
        del change, name
        return ""


def outside(
    layer: Layer,
    values: Sequence[Value],
    framework: str,
    message: str,
    where: str | None,
    fact: Explained,
    fed: bool = False,
) -> Failure:
    """Return the failure of a statement.

    Args:
        layer: the function or the input that refused.
        values: what it was given.
        framework: whose arrays they are.
        message: the framework's message.
        where: the user's source line.
        fact: what is known of the statement.
        fed: whether the values are the inputs of a model.
    """
    names = tuple(value.name for value in values)
    held = Frozen({value.name: value for value in values})
    model = Model("", "live", framework, framework, (layer,), (), held, names if fed else ())
    inputs = tuple(name for name in names if not fed or name == layer.path)
    return Failure(model, layer, inputs, message, where, fact=fact)
