"""The size of a model's vocabulary, held against the tokenizer beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shapeinspect.binary.json_text import read_file
from shapeinspect.errors import ShapeInspectError
from shapeinspect.ir import Contradiction, Note
from shapeinspect.sources.source import Source
from shapeinspect_torch.recognition.families.family import flat

_MAX_FILE = 64 << 20
_MESSAGE = ("torch", "IndexError: index out of range in self")


def tokenizer(source: Source, config: Mapping[str, Any]) -> Iterator[Note]:
    """Yield what contradicts the size of the vocabulary: a token beyond it.

    Fewer tokens than rows are usual: tables are padded.

    Args:
        source: the directory, or a file in it.
        config: the configuration.
    """
    settings = flat(config)
    sizes = {name: size for name, size in settings.items() if _is_size(name) and type(size) is int}
    if not sizes:
        return
    name = max(sizes, key=lambda name: sizes[name])
    last = max(_last_tokens(source), default=None)
    if last is not None and last[0] >= sizes[name]:
        yield _beyond(name, sizes[name], f"{last[2]}: {last[1]!r} has the id {last[0]:,}", last[0])
    for name, size in sizes.items():
        padding = name.removesuffix("vocab_size") + "pad_token_id"
        index = settings.get(padding)
        if type(index) is int and index >= size:
            yield _beyond(name, size, f"config.json: {padding} {index:,}", index)


def _is_size(name: str) -> bool:
    return name.rpartition(".")[2] == "vocab_size"


def _beyond(name: str, size: int, origin: str, index: int) -> Note:
    found = Contradiction(name, f"at least {index + 1}", str(size), origin, (_MESSAGE,))
    text = f"{name} is {size:,}, but a token has the id {index:,}"
    return Note(text, fault=True, contradictions=(found,))


def _last_tokens(source: Source) -> Iterator[tuple[int, str, str]]:
    """Yield the greatest id in each file, with its token and the file's name."""
    for name, ids in _READERS.items():
        content = _content(source, name)
        if content is None:
            continue
        numbered = [(index, token) for token, index in ids(content) if type(index) is int]
        if numbered:
            index, token = max(numbered)
            yield index, token[:40], name
    if _content(source, "tokenizer.json") is None and (words := _lines(source)):
        yield len(words) - 1, words[-1][:40], "vocab.txt"


def _content(source: Source, name: str) -> Any:
    try:
        file = source.sibling(name)
        return read_file(file, f"the {name}", limit=_MAX_FILE) if (file.size or 0) <= _MAX_FILE else None
    except ShapeInspectError:
        return None


def _lines(source: Source) -> list[str]:
    try:
        file = source.sibling("vocab.txt")
    except ShapeInspectError:
        return []
    with file.open() as opened:
        return opened.read(_MAX_FILE).decode("utf-8", "replace").splitlines()


def _of_tokenizer(content: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(content, dict):
        return
    model = content.get("model")
    words = model.get("vocab") if isinstance(model, dict) else None
    if isinstance(words, dict):
        yield from words.items()
    elif isinstance(words, list) and words:
        last = words[-1]
        yield str(last[0] if isinstance(last, list) and last else last), len(words) - 1
    added = content.get("added_tokens")
    for token in added if isinstance(added, list) else ():
        if isinstance(token, dict):
            yield str(token.get("content")), token.get("id")


def _of_settings(content: Any) -> Iterator[tuple[str, Any]]:
    added = content.get("added_tokens_decoder") if isinstance(content, dict) else None
    for index, token in added.items() if isinstance(added, dict) else ():
        if index.isdecimal() and len(index) < 12:
            yield str(token.get("content") if isinstance(token, dict) else token), int(index)


def _of_words(content: Any) -> Iterator[tuple[str, Any]]:
    yield from content.items() if isinstance(content, dict) else ()


_READERS = {
    "tokenizer.json": _of_tokenizer,
    "tokenizer_config.json": _of_settings,
    "added_tokens.json": _of_words,
    "vocab.json": _of_words,
}
