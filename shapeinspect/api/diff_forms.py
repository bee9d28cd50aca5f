"""The answers of comparisons as other programs read them: a comment, notices, and reports as of a check."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shapeinspect.api.check_forms import junit, notice, sarif
from shapeinspect.api.checking import Checked, Finding, failed
from shapeinspect.api.diff import Difference
from shapeinspect.errors import ShapeInspectError
from shapeinspect.render.forms.markdown import escape
from shapeinspect.render.results.diff_comment import changes, comment
from shapeinspect.text import many


@dataclass(frozen=True, slots=True)
class Compared:
    """The answer for one pair of models.

    Args:
        a: the first model, as the user named it.
        b: the second one.
        difference: what differs; None where they could not be compared.
        error: why not; None where they could.
    """

    a: str
    b: str
    difference: Difference | None = None
    error: ShapeInspectError | None = None

    @property
    def exit_code(self) -> int:
        """0 of models that are the same, 1 of others; that of the error where there is one."""
        if self.error is not None:
            return self.error.exit_code
        return 0 if self.difference is not None and self.difference.same else 1

    def data(self) -> dict[str, Any]:
        """Return the answer as plain data, as ``--format json`` prints it."""
        if self.difference is not None:
            return self.difference.to_dict()
        return {"a": failed(self.a, self._error()).source, "b": failed(self.b, self._error()).source,
                "error": failed(self.b, self._error()).data["error"]}  # fmt: skip

    def checked(self) -> Checked:
        """Return the answer in the form of a check, for the reports of tests and of code scanning."""
        if self.difference is None:
            answer = failed(self.b, self._error())
            name = f"{failed(self.a, self._error()).source} → {answer.source}"
            return Checked(
                answer.source, answer.findings, answer.text, answer.data, answer.exit_code, name=name
            )
        found = self.difference.comparison
        findings = tuple(Finding("difference", text, text, layer, "note") for layer, text in changes(found))
        if not findings and self.exit_code:
            findings = (
                Finding("difference", self.difference.verdict, self.difference.verdict, None, "note"),
            )
        text = self.difference.to_text()
        return Checked(
            found.b.source, findings, text, {}, self.exit_code, name=f"{found.a.source} → {found.b.source}"
        )

    def _error(self) -> ShapeInspectError:
        return self.error if self.error is not None else ShapeInspectError("they were not compared")


def together(compared: Sequence[Compared]) -> str:
    """Write how many of several pairs are the same.

    Args:
        compared: their answers.

    Example:
        >>> from shapeinspect.errors import UsageError
        >>> together([Compared("a", "b", error=UsageError("no")), Compared("a", "c", error=UsageError("no"))])
        'none of 2 pairs is the same'
    """
    same = sum(answer.exit_code == 0 for answer in compared)
    if same == len(compared):
        return f"all {many(same, 'pair')} are the same"
    return f"{same or 'none'} of {many(len(compared), 'pair')} {'are' if same > 1 else 'is'} the same"


def _markdown(compared: Sequence[Compared]) -> Iterator[str]:
    for number, answer in enumerate(compared):
        if number:
            yield ""
        if answer.difference is not None:
            yield from comment(answer.difference.comparison)
        else:
            told = answer.checked()
            yield f"**shapeinspect diff** {escape(told.name)}: {escape(told.findings[0].title)}"


def _github(compared: Sequence[Compared]) -> Iterator[str]:
    for answer in compared:
        told = answer.checked()
        kind = "notice" if answer.difference is not None else "error"
        yield from (notice(told.source, finding.text, kind) for finding in told.findings)


def _sarif(compared: Sequence[Compared]) -> Iterator[str]:
    return sarif([answer.checked() for answer in compared])


def _junit(compared: Sequence[Compared]) -> Iterator[str]:
    return junit([answer.checked() for answer in compared])


#: The forms by their names; each returns the lines of a text.
FORMS: dict[str, Callable[[Sequence[Compared]], Iterator[str]]] = {
    "markdown": _markdown,
    "github": _github,
    "sarif": _sarif,
    "junit": _junit,
}
