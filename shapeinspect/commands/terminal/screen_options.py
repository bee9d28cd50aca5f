"""The options that every command has: how what it prints gets to the screen."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, cast, get_args

import typer

from shapeinspect.commands.completion import choices
from shapeinspect.errors import UsageError
from shapeinspect.render import screen

_Color = Annotated[
    str,
    typer.Option(
        metavar="WHEN",
        autocompletion=choices(*get_args(screen.Color)),
        help="always, never, or auto: on a terminal, unless NO_COLOR, FORCE_COLOR or CLICOLOR_FORCE says "
        "otherwise.",
    ),
]
_NoPager = Annotated[
    bool,
    typer.Option("--no-pager", help="Write what is longer than the screen to the terminal, not to PAGER."),
]


def with_screen_options(run: Callable[..., None]) -> Callable[..., None]:
    """Return a command with ``--color`` and ``--no-pager``.

    Args:
        run: the command; typer reads its options from its signature.

    Example:
        >>> def run(model: str) -> None: ...
        >>> list(inspect.signature(with_screen_options(run)).parameters)
        ['model', 'color', 'no_pager']
    """

    @functools.wraps(run)
    def called(*, color: str, no_pager: bool, **given: Any) -> None:
        known = get_args(screen.Color)
        if color not in known:
            raise UsageError(f"invalid value {color!r} for '--color'", expected=f"one of: {', '.join(known)}")
        screen.choose_color(cast("screen.Color", color))
        screen.choose_pager(not no_pager)
        run(**given)

    # Not typing.get_type_hints: before Python 3.11 it wraps what has the default None in an Optional.
    given_ones = inspect.signature(run, eval_str=True).parameters.values()
    ours = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)
        for name, hint, default in (("color", _Color, "auto"), ("no_pager", _NoPager, False))
    ]
    signature = inspect.Signature([*given_ones, *ours], return_annotation=None)
    called.__signature__ = signature  # type: ignore[attr-defined]  # what inspect looks for
    called.__annotations__ = {name: each.annotation for name, each in signature.parameters.items()}
    return called
