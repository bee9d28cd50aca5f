"""What the calculator takes, as the registry of kinds has it."""

from __future__ import annotations

from shapeinspect.rules import KINDS


def command(kind: str) -> str:
    """Return a whole command that works for a kind.

    Args:
        kind: one that the calculator takes.

    Example:
        >>> command("softmax")
        'shapeinspect explain softmax --input 1,21,5,7 --axis 1'
    """
    words = " ".join(f"'{word}'" if ">" in word else word for word in KINDS[kind].example.split())
    return f"shapeinspect explain {kind} {words}"


def settings_text(kind: str) -> str:
    """Return what the attributes of a kind mean, one a line.

    Args:
        kind: one that the calculator takes.

    Example:
        >>> print(settings_text("glu"))
        axis: the axis that is halved (int; -1 by default)
    """
    return "\n".join(
        f"{row.name}: {_plain(row.meaning)} ({_plain(row.form)}; {_default(row.default)})"
        for row in KINDS[kind].attributes
    )


def _default(text: str) -> str:
    return text if text == "required" else f"{text} by default"


def _plain(text: str) -> str:
    return text.replace("`", "")
