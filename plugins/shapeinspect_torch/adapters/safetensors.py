"""The adapter of safetensors files, their sharded sets, and directories of them; light until one is read."""

from __future__ import annotations

from shapeinspect.ir import Model, Note
from shapeinspect.plugin_api.adapter import Adapter
from shapeinspect.sources.source import Source
from shapeinspect_torch.file_names import INDEX, MAX_HEADER, PARTS, SUFFIX


class SafetensorsAdapter(Adapter):
    """Reads the headers of safetensors files; no weight is touched.

    Example:
        >>> ADAPTER.match(Source("s", head=(2).to_bytes(8, "little") + b"{}", size=10))
        2
        >>> ADAPTER.match(Source("text", head=b"hello, world", size=12))
        0
    """

    name = "safetensors"
    framework = "torch"
    formats = ("safetensors (.safetensors)", "sharded set (.safetensors.index.json)")

    def match(self, source: Source) -> int:
        """Tell by the length and the first bytes of the header, or by an index in a directory."""
        if source.is_directory:
            if any(name.endswith((SUFFIX, INDEX)) for name in source.entries):
                return 2
            return int(any(name in source.entries for name in PARTS))
        if source.name.endswith(INDEX):
            return 2 if b'"weight_map"' in source.head else 1
        length = int.from_bytes(source.head[:8], "little")
        if 2 <= length <= MAX_HEADER and source.head[8:].lstrip()[:1] == b"{":
            return 2 if (source.size or 0) >= 8 + length else 1
        return 1 if source.suffix == SUFFIX and source.size else 0

    def held(self, source: Source, model: Model) -> tuple[Note, ...]:
        """Hold weights against what stands beside them; see ``checkpoints.held_against``.

        Args:
            source: the directory or file.
            model: what was read of it.
        """
        from shapeinspect_torch.checkpoints.held_against import held_against

        return () if source.is_live or model.calls else tuple(held_against(source, model))

    def read(self, source: Source) -> Model:
        """Read the file; see ``shapeinspect_torch.checkpoints.safetensors_file``."""
        if source.is_directory:
            from shapeinspect_torch.checkpoints.directory import read_directory

            return read_directory(source)
        from shapeinspect_torch.checkpoints.safetensors_file import read_safetensors

        return read_safetensors(source)


ADAPTER = SafetensorsAdapter()
