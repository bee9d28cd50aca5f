"""Live ScriptModules: saved in memory and read as a file of them is, from their code."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from shapeinspect.errors import UnreadableFileError
from shapeinspect.ir import Model
from shapeinspect.sources.source import HEAD, Source


@dataclass(frozen=True, slots=True)
class _InMemory:
    """A file that is in memory; see ``shapeinspect.sources.source.Opener``."""

    name: str
    content: bytes

    def open(self) -> BinaryIO:
        """Open it for reading."""
        return io.BytesIO(self.content)

    def sibling(self, name: str) -> Source:
        """Return what lies beside it, which is nothing."""
        raise UnreadableFileError(self.name, f"there is no {name} beside it")


def read_script(source: Source, module: Any) -> Model:
    """Read a live ScriptModule, with the shapes of the inputs that are asked for.

    Args:
        source: the request.
        module: the ScriptModule.
    """
    from shapeinspect_torch.checkpoints.checkpoint import read_checkpoint

    content = module.save_to_buffer()
    file = Source(
        source.label,
        head=content[:HEAD],
        size=len(content),
        inputs=source.asked,
        opener=_InMemory(source.label, content),
    )
    read = read_checkpoint(file)
    notes = tuple(
        note for note in read.notes if not note.text.startswith("not executed")
    )  # of a pickle's names
    return replace(
        read, format="live", adapter="torch-live", notes=notes, described=("live TorchScript module",)
    )
