"""Runs the command line in this process, and reads an explanation's lengths."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shapeinspect.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the command line: its exit code, and what it wrote to both streams."""

    def call(*words: str) -> tuple[int, str, str]:
        try:
            main(list(words))
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return call
