"""The zip container of ``torch.save`` since 1.6, and of TorchScript.

Source: ``torch/serialization.py`` (``_open_zipfile_reader``, ``_load``) and
``caffe2/serialize/inline_container.cc``: one root directory, ``data.pkl``, ``data/<key>``,
``byteorder``, ``version``; TorchScript adds ``constants.pkl`` and ``code/``.
"""

from __future__ import annotations

import re

from shapeinspect.binary.pickles.machine import MAX_BYTES
from shapeinspect.binary.pickles.reader import read_pickle
from shapeinspect.binary.window import Window
from shapeinspect.binary.zip_reader import Archive
from shapeinspect.errors import UnreadableFileError
from shapeinspect_torch.checkpoints.container import Container
from shapeinspect_torch.pickles.tensors import Storage
from shapeinspect_torch.pickles.values import Extent
from shapeinspect_torch.script.code.source import Source as Code
from shapeinspect_torch.script.constants import FOLDER

#: The most bytes of code in one file, and in all files together.
_MAX_CODE, _MAX_CODES = 4 << 20, 32 << 20
_MAX_FACT = 64
_MODELS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".onnx", ".h5", ".keras")
_VERSION = re.compile(r"[\w.+-]{1,32}")


def open_zip(window: Window) -> Container:
    """Read the directory and the pickle of an archive.

    Args:
        window: the file.

    Raises:
        UnreadableFileError: if it is not a torch archive, or damaged.
    """
    label = window.label
    archive = Archive(window)
    root = archive.root()
    pickled = f"{root}/data.pkl"
    if pickled not in archive.members:
        raise UnreadableFileError(label, _foreign_archive(archive, root))
    data = archive.read(pickled, MAX_BYTES)
    facts = {
        name: archive.read(f"{root}/{name}", _MAX_FACT).decode("ascii", "replace").strip()
        for name in ("version", "byteorder", ".format_version")
        if f"{root}/{name}" in archive.members
    }
    order = facts.get("byteorder", "little")
    if order not in ("little", "big"):
        raise UnreadableFileError(label, f"its byte order is {order!r}, not little or big")

    def locate(storage: Storage) -> Extent:
        folder = "" if storage.key.startswith(FOLDER) else "data/"
        member = archive.members.get(f"{root}/{folder}{storage.key}")
        if member is None:
            raise UnreadableFileError(label, f"the archive holds no storage {storage.key!r}")
        if member.size < storage.nbytes:
            raise UnreadableFileError(
                label,
                f"storage {storage.key!r} has {member.size:,} bytes, not {storage.nbytes:,}",
                offset=member.header,
            )
        return Extent(0, member.size, order == "big", member)

    inflated = 0

    def code(path: str) -> str | None:
        # Only while the archive is open: layers are built before it is closed.
        nonlocal inflated
        member = archive.members.get(f"{root}/code/{path}")
        if member is None:
            return None
        inflated += member.size
        if inflated > _MAX_CODES:
            raise UnreadableFileError(label, f"its code has more than {_MAX_CODES:,} bytes")
        return archive.read(member.name, _MAX_CODE).decode("utf-8", "replace")

    script = f"{root}/constants.pkl" in archive.members
    constants = archive.read(f"{root}/constants.pkl", MAX_BYTES) if script else b""
    return Container(
        "torchscript" if script else "torch-zip",
        read_pickle(data, label),
        len(data),
        locate,
        code=Code(code),
        constants=read_pickle(constants, label) if constants else None,
        metadata={
            f"torch.{key.lstrip('.')}": text for key, text in facts.items() if _VERSION.fullmatch(text)
        },
    )


def _foreign_archive(archive: Archive, root: str) -> str:
    """Describe an archive without a pickle, and how to proceed."""
    if any(name.startswith(f"{root}/models/") for name in archive.members) or (
        f"{root}/serialized_exported_program.json" in archive.members
    ):
        return "it is a torch.export archive with a checkpoint's file extension; rename it to .pt2"
    models = [name for name in archive.members if name.endswith(_MODELS)]
    if models:
        shown = ", ".join(models[:3])
        return f"a zip archive with {shown} in it; unzip it, and name one of its files or directories"
    return "the archive has no data.pkl; it is not a torch checkpoint"
