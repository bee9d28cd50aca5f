"""The adapter of distributed checkpoints, directories with a ``.metadata``; light until one is read."""

from __future__ import annotations

from shapeinspect.ir import Model
from shapeinspect.plugin_api.adapter import Adapter
from shapeinspect.sources.source import Source
from shapeinspect_torch.dcp_names import INDEX, SUFFIX


class DistributedAdapter(Adapter):
    """Reads what ``torch.distributed.checkpoint`` saved, without torch.

    Example:
        >>> ADAPTER.match(Source("text", head=b"hello"))
        0
    """

    name = "torch-distributed"
    framework = "torch"
    formats = ("torch.distributed (directory)",)

    def match(self, source: Source) -> int:
        """Tell by the names in the directory, or the name of the file that describes it."""
        if source.is_directory:
            if INDEX not in source.entries:
                return 0
            return 2 if any(name.endswith(SUFFIX) for name in source.entries) else 1
        if source.name != INDEX:
            return 0
        return 2 if source.head[:1] == b"\x80" else 0

    def read(self, source: Source) -> Model:
        """Read the directory; see ``shapeinspect_torch.checkpoints.distributed_file``."""
        from shapeinspect_torch.checkpoints.distributed_file import read_distributed

        return read_distributed(source)


ADAPTER = DistributedAdapter()
