"""The adapter of files that ``torch.save`` and TorchScript wrote; light until one is read."""

from __future__ import annotations

import re

from shapeinspect.binary.zip_reader import MAGIC, first_name
from shapeinspect.ir import Model, Note
from shapeinspect.plugin_api.adapter import Adapter
from shapeinspect.sources.source import Source
from shapeinspect_torch.state_dicts import is_state_dict

_SUFFIXES = frozenset({".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".ptl", ".th", ".tar", ".torch"})
#: The members that torch's own writer puts first, below one root directory.
_MEMBER = re.compile(
    rb"[^/]+/(data\.pkl|constants\.pkl|\.format_version|\.storage_alignment|byteorder|version"
    rb"|\.data/|data/[^/]+$|code/|extra/|attributes\.pkl)"
)
#: The magic number 0x1950a86a20f9469cfc6c as protocols 2 to 5 and as 0 and 1 write it.
_MAGIC = (bytes.fromhex("8a0a6cfc9c46f9206aa850192e"), b"L119547037146038801333356L\n.")
_TAR_MEMBERS = frozenset({b"storages", b"tensors", b"pickle", b"./storages", b"./tensors", b"./pickle"})
#: Files by which a directory shows itself as a model, and how surely.
_IN_DIRECTORY = (
    "pytorch_model.bin.index.json", "pytorch_model.bin", "adapter_model.bin", "diffusion_pytorch_model.bin",
)  # fmt: skip


class TorchAdapter(Adapter):
    """Reads PyTorch checkpoints without torch: zip, the two legacy formats, TorchScript; live state dicts.

    Example:
        >>> ADAPTER.match(Source("text", head=b"hello"))
        0
    """

    name = "torch"
    framework = "torch"
    native = "shapeinspect_torch.vocabulary.native:NATIVE"
    loader = "shapeinspect_torch.checkpoints.loader:LOADER"
    script = "shapeinspect_torch.checkpoints.loading_code:SCRIPT"
    runner = "shapeinspect_torch.exported.runner:SCRIPTED"
    follows_inputs = True
    insists = False
    formats = ("PyTorch (.pt .pth .bin .ckpt)", "TorchScript (.pt)", "a live state dict")

    def match(self, source: Source) -> int:
        """Tell by the first bytes; a name alone only counts where they could be torch's."""
        if source.is_live:
            return 2 if is_state_dict(source.target) else 0
        if source.is_directory:
            return 1 if any(name in source.entries for name in _IN_DIRECTORY) else 0
        head = source.head
        if source.name.endswith(".bin.index.json"):
            return 2 if b'"weight_map"' in head else 1
        if head.startswith(MAGIC):
            if _MEMBER.match(first_name(head)):
                return 2
            return 1 if source.suffix in _SUFFIXES else 0
        if any(magic in head[:32] for magic in _MAGIC):
            return 2
        if head[257:262] == b"ustar" and head[:100].rstrip(b"\0").rstrip(b"/") in _TAR_MEMBERS:
            return 2
        return 1 if source.suffix in _SUFFIXES and _is_pickle(head) else 0

    def held(self, source: Source, model: Model) -> tuple[Note, ...]:
        """Hold weights against what stands beside them; see ``checkpoints.held_against``.

        Args:
            source: the directory or file.
            model: what was read of it.
        """
        from shapeinspect_torch.checkpoints.held_against import held_against

        return () if source.is_live or model.calls else tuple(held_against(source, model))

    def read(self, source: Source) -> Model:
        """Read the file, or the state dict in memory; see ``shapeinspect_torch.checkpoints``."""
        if source.is_live:
            from shapeinspect_torch.checkpoints.live_state_dict import read_state_dict

            return read_state_dict(source)
        if source.is_directory:
            from shapeinspect_torch.checkpoints.directory import read_directory

            return read_directory(source)
        from shapeinspect_torch.checkpoints.checkpoint import read_checkpoint

        return read_checkpoint(source)


def _is_pickle(head: bytes) -> bool:
    return len(head) > 1 and head[0] == 0x80 and 2 <= head[1] <= 5


ADAPTER = TorchAdapter()
