"""Which names in a pickle are nothing but tensors, containers and numbers; all others are told.

The names are whole: no module is plain as such, for ``torch.load``, ``torch.storage._load_from_bytes``
and, in protocol 4, ``pathlib.os.system`` run what they are given.

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
    *(f"torch.{place}{name}" for place in ("", "cuda.") for name in STORAGES),
    *(f"torch.{place}{name.replace('Storage', 'Tensor')}" for place in ("", "cuda.") for name in STORAGES),
    *(f"torch.storage.{name}Storage" for name in ("Typed", "_Typed", "Untyped", "_Untyped")),
    "torch.serialization._get_layout", "torch.nn.parameter.Buffer",
    "collections.OrderedDict", "collections.defaultdict", "collections.Counter",
    "numpy.dtype", "numpy.ndarray", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar",
})  # fmt: skip


def beyond(names: Iterable[Global], more: frozenset[str] = frozenset()) -> list[str]:
    """List what pickles name beyond tensors, each once, in their order.

    Args:
        names: everything they name.
        more: further names that are plain where they come from.

    Example:
        >>> beyond([Global("torch", "Size"), Global("torch", "load"), Global("torch", "load")])
        ['torch.load']
    """
    return [name for name in dict.fromkeys(map(str, names)) if name not in PLAIN and name not in more]
