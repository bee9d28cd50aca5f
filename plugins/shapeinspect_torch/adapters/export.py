"""The adapter of programs that ``torch.export`` saved; light until one is read."""

from __future__ import annotations

import re

from shapeinspect.binary.zip_reader import MAGIC, first_name
from shapeinspect.ir import Model
from shapeinspect.plugin_api.adapter import Adapter
from shapeinspect.sources.source import Source

SUFFIX = ".pt2"
#: The first members that the archive's writers put below its root, and before 2.7 without one.
_MEMBER = re.compile(
    rb"[^/]+/(data/(weights|constants|sample_inputs|aotinductor)/|models/|archive_format|archive_version)"
    rb"|serialized_(exported_program|state_dict|constants|example_inputs)\."
)


class ExportAdapter(Adapter):
    """Reads archives of ``torch.export`` without torch: the graph, its shapes, the weights.

    Example:
        >>> ADAPTER.match(Source("text", head=b"hello"))
        0
    """

    name = "torch-export"
    framework = "torch"
    formats = ("torch.export program (.pt2)",)
    runner = "shapeinspect_torch.exported.runner:EXPORTED"

    def match(self, source: Source) -> int:
        """Tell by the name of the archive's first member; by the file's name only among archives."""
        head = source.head
        if not head.startswith(MAGIC):
            return 0
        if _MEMBER.match(first_name(head)):
            return 2
        return 1 if source.suffix == SUFFIX else 0

    def read(self, source: Source) -> Model:
        """Read the file; see ``shapeinspect_torch.exported.archive``."""
        from shapeinspect_torch.exported.archive import read_export

        return read_export(source)


ADAPTER = ExportAdapter()
