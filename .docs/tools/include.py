"""Texts that stand elsewhere in the repository, as parts of pages: each text has one place."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Where a file is that the site has no page of.
REPOSITORY = "https://github.com/shapeinspect/shapeinspect/blob/main/"
#: The pages that files of the repository are, or that have most of them.
PAGES: Mapping[str, str] = {
    "README.md": "index.md",
    "shapeinspect/QUESTIONS.md": "questions.md",
    "shapeinspect/LAYOUTS.md": "reference/layouts.md",
    "shapeinspect/README.md": "design/index.md",
    "shapeinspect/mismatch/README.md": "design/diagnosis.md",
    "shapeinspect/schema/": "reference/schemas.md",
    "plugins/README.md": "design/adapters.md",
    ".github/CONTRIBUTING.md": "design/contributing.md",
    ".github/SECURITY.md": "design/security.md",
    ".github/CHANGELOG.md": "changelog.md",
}

_DIRECTIVE = re.compile(r"^<!-- include: (?P<path>[^#\s]+)(?:#(?P<section>.+?))? -->$", re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?\)")
_INDENTED = re.compile(r"(?:(?<=\n\n)|\A)((?:    [^\n]*\n)(?:(?:    [^\n]*)?\n)*)")
#: How a block without a language begins, and what it is.
_LANGUAGES = (
    (r">>> ", "pycon static"),
    (r"(?:shapeinspect|python|zcat|bash|\.venv\S*|pip) ", "bash"),
    (r"(?:import|from|def|class|with|@\w+) ?|\"\"\"", "python"),
    (r"\[[\w.\"]+\]\n|\w+ = ", "toml"),
    (r"- \w+:", "yaml"),
)


class IncludeError(Exception):
    """A text that a page includes is not there."""


def expanded(text: str, page: str) -> tuple[str, list[str]]:
    """Return a page with the texts that it includes, and the pictures that these show.

    Args:
        text: the page, with lines such as ``<!-- include: README.md#In Python -->``.
        page: its path below ``pages``.

    Raises:
        IncludeError: if a file, a section or the target of a link is missing.
    """
    pictures: list[str] = []

    def put(found: re.Match[str]) -> str:
        source = (ROOT / found["path"]).read_text(encoding="utf-8")
        part = _section(source, found["section"], found["path"])
        return _linked(_fenced(part), found["path"], page, pictures)

    return _DIRECTIVE.sub(put, text), pictures


def _section(text: str, name: str | None, path: str) -> str:
    """Return a section without its heading, or a file without its title."""
    if name is None:
        return text.partition("\n")[2].lstrip("\n") if text.startswith("# ") else text
    found = re.search(rf"^(#+) {re.escape(name)}\n", text, re.MULTILINE)
    if not found:
        raise IncludeError(f'{path} has no section "{name}"')
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return (rest[: end.start()] if end else rest).lstrip("\n")


def _fenced(text: str) -> str:
    """Write indented blocks as fenced ones: calls of shapeinspect with their output are run again."""

    def put(found: re.Match[str]) -> str:
        body = re.sub(r"^    ", "", found[1], flags=re.MULTILINE).rstrip() + "\n"
        calls = [line for line in body.splitlines() if line.startswith("$ shapeinspect ")]
        if calls:
            return "```console included\n" + "\n".join(calls) + "\n```\n\n"
        language = next((name for start, name in _LANGUAGES if re.match(start, body)), "text")
        return f"```{language}\n{body}```\n\n"

    return _INDENTED.sub(put, text)


def _linked(text: str, path: str, page: str, pictures: list[str]) -> str:
    """Let the links of a text lead to pages of the site, or to the repository."""

    def put(found: re.Match[str]) -> str:
        target = os.path.normpath((Path(path).parent / found[1]).as_posix())
        if not (ROOT / target).exists():
            raise IncludeError(f"{path} links to {found[1]}, which is not there")
        fragment = found[2] or ""
        known = PAGES.get(target) or PAGES.get(f"{target}/")
        if known is None and target.endswith(".svg"):
            pictures.append(target)
            known = picture(target)
        if known is None:
            return f"]({REPOSITORY}{target}{fragment})"
        return f"]({os.path.relpath(known, Path(page).parent).replace(os.sep, '/')}{fragment})"

    return _LINK.sub(put, text)


def picture(path: str) -> str:
    """Return where the site has a picture of the repository.

    Args:
        path: its path in the repository.
    """
    return f"assets/{Path(path).parent.name}/{Path(path).name}"
