"""Failures that only the numbers tell: an index or a label outside its table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from shapeinspect.ir import Frozen
from shapeinspect.rerun import Change, Failure, OnLayer, Rerun
from shapeinspect_torch._pytree import tensors
from shapeinspect_torch._rerun import TorchRerun
from shapeinspect_torch._tree import walk


class LargestIndex(Rerun):
    """A module call that fails because of one index, which a run without numbers does not see.

    Args:
        root: the module.
        args: its positional arguments.
        kwargs: its named ones.
        prefix: the path of the module in the model that is debugged.
    """

    def __init__(self, root: Any, args: tuple[Any, ...], kwargs: dict[str, Any], prefix: str) -> None:
        self._rerun = TorchRerun(root, args, kwargs, prefix)
        self._root, self._prefix = root, prefix

    def locate(
        self, inside: Any, given: tuple[tuple[Any, ...], dict[str, Any]], message: str, where: str | None
    ) -> bool:
        """Find the table and the largest index; tell whether that is what was wrong.

        Args:
            inside: the innermost module that was called.
            given: its arguments.
            message: the framework's words.
            where: the user's source line.
        """
        size = getattr(inside, "num_embeddings", None)
        indices = next((tensor for _, tensor in tensors(given) if not tensor.is_floating_point()), None)
        if size is None or indices is None or not indices.numel():
            return False
        largest, smallest = int(indices.max()), int(indices.min())
        if smallest >= 0 and largest < size:
            return False
        nodes = walk(self._root)
        node = next((node for node in nodes if node.real is inside), None)
        if node is None or self._rerun.reproduce(message, where) is not None:
            return False
        whole = self._rerun.failure.model
        path = self._rerun._full(node.draft.path, node is nodes[0])
        layer = next((layer for layer in whole.layers if layer.path == path), None)
        at = next((at for at, call in enumerate(whole.calls) if call.layer == path), None)
        if layer is None or at is None:
            return False
        fact = {"largest": largest, "smallest": smallest, "size": size}
        model = replace(whole, calls=whole.calls[:at])
        self.failure = Failure(model, layer, whole.calls[at].inputs, message, where, facts=Frozen(fact))
        return True

    def attempt(self, changes: Sequence[Change]) -> Failure | None:
        """Run the call again; a table passes that holds the largest index, and no negative one."""
        size = self.failure.facts["size"]
        for change in changes:
            if isinstance(change, OnLayer) and change.path == self.failure.layer.path:
                size = change.attributes.get("num_embeddings", size)
        if self.failure.facts["smallest"] < 0 or self.failure.facts["largest"] >= size:
            return self.failure
        return self._rerun.attempt(changes)

    def spell(self, change: Change, name: str) -> str:
        """Write a change in torch's words."""
        return self._rerun.spell(change, name)
