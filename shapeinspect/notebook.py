"""``%load_ext shapeinspect``: the shape error that ends a cell is explained under its traceback."""

from __future__ import annotations

from typing import Any

from shapeinspect.api.debugging import explain_error, is_explained
from shapeinspect.mismatch import Diagnosis, describe
from shapeinspect.text import visible


class Explained:
    """A diagnosis as a cell shows it.

    Args:
        diagnosis: why a call failed.
    """

    def __init__(self, diagnosis: Diagnosis) -> None:
        self.diagnosis = diagnosis

    def __repr__(self) -> str:
        return visible(describe(self.diagnosis))

    def _repr_html_(self) -> str:
        return self.diagnosis._repr_html_()


def explain_cell(result: Any) -> None:
    """Show the diagnosis of the error that ended a cell, where it is about shapes.

    Args:
        result: what IPython says of the cell: its ``error_in_exec`` is the exception, or None.
    """
    error = result.error_in_exec
    if not isinstance(error, Exception) or is_explained(
        error
    ):  # the note of `with debug():` is in the traceback
        return
    diagnosis = explain_error(error)
    if diagnosis is not None:
        from IPython.display import display

        display(Explained(diagnosis))


def load(shell: Any) -> None:
    """Explain the errors of a shell's cells from now on.

    Args:
        shell: IPython's shell.
    """
    if explain_cell not in shell.events.callbacks["post_run_cell"]:
        shell.events.register("post_run_cell", explain_cell)


def unload(shell: Any) -> None:
    """Explain no further errors.

    Args:
        shell: IPython's shell.
    """
    if explain_cell in shell.events.callbacks["post_run_cell"]:
        shell.events.unregister("post_run_cell", explain_cell)
