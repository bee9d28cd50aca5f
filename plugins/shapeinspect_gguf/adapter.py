"""The adapter of GGUF files, including models that are split into several files."""

from __future__ import annotations

import re

from shapeinspect.errors import UnreadableFileError, UsageError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Model, Note
from shapeinspect.plugin_api.adapter import Adapter
from shapeinspect.progress import counted
from shapeinspect.sources.source import Source
from shapeinspect.text import many

#: How llama.cpp names the parts of a split model.
_PART = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.gguf", re.DOTALL)
_MOST_PARTS = 1000
#: ``general.type`` of a model; anything else (a LoRA adapter, a projector) is not a whole network.
_MODEL = "model"


class GgufAdapter(Adapter):
    """Reads the header of a GGUF file; nothing in it is executed and no weight is loaded."""

    name = "gguf"
    framework = "ggml"
    formats = ("GGUF (.gguf)",)
    shown = "shapeinspect_gguf.shown:LAYOUTS"
    names = "shapeinspect_gguf.hf_names:NAMES"

    def match(self, source: Source) -> int:
        """Look for the magic number, then for the suffix.

        Args:
            source: the request.
        """
        if source.is_live or source.is_directory:
            return 0
        return 2 if source.head[:4] == b"GGUF" else int(source.suffix == ".gguf")

    def read(self, source: Source) -> Model:
        """Read the header of every part.

        Args:
            source: the file, or one part of several.

        Raises:
            UnreadableFileError: if a part is cut off, corrupt or hostile.
        """
        from shapeinspect_gguf.facts import Facts, metadata
        from shapeinspect_gguf.findings import findings
        from shapeinspect_gguf.model import StoredTensor, layers
        from shapeinspect_gguf.reader import read_header

        header = read_header(source)
        tensors = [StoredTensor(tensor, source, header.order, None) for tensor in header.tensors]
        count = header.fields.get("split.count", 1)
        parts, notes = _other_parts(source, count if type(count) is int else 1)
        names = {tensor.name for tensor in header.tensors}
        fields = dict(header.fields)
        for part in counted(parts, "files"):
            part_header = read_header(part)
            fields = {**part_header.fields, **fields}
            name = part.path.name if part.path is not None else part.label
            for tensor in part_header.tensors:
                if tensor.name in names:
                    raise UnreadableFileError(part.label, f"tensor {tensor.name!r} is in two parts")
                names.add(tensor.name)
                tensors.append(StoredTensor(tensor, part, part_header.order, name))
        facts = Facts(fields)
        built = layers(tensors, facts)
        whole = not notes and facts.text("general.type") in (None, _MODEL)
        if tensors:
            notes += findings(built, facts, whole)
        else:
            notes += (Note("the file holds metadata and no tensors"),)
        unknown = sorted({row.tensor.code for row in tensors if row.tensor.block is None})
        if unknown:
            listed = ", ".join(map(str, unknown[:8]))
            notes += (Note(f"the tensor types {listed} are unknown, and so are the sizes of their tensors"),)
        return Model(
            source.label,
            "gguf",
            self.framework,
            self.name,
            built,
            notes=notes,
            metadata=Frozen(metadata(header, fields)),
            described=(f"GGUF {header.version}", *filter(None, [facts.text("general.architecture")])),
        )


def _other_parts(source: Source, count: int) -> tuple[tuple[Source, ...], tuple[Note, ...]]:
    if count <= 1:
        return (), ()
    named = _PART.fullmatch(source.name)
    if named is None or int(named[3]) != count or count > _MOST_PARTS:
        return (), (
            Note(f"this is one of {count:,} parts of a model, and its file name does not lead to the others"),
        )
    parts, missing = [], []
    for number in range(1, count + 1):
        name = f"{named[1]}-{number:05d}-of-{count:05d}.gguf"
        if number == int(named[2]):
            continue
        try:
            parts.append(source.sibling(name))
        except UsageError:
            missing.append(name)
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        message = f"of {many(count, 'part')} {len(missing):,} {verb} missing, such as {missing[0]}"
        return tuple(parts), (Note(message),)
    return tuple(parts), ()


ADAPTER = GgufAdapter()
