"""The storages of live tensors, by which tensors of one memory are known."""

from __future__ import annotations

from typing import Any


def storage(tensor: Any) -> Any | None:
    """Return the storage of a tensor; None for a sparse one, and others without a storage of their own.

    Args:
        tensor: a tensor with a shape.
    """
    try:
        return tensor.untyped_storage()
    except RuntimeError:  # "Cannot access storage of SparseTensorImpl": torch has no other way to ask
        return None


def address(tensor: Any) -> int | None:
    """Return where a tensor's storage lies in memory; None without one, and on the meta device.

    Args:
        tensor: a tensor with a shape.
    """
    own = storage(tensor)
    try:
        return None if own is None else own.data_ptr() or None
    except RuntimeError:  # that of a subclass which wraps other tensors: "an invalid python storage"
        return None
