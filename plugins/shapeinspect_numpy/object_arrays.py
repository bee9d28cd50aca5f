"""Lists the globals in the pickle of an array of objects; nothing is executed.

Source: NEP 1: an array of objects is a header and a pickle.
"""

from __future__ import annotations

from shapeinspect.binary.pickles.reader import names_in

#: How much of a pickle is read: bytes and opcodes.
LIMIT, _MOST_OPCODES = 16 << 20, 300_000
#: The globals that the pickle of any array names.
_PLAIN = frozenset({
    "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct", "numpy.ndarray",
    "numpy.dtype",
    "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar",
})  # fmt: skip


def names(data: bytes) -> list[str]:
    r"""List the globals of a pickle except those of plain arrays, each once, in order.

    Args:
        data: its bytes, or the first :data:`LIMIT` of them.

    Example:
        >>> names(b"\x80\x04\x8c\x02os\x8c\x06system\x93.")
        ['os.system']
        >>> names(b"\x80\x04N\x8c\x06system\x93.")
        ['(a computed name)']
    """
    listed_globals, stopped = names_in(data, opcodes=_MOST_OPCODES)
    listed = [str(name) if name.module else name.name for name in listed_globals]
    if stopped is not None:
        listed.append(f"(and what follows byte {stopped:,})")
    return [name for name in listed if name not in _PLAIN]
