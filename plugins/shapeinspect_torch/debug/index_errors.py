"""Errors that only the data shows: an index or a label outside its table."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from shapeinspect.plugin_api.changes import Change, OnInput, OnLayer, OnOperand, Wording
from shapeinspect.plugin_api.claims import Claim, Level
from shapeinspect.plugin_api.facts import IndexOutside
from shapeinspect.plugin_api.rerun import Failure, Rerun
from shapeinspect_torch.debug.calls.conditions import Conditions
from shapeinspect_torch.debug.calls.rerun import TorchRerun
from shapeinspect_torch.tracing.module_tree import walk
from shapeinspect_torch.tracing.pytree import tensors


class LargestIndex(Rerun):
    """A module call that fails because of one index, which a run on meta tensors does not show.

    Args:
        root: the module.
        args: its positional arguments.
        kwargs: its named ones.
        prefix: the path of the module in the model that is debugged.
        conditions: what surrounded the call.
    """

    def __init__(
        self, root: Any, args: tuple[Any, ...], kwargs: dict[str, Any], prefix: str, conditions: Conditions
    ) -> None:
        self._rerun = TorchRerun(root, args, kwargs, prefix, conditions)
        #: What a real run to its end may claim.
        self.scope = Claim()
        self._root, self._prefix = root, prefix

    def locate(
        self, inside: Any, arguments: tuple[tuple[Any, ...], dict[str, Any]], message: str, where: str | None
    ) -> bool:
        """Find the table and the largest index; return whether they explain the error.

        Args:
            inside: the innermost module that was called.
            arguments: its arguments.
            message: the framework's message.
            where: the user's source line.
        """
        table = _table(inside, arguments)
        if table is None or not table[1].numel():
            return False
        error, (size, indices) = self._rerun.reproduce(message, where), table
        if error is not None and (not self._rerun.is_real or self._rerun.is_limit(error)):
            return False
        self._fact = IndexOutside(int(indices.max()), int(indices.min()), size)
        if self._fact.fits(size, 0):
            return False
        whole, path = self._rerun.failure.model, self._path(inside)
        if error is not None:  # the run needed its numbers, and failed as the call did
            self.failure = replace(self._rerun.failure, fact=self._fact)
            return self.failure.layer.path == path
        layer = next((layer for layer in whole.layers if layer.path == path), None)
        index = next((position for position, call in enumerate(whole.calls) if call.layer == path), None)
        if layer is None or index is None:
            return False
        model = replace(whole, calls=whole.calls[:index])
        claim = Claim(Level.PART, f'"{path}"', "the run was without numbers, so no other index was looked up")
        self.failure = Failure(
            model, layer, whole.calls[index].inputs, message, where, fact=self._fact, claim=claim
        )
        self._rerun.fails_at(index)
        return True

    def _path(self, inside: Any) -> str:
        nodes = walk(self._root)
        node = next((node for node in nodes if node.real is inside), None)
        return "cross_entropy" if node is None else self._rerun.full_path(node.draft.path, node is nodes[0])

    def attempt(self, changes: Sequence[Change]) -> Failure | None:
        """Run the call again; it passes with a table that includes the largest index, if none is negative.

        Other indices are looked up where an input is cut: only a run with its numbers shows them.
        """
        size, shift, cut = self._fact.size, 0, False
        for change in changes:
            if isinstance(change, OnLayer):
                size = next((change.attributes[key] for key in _SIZES if key in change.attributes), size)
            for step in change.steps if isinstance(change, OnInput | OnOperand) else ():
                shift += step[1] if step[0] == "shift" else 0
                cut = cut or step[0] == "crop"
        if not cut and not self._fact.fits(size, shift):
            return self.failure
        self._rerun.use_numbers()
        outcome = self._rerun.attempt(changes)
        if cut:
            return outcome if self._rerun.is_real else self.failure
        if outcome is not None and not self._rerun.is_real:
            self._rerun.use_numbers(real=False)
            outcome = self._rerun.attempt(changes)
        return outcome

    def claim(self, changes: Sequence[Change]) -> Claim:
        """Return what ran to its end: everything with real numbers, else the lookup alone.

        Args:
            changes: the changes, as they were last given to ``attempt``.
        """
        del changes
        return self.scope if self._rerun.is_real else self.failure.claim

    def continued(self, changes: Sequence[Change]) -> Rerun | None:
        """Run the call with changes, up to the next index outside its table, or another failure.

        Args:
            changes: they belong to every run of the call that is returned.
        """
        inner = self._rerun.continued(changes)
        if inner is None or inner.failed_on is None:
            return inner
        nodes, path = walk(self._root), inner.failure.layer.path
        paths = {self._rerun.full_path(node.draft.path, node is nodes[0]): node.real for node in nodes}
        inside = paths.get(path)
        table = None if inside is None else _table(inside, inner.failed_on)
        if table is None or not table[1].numel() or table[1].is_meta:
            return inner
        size, indices = table
        following = copy.copy(self)
        following._rerun = inner
        following._fact = IndexOutside(int(indices.max()), int(indices.min()), size)
        following.failure = replace(inner.failure, fact=following._fact)
        return following if not following._fact.fits(size, 0) else inner

    @property
    def outputs(self) -> Any:
        """What the last run to its end returned."""
        return self._rerun.outputs

    def spell(self, change: Wording, name: str) -> str:
        """Spell a change in torch."""
        return self._rerun.spell(change, name)


#: The losses whose targets are class indices.
_OF_CLASSES = ("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss")
_SIZES = ("num_embeddings", "out_features", "out_channels")


def _table(inside: Any, arguments: tuple[tuple[Any, ...], dict[str, Any]]) -> tuple[int, Any] | None:
    """Return the number of entries of the table, and the indices."""
    operands = [tensor for _, tensor in tensors(arguments)]
    indices = next((tensor for tensor in operands if not tensor.is_floating_point()), None)
    if indices is None:
        return None
    size = getattr(inside, "num_embeddings", None)
    of_classes = inside is None or type(inside).__name__ in _OF_CLASSES
    if (
        size is None
        and of_classes
        and len(operands) > 1
        and operands[0].is_floating_point()
        and operands[0].dim() > 1
    ):
        size = operands[0].shape[1]  # the classes are on axis 1
    return None if size is None else (int(size), indices)
