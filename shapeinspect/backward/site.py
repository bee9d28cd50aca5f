"""One call, as the rows of what is kept see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from shapeinspect.backward.tensors import Tensor
from shapeinspect.dims import Dim

#: What is kept; None where that is not known.
Kept: TypeAlias = "tuple[Tensor, ...] | None"


@dataclass(frozen=True, slots=True)
class Site:
    """One call, as the rows see it.

    Args:
        name: a name that no other call has.
        type: the native type of the layer.
        attributes: the settings of the layer and of the call.
        inputs: the tensors that are read; None for an omitted one.
        outputs: the tensors that are returned.
        params: whether the layer has parameters that are trained; None where it has none of its own.
    """

    name: str
    type: str
    attributes: Mapping[str, Any]
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    params: bool | None

    @property
    def input(self) -> Tensor | None:
        """The first tensor that is read."""
        return self.inputs[0] if self.inputs else None

    def new(self, part: str, size: Dim) -> Tensor:
        """Return memory of the call's own.

        Args:
            part: what it holds.
            size: its bytes.
        """
        return Tensor(f"{self.name}:{part}", size, None, None, 0, grad=False)
