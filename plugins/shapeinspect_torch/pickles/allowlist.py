"""Allowlist of harmless pickle globals (tensors, containers, numbers); every other global is reported.

It lists full names and never whole modules, because ``torch.load``, ``torch.storage._load_from_bytes``
and, in protocol 4, ``pathlib.os.system`` execute their arguments.

Source: ``torch/_weights_only_unpickler.py``, ``_get_allowed_globals``.
"""

from __future__ import annotations

from collections.abc import Iterable

from shapeinspect.binary.pickles.records import Global
from shapeinspect_torch.pickles.rebuild import FUNCTIONS
from shapeinspect_torch.vocabulary.dtypes import DTYPES, STORAGES

_SCHEMES = (
    "per_tensor_affine", "per_tensor_symmetric", "per_channel_affine", "per_channel_symmetric",
    "per_channel_affine_float_qparams",
)  # fmt: skip
PLAIN = frozenset({
    *FUNCTIONS,
    *(f"torch.{name}" for name in (*DTYPES, *_SCHEMES, "Size", "Tensor", "device")),
    *(f"torch.{device}{name}" for device in ("", "cuda.") for name in STORAGES),
    *(f"torch.{device}{name.replace('Storage', 'Tensor')}" for device in ("", "cuda.") for name in STORAGES),
    *(f"torch.storage.{name}Storage" for name in ("Typed", "_Typed", "Untyped", "_Untyped")),
    "torch.serialization._get_layout", "torch.nn.parameter.Buffer",
    "collections.OrderedDict", "collections.defaultdict", "collections.Counter",
    "numpy.dtype", "numpy.ndarray", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar",
})  # fmt: skip


def beyond(names: Iterable[Global], more: frozenset[str] = frozenset()) -> list[str]:
    """List the globals that are not on the allowlist, each once, in order.

    Args:
        names: all globals that the pickles name.
        more: further names that are harmless in this kind of file.

    Example:
        >>> beyond([Global("torch", "Size"), Global("torch", "load"), Global("torch", "load")])
        ['torch.load']
    """
    return [name for name in dict.fromkeys(map(str, names)) if name not in PLAIN and name not in more]
