"""The classes in TorchScript's code, read as text and never executed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_LIST = re.compile(r"^  __(parameters|buffers)__ = (\[.*\])$", re.MULTILINE)
_FINAL = re.compile(r"^  (\w+) : Final\[.{1,200}\] = (.{1,1000})$", re.MULTILINE)
_CLASS = re.compile(r"^class (\w+)[(:]", re.MULTILINE)
_WORDS = {"True": True, "False": False}
_INTEGER = re.compile(r"-?\d{1,18}")
_FLOAT = re.compile(r"-?\d{1,30}\.\d{0,30}(?:e[-+]?\d{1,3})?")
_TEXT = re.compile(r"\"[^\"\\\\]*\"|'[^'\\\\]*'")
_MAX_LITERAL = 100_000


class Source:
    """The code of one archive.

    Args:
        read: returns the text of a file in ``code/``, or None where it is missing.
    """

    def __init__(self, read: Callable[[str], str | None]) -> None:
        self._read = read
        self._files: dict[str, dict[str, str]] = {}
        self._roles: dict[str, dict[str, bool]] = {}
        self._constants: dict[str, dict[str, object]] = {}

    def roles(self, name: str) -> dict[str, bool]:
        """Return which tensors of a class are parameters (False) and which buffers (True).

        Args:
            name: the class, with the module that defines it, without ``__torch__``.
        """
        if name not in self._roles:
            by_name = self._roles[name] = {}
            for which, names in _LIST.findall(self._class(name)):
                listed = _literal(names)
                if isinstance(listed, list):
                    by_name.update({str(item): which == "buffers" for item in listed})
        return self._roles[name]

    def constants(self, name: str) -> Mapping[str, object]:
        """Return the attributes that the class keeps as constants.

        Args:
            name: the class, with the module that defines it, without ``__torch__``.
        """
        if name not in self._constants:
            pairs = ((key, _literal(text)) for key, text in _FINAL.findall(self._class(name)))
            self._constants[name] = {key: value for key, value in pairs if value is not None}
        return self._constants[name]

    def text(self, name: str) -> str:
        """Return the code of a class, empty if there is none.

        Args:
            name: the class, with the module that defines it, without ``__torch__``.
        """
        return self._class(name)

    def module(self, name: str) -> str:
        """Return the code of a whole module, empty if there is none.

        Args:
            name: the module, without ``__torch__``.
        """
        return self._read(_path(name)) or ""

    def _class(self, name: str) -> str:
        module, _, short = name.rpartition(".")
        path = _path(module)
        if path not in self._files:
            text = self._read(path) or ""
            pieces = _CLASS.split(text)
            self._files[path] = dict(zip(pieces[1::2], pieces[2::2], strict=False))
        return self._files[path].get(short, "")


def _path(module: str) -> str:
    return "/".join(("__torch__", *module.split("."))) + ".py" if module else "__torch__.py"


def _literal(text: str) -> object:
    """A number, text, boolean, None, or a flat list or tuple of these; None for anything else."""
    text = text.strip().rstrip(";").strip()
    if len(text) > _MAX_LITERAL:
        return None
    if text[:1] + text[-1:] in ("[]", "()"):
        inner = [_scalar(part) for part in text[1:-1].split(",") if part.strip()]
        return inner if text[0] == "[" else tuple(inner)
    return _scalar(text)


def _scalar(text: str) -> object:
    text = text.strip()
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text[1:-1] if _TEXT.fullmatch(text) else None
