"""The options that every command has: how what it prints gets to the screen."""

from __future__ import annotations

from typing import Any, cast, get_args

from typer.core import TyperOption

from shapeinspect.commands.pager import choose_pager
from shapeinspect.errors import UsageError
from shapeinspect.render.screen import Color, choose_color


def screen_options() -> list[TyperOption]:
    """Return ``--color`` and ``--no-pager``, which act when they are read."""
    return [
        TyperOption(
            param_decls=["--color"],
            default="auto",
            metavar="WHEN",
            help="always, never, or auto: on a terminal, unless NO_COLOR, FORCE_COLOR or CLICOLOR_FORCE says "
            "otherwise.",
            expose_value=False,
            callback=_color,
        ),
        TyperOption(
            param_decls=["--no-pager"],
            is_flag=True,
            default=False,
            help="Write to the terminal what is longer than its screen, not to PAGER.",
            expose_value=False,
            callback=_pager,
        ),
    ]


def _color(_context: Any, _option: Any, choice: str) -> None:
    known = get_args(Color)
    if choice not in known:
        raise UsageError(f"invalid value {choice!r} for '--color'", expected=f"one of: {', '.join(known)}")
    choose_color(cast("Color", choice))


def _pager(_context: Any, _option: Any, refused: bool) -> None:
    choose_pager(not refused)
