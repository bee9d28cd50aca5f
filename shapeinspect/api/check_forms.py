"""The answers of checks as other programs read them: annotations, SARIF, JUnit, Markdown."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from shapeinspect import __version__
from shapeinspect.api.checking import Checked, Finding
from shapeinspect.render.forms.markdown import escape as escape_markdown
from shapeinspect.sources.remote import is_url
from shapeinspect.text import many, one_line, visible

#: What a rule of SARIF says of itself.
_RULE = "A check of shapes by shapeinspect"
_RULES = {"difference": "What differs between two models, by shapeinspect"}


def together(checked: Sequence[Checked]) -> str:
    """Write how many of several models pass.

    Args:
        checked: their answers.

    Example:
        >>> together([Checked("a.onnx", (), ""), Checked("b.onnx", (), "", exit_code=1)])
        '1 of 2 models passes'
    """
    passed = sum(answer.exit_code == 0 for answer in checked)
    if passed == len(checked):
        return f"all {many(len(checked), 'model')} pass"
    return f"{passed or 'none'} of {many(len(checked), 'model')} {'passes' if passed == 1 else 'pass'}"


def github(checked: Sequence[Checked]) -> Iterator[str]:
    r"""Yield a line a finding that GitHub shows as an annotation.

    Args:
        checked: the answers.

    Source: "Workflow commands for GitHub Actions": ``%``, carriage returns and line feeds are escaped, in a
        property also ``:`` and ``,``.

    Example:
        >>> answer = Checked("a.onnx", (Finding("channels", "fc: no", "fc: no\n  expected  3"),), "", {}, 1)
        >>> list(github([answer]))
        ['::error file=a.onnx,title=shapeinspect%3A fc%3A no::fc: no%0A  expected  3']
    """
    for answer, finding in _all(checked):
        title = _property(f"shapeinspect: {finding.title}")
        yield f"::error file={_property(answer.source)},title={title}::{_message(visible(finding.text))}"


def notice(source: str, text: str, kind: str = "notice") -> str:
    """Return a line that GitHub shows as a notice on a file.

    Args:
        source: the file.
        text: what is told of it.
        kind: ``notice``, or ``error``.

    Example:
        >>> notice("b.onnx", "conv2: out 64→128")
        '::notice file=b.onnx,title=shapeinspect diff::conv2: out 64→128'
    """
    return f"::{kind} file={_property(source)},title=shapeinspect diff::{_message(visible(text))}"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(one_line(text)).replace(":", "%3A").replace(",", "%2C")


def sarif(checked: Sequence[Checked]) -> Iterator[str]:
    """Yield a SARIF 2.1.0 document, for code scanning.

    Args:
        checked: the answers.

    Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", sections 3.13 to 3.28.

    Example:
        >>> json.loads(next(sarif([])))["version"]
        '2.1.0'
    """
    rules = list(dict.fromkeys(finding.rule for _, finding in _all(checked)))
    results: list[dict[str, Any]] = [
        {
            "ruleId": finding.rule,
            "level": finding.level,
            "message": {"text": visible(finding.text)},
            "locations": [
                {
                    "physicalLocation": {"artifactLocation": {"uri": _uri(answer.source)}},
                    **({"logicalLocations": [{"name": one_line(finding.layer)}]} if finding.layer else {}),
                }
            ],
        }
        for answer, finding in _all(checked)
    ]
    driver = {
        "name": "shapeinspect",
        "version": __version__,
        "rules": [
            {"id": rule, "shortDescription": {"text": _RULES.get(rule, f"{_RULE}: {rule}")}} for rule in rules
        ],
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    whole = {
        "$schema": schema,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }
    yield json.dumps(whole, indent=1)


def _uri(source: str) -> str:
    """Return a reference to a source: a colon of a relative path is escaped, for it would end a scheme.

    Source: SARIF 2.1.0, section 3.10.1; RFC 3986, section 4.2.
    """
    from urllib.parse import quote

    if is_url(source):
        return quote(source, safe="/:@?&=%#+,;~!$'()*[]")
    path = Path(source)
    return path.as_uri() if path.is_absolute() else quote(os.fsencode(path.as_posix()), safe="/@")


def junit(checked: Sequence[Checked]) -> Iterator[str]:
    """Yield the lines of a JUnit report: a test a model.

    Args:
        checked: the answers.

    Example:
        >>> list(junit([Checked("a.onnx", (), "all fit")]))[2].strip()
        '<testcase classname="shapeinspect" name="a.onnx"/>'
    """
    failures = sum(answer.exit_code == 1 for answer in checked)
    errors = sum(answer.exit_code > 1 for answer in checked)
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield f'<testsuite name="shapeinspect" tests="{len(checked)}" failures="{failures}" errors="{errors}">'
    for answer in checked:
        head = f' <testcase classname="shapeinspect" name={quoteattr(one_line(answer.name or answer.source))}'
        if not answer.findings:
            yield f"{head}/>"
            continue
        yield f"{head}>"
        # JUnit's readers take one failure a test.
        kind = "failure" if answer.exit_code == 1 else "error"
        title = "; ".join(finding.title for finding in answer.findings)
        yield f"  <{kind} message={quoteattr(one_line(title))}>{escape(visible(answer.text))}</{kind}>"
        yield " </testcase>"
    yield "</testsuite>"


def markdown(checked: Sequence[Checked]) -> Iterator[str]:
    """Yield the lines of a comment: a row a model, and what is wrong with it.

    Args:
        checked: the answers.

    Example:
        >>> list(markdown([Checked("a.onnx", (), "all fit")]))[-1]
        '| a.onnx | passes |'
    """
    yield f"**shapeinspect check**: {together(checked)}"
    yield ""
    yield "| model | result |"
    yield "|---|---|"
    for answer in checked:
        found = "<br>".join(escape_markdown(finding.title) for finding in answer.findings)
        yield f"| {escape_markdown(answer.source)} | {found or 'passes'} |"
    for answer in checked:
        if answer.findings:
            yield ""
            yield f"<details><summary>{escape(one_line(answer.source))}</summary>"
            yield ""
            yield from (f"    {line}" for line in visible(answer.text).split("\n"))
            yield ""
            yield "</details>"


def _all(checked: Sequence[Checked]) -> Iterator[tuple[Checked, Finding]]:
    return ((answer, finding) for answer in checked for finding in answer.findings)


#: The forms by their names; each returns the lines of a text.
FORMS: dict[str, Callable[[Sequence[Checked]], Iterator[str]]] = {
    "github": github,
    "sarif": sarif,
    "junit": junit,
    "markdown": markdown,
}
