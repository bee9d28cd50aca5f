"""Specifications in files that pytest collects as tests: ``lenet.shapes.toml``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from shapeinspect.api.checking import check_model
from shapeinspect.api.report import locate
from shapeinspect.check import Spec, load
from shapeinspect.errors import ShapeInspectError, UsageError
from shapeinspect.sources.input_shapes import InputSpec
from shapeinspect.sources.remote import is_url
from shapeinspect.sources.source import is_import_string


class UnmetError(Exception):
    """A model does not meet its specification; the message says all of it."""


class SpecFile(pytest.File):
    """A file of assertions, which is one test."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield the test."""
        yield SpecItem.from_parent(self, name="shapes")


class SpecItem(pytest.Item):
    """The check of one model against its file: what ``shapeinspect check MODEL --spec FILE`` does."""

    def runtest(self) -> None:
        """Check the model that the file names, or that ``--shapes-model`` gives.

        Raises:
            UnmetError: if the model does not meet the file.
        """
        spec = load(self.path)
        given = [*self.config.getoption("--shapes-input")] or [*spec.inputs]
        answer = check_model(
            locate(self._model(spec)), [InputSpec.parse(text) for text in given] or None, spec
        )
        if answer.exit_code:
            raise UnmetError(f"{answer.source}\n{answer.text}")

    def _model(self, spec: Spec) -> str:
        named: str | None = spec.model or self.config.getoption("--shapes-model")
        if named is None:
            raise UsageError(
                f'"{self.path.name}" names no model',
                expected="model = 'PATH' in it, from where it lies, or --shapes-model MODEL",
            )
        beside = self.path.parent / named
        if spec.model is None or is_url(named) or (is_import_string(named) and not os.path.lexists(beside)):
            return named
        return str(beside)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return what does not hold, without a traceback of ours.

        Args:
            excinfo: what was raised.
            style: how pytest shows a traceback.
        """
        if isinstance(excinfo.value, UnmetError | ShapeInspectError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[os.PathLike[str], int | None, str]:
        """Return what the report calls the test."""
        return self.path, None, self.path.name
