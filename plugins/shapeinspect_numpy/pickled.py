"""What the pickle of an array of objects names: its opcodes are read one by one, and nothing is done.

Source: Lib/pickletools.py, ``genops``; NEP 1: an array of objects is a header and a pickle.
"""

from __future__ import annotations

from collections.abc import Iterable

_MOST_BYTES, _MOST_OPCODES = 16 << 20, 300_000
#: What the pickle of any array names.
_PLAIN = frozenset({
    "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct", "numpy.ndarray",
    "numpy.dtype",
    "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar",
})  # fmt: skip
_TEXTS = frozenset({"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"})
_KEEPS = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_FETCHES = frozenset({"GET", "BINGET", "LONG_BINGET"})
#: Stands for a name that is put together on the stack, and for what comes behind damage or a limit.
_COMPUTED, _REST = "(a name that is computed)", "(and what follows byte {})"
LIMIT = _MOST_BYTES


def names(data: bytes) -> list[str]:
    r"""List what a pickle names beyond plain arrays, each once, in its order.

    Args:
        data: its bytes, or the first :data:`LIMIT` of them.

    Example:
        >>> names(b"\x80\x04\x8c\x02os\x8c\x06system\x93.")
        ['os.system']
        >>> names(b"\x80\x04N\x8c\x06system\x93.")
        ['(a name that is computed)']
    """
    return [name for name in dict.fromkeys(_named(data)) if name not in _PLAIN]


def _named(data: bytes) -> Iterable[str]:
    from pickletools import genops

    memo: dict[int, str | None] = {}
    # The texts on top of the stack, as far as the opcodes before tell it.
    top: list[str | None] = []
    at = count = 0
    try:
        for count, (opcode, argument, place) in enumerate(genops(data)):
            at = place or 0
            if count > _MOST_OPCODES:
                break
            if opcode.name in _TEXTS:
                top = [*top[-1:], str(argument)]
            elif opcode.name in _FETCHES:
                top = [*top[-1:], memo.get(_number(argument))]
            elif opcode.name == "MEMOIZE":
                memo[len(memo)] = top[-1] if top else None
            elif opcode.name in _KEEPS:
                memo[_number(argument)] = top[-1] if top else None
            elif opcode.name in ("GLOBAL", "INST"):
                top = []
                yield str(argument).replace(" ", ".", 1)
            elif opcode.name == "STACK_GLOBAL":
                yield ".".join(map(str, top)) if len(top) == 2 and None not in top else _COMPUTED
                top = []
            elif opcode.name.startswith("EXT"):
                top = []
                yield f"copyreg.extension {argument}"
            elif opcode.name == "STOP":
                return
            elif opcode.name not in ("PROTO", "FRAME"):
                top = []
    except (ValueError, IndexError, KeyError, OverflowError, UnicodeError):
        pass
    yield _REST.format(f"{at:,}")


def _number(argument: object) -> int:
    return argument if isinstance(argument, int) else -1
