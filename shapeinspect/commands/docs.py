"""The command ``shapeinspect docs [TOPIC]``, and where each page of the documentation is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from shapeinspect.commands.completion import choices
from shapeinspect.commands.names import COMMANDS
from shapeinspect.commands.options import Browser
from shapeinspect.commands.terminal import output
from shapeinspect.errors import UsageError
from shapeinspect.render import screen

#: The pages of topics that are no command. Those of commands are ``reference/commands/NAME.html``.
TOPICS: Mapping[str, str] = {
    "file": "tutorials/file.html",
    "live": "tutorials/live.html",
    "errors": "tutorials/error.html",
    "porting": "tutorials/porting.html",
    "tests": "tutorials/tests.html",
    "ci": "tutorials/ci.html",
    "adapter": "tutorials/adapter.html",
    "questions": "questions.html",
    "gallery": "gallery.html",
    "letters": "reference/letters.html",
    "columns": "reference/columns.html",
    "patterns": "reference/patterns.html",
    "kinds": "design/adapters.html#the-vocabulary-of-kinds-and-attributes",
    "schemas": "reference/schemas.html",
    "python": "reference/python.html",
    "pytest": "reference/pytest.html",
    "changelog": "changelog.html",
}


def run(
    topic: Annotated[
        str | None,
        typer.Argument(
            metavar="TOPIC",
            help=f"A command, or one of: {', '.join(TOPICS)}; the first page by default.",
            show_default=False,
            autocompletion=choices(*COMMANDS, *TOPICS),
        ),
    ] = None,
    browser: Browser = None,
) -> None:
    """Print the address of a page of the documentation, and open it in a browser."""
    address = page(topic)
    output.write([((address, ""),)])
    if browser or (browser is None and screen.is_terminal()):
        import webbrowser
        from contextlib import suppress

        with suppress(webbrowser.Error, OSError):
            webbrowser.open(address)


def page(topic: str | None = None) -> str:
    """Return the address of a page of the documentation.

    Args:
        topic: a command or a topic; None for the first page.

    Raises:
        UsageError: if there is no page of that name.

    Example:
        >>> page("show").rpartition("/reference/")[2]
        'commands/show.html'
    """
    if topic is None:
        return site()
    name = topic.strip().lower()
    if name in TOPICS:
        return f"{site()}{TOPICS[name]}"
    if name in COMMANDS:
        return f"{site()}reference/commands/{name}.html"
    from difflib import get_close_matches

    close = get_close_matches(name, [*COMMANDS, *TOPICS], 3, 0.5)
    raise UsageError(
        f'no page of the documentation has the name "{topic}"',
        expected=f"a command ({', '.join(COMMANDS)}), or one of: {', '.join(TOPICS)}",
        hint=f"did you mean {' or '.join(close)}?" if close else None,
    )


def site() -> str:
    """Return the address of the documentation, as the package's metadata name it."""
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        urls: list[str] = metadata("shapeinspect").get_all("Project-URL") or []
    except PackageNotFoundError:  # run from a folder that was not installed
        urls = []
    named = dict(text.split(", ", 1) for text in urls)
    return named.get("Documentation", _SITE)


#: Where the documentation is, for a package without metadata.
_SITE = "https://shapeinspect.github.io/shapeinspect/"
