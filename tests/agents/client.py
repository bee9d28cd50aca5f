"""A client of the protocol, from its own SDK, and a server of its own: in this process, or over pipes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytest.importorskip("mcp")

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from shapeinspect.agents.root import Root
from shapeinspect.agents.server import server


class Answer(NamedTuple):
    text: str
    failed: bool


def session(root: Path, use: Callable[[Any], Any], *, pipes: bool = False) -> Any:
    """What an async function does with a client that is connected to a new server."""
    code = "from shapeinspect.cli import program; program()"
    words = ["-c", code, "mcp", "--root", str(root)]
    process = StdioServerParameters(command=sys.executable, args=words, cwd=root.parent)

    async def connected() -> Any:
        with anyio.fail_after(3000):
            async with Client(stdio_client(process) if pipes else server(Root.of(root))) as client:
                return await use(client)

    return anyio.run(connected)


def ask(root: Path, *calls: tuple[str, dict[str, Any]], pipes: bool = False) -> list[Answer]:
    """The answers to calls of tools, one after another."""

    async def use(client: Any) -> list[Answer]:
        return [await _call(client, name, given) for name, given in calls]

    answers: list[Answer] = session(root, use, pipes=pipes)
    return answers


async def _call(client: Any, name: str, given: dict[str, Any]) -> Answer:
    result = await client.call_tool(name, given)
    (block,) = result.content
    return Answer(block.text, bool(result.is_error))


async def pages(
    client: Any, name: str, given: dict[str, Any], cursor_of: Callable[[str], str | None]
) -> list[str]:
    """All pages of an answer."""
    found = [await _call(client, name, given)]
    while (cursor := cursor_of(found[-1].text)) is not None:
        found.append(await _call(client, name, {**given, "cursor": cursor}))
    assert not any(answer.failed for answer in found), found
    return [answer.text for answer in found]
