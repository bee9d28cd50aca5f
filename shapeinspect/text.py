"""Makes names, paths and messages from a file safe to print."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Control characters (Cc), formatting ones such as bidi overrides and zero-width joiners (Cf),
# lone surrogates (Cs), private use (Co), and the line and paragraph separators (Zl, Zp).
_ODD = re.compile(r"[^\n\x20-\x7e]")
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(text: object, limit: int = 400) -> str:
    r"""Return ``text`` with everything that a terminal could interpret turned into visible escapes.

    Args:
        text: what is to be printed; anything but a ``str`` is converted first.
        limit: characters kept before the text is cut with an ellipsis.

    Example:
        >>> printable("layer\x1b[31m")
        'layer\\x1b[31m'
        >>> printable("abcdef", limit=4)
        'abc…'
    """
    raw = text if isinstance(text, str) else str(text)
    if len(raw) > limit:
        raw = raw[: limit - 1] + "…"
    if raw.isascii() and raw.isprintable():
        return raw
    return "".join(_visible(char) for char in raw)


def visible(text: str) -> str:
    r"""Return a whole text as it may be written: nothing in it acts on a terminal but the ends of its lines.

    Every text that leaves goes through this, so that none of those that make it has to think of each name.

    Args:
        text: one or several lines.

    Example:
        >>> visible("conv\x1b[31m  3→5\n\u202efc")
        'conv\\x1b[31m  3→5\n\\u202efc'
    """
    return _ODD.sub(lambda found: _visible(found[0]), text)


def one_line(text: str) -> str:
    r"""Return a text as :func:`visible` does, and spell the ends of lines in it, too: a name makes no line.

    Args:
        text: what is to stand on one line.

    Example:
        >>> one_line("conv\nerror: none")
        'conv\\x0aerror: none'
    """
    return visible(text).replace("\n", "\\x0a")


def ascii_json(text: str) -> str:
    r"""Return JSON in ASCII as it may be written: ``json`` leaves one sign as it is that acts on a terminal.

    Args:
        text: what ``json`` writes, with ``ensure_ascii``.

    Example:
        >>> import json
        >>> ascii_json(json.dumps("a\x7f\u2028"))
        '"a\\u007f\\u2028"'
    """
    return text.replace("\x7f", "\\u007f")


def many(count: int, noun: str) -> str:
    """Write a count with its noun.

    Args:
        count: how many.
        noun: in the singular.

    Example:
        >>> many(1, "variable"), many(2, "variable")
        ('1 variable', '2 variables')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def plural(count: object, noun: str) -> str:
    """Write a number or an expression as it stands in a formula, with its noun.

    Args:
        count: how many.
        noun: in the singular.

    Example:
        >>> plural(1, "channel"), plural(1024, "channel"), plural("N", "row")
        ('1 channel', '1024 channels', 'N rows')
    """
    return f"{count} {noun}" + ("" if count == 1 else "s")


@lru_cache(4096)
def _visible(char: str) -> str:
    if unicodedata.category(char) not in _UNPRINTABLE:
        return char
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
