"""The common form of an opened checkpoint: its pickle, and where each storage's bytes are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from shapeinspect.binary.pickles.reader import Pickle
from shapeinspect.binary.pickles.records import Global
from shapeinspect_torch.pickles.tensors import Storage, Tensor
from shapeinspect_torch.pickles.values import Extent
from shapeinspect_torch.script.code.source import Source as Code


def _no_code(_path: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Container:
    """An opened checkpoint.

    Args:
        format: its format.
        pickle: the pickle that describes the object.
        size: the length of that pickle in bytes.
        locate: finds the bytes of a storage, and refuses one that the file does not hold.
        loose: tensors named by a persistent id alone (legacy tar files).
        code: the code of TorchScript's classes.
        constants: the pickle of the tensors that this code uses, or None.
        metadata: facts about the container.
        named: the globals that its other pickles name.
        plain: the globals that every such container names besides tensors.
        holder: what the container is called in notes.
        values: returns a reader of a tensor's values where they are not bytes of a file.
    """

    format: str
    pickle: Pickle
    size: int
    locate: Callable[[Storage], Extent]
    loose: dict[str, Tensor] = field(default_factory=dict)
    code: Code = field(default_factory=lambda: Code(_no_code))
    constants: Pickle | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    named: tuple[Global, ...] = ()
    plain: frozenset[str] = frozenset()
    holder: str = "file"
    values: Callable[[Tensor], Callable[[], object] | None] | None = None
