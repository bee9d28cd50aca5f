"""The command ``shapeinspect mcp``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shapeinspect.commands.options import Traceback
from shapeinspect.commands.terminal import output


def run(
    root: Annotated[
        Path,
        typer.Option(
            "--root", metavar="DIR", help="The directory with the models: nothing outside of it is read."
        ),
    ] = Path("."),
    remote: Annotated[
        bool,
        typer.Option("--allow-remote", help="Read models by URL as well (http, https, s3, gs, hf)."),
    ] = False,
    skill: Annotated[
        bool, typer.Option("--skill", help="Print SKILL.md, which tells an agent how to use it, and exit.")
    ] = False,
    traceback: Traceback = False,
) -> None:
    """Serve show, explain, fit, check, diff and layouts to an agent, by the Model Context Protocol (stdio).

    Answers come in small pages; nothing in a model is run, no code is imported, and nothing is written.
    """
    del traceback  # main() has read it
    import gc

    from shapeinspect.agents import server
    from shapeinspect.agents.root import Root

    if skill:
        output.write_text((server.skill().read_text("utf-8").rstrip("\n"),))
        return
    gc.enable()  # a server does not end with its first answer
    server.serve(Root.of(root, remote=remote))
