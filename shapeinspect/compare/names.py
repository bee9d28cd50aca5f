"""Compares the names of layers: their parts without decoration, a common prefix, their likeness."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from shapeinspect.ir import Layer

Name: TypeAlias = "tuple[str, ...]"

_SPLIT = re.compile(r"[./:]+")
_TOKEN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_COUNTED = re.compile(r"_\d+$")

#: Spellings of the same word in the names of layers.
_WORDS = {
    "q": "query", "wq": "query", "k": "key", "wk": "key", "v": "value", "wv": "value", "o": "output",
    "out": "output", "wo": "output", "fc": "linear", "dense": "linear", "lin": "linear", "bn": "norm",
    "ln": "norm", "normalization": "norm", "emb": "embedding", "embed": "embedding",
    "embeddings": "embedding", "embeds": "embedding", "attn": "attention", "conv": "convolution",
    "layers": "layer", "blocks": "block", "heads": "head", "clf": "classifier",
}  # fmt: skip


def aliases(layer: Layer) -> tuple[Name, ...]:
    """Return the names of a layer: its path, or else the prefixes of its weights' names.

    A part that only repeats the type (``MatMul_3``, ``dense_1``) does not count as a name.

    Args:
        layer: the layer.

    Example:
        >>> aliases(Layer("/enc/fc1/MatMul", "linear", "MatMul", ("enc", "fc1", "MatMul")))
        (('enc', 'fc1'),)
        >>> aliases(Layer("dense_1", "linear", "Dense", ("dense_1",)))
        ()
    """
    parts = tuple(part for piece in (layer.parts or (layer.path,)) for part in _SPLIT.split(piece) if part)
    own = parts[:-1] if parts and is_automatic(parts[-1], layer.type) else parts
    if own:
        return (own,)
    stems: list[Name] = []
    for weight in layer.weights:
        if "::" in weight.name:
            continue
        named = tuple(part for part in _SPLIT.split(weight.name) if part)
        stem = named[: len(named) - len([part for part in _SPLIT.split(weight.role) if part])] or named[:-1]
        if len(named) > 1 and stem and not is_automatic(stem[-1], layer.type):
            stems.append(stem)
    return tuple(dict.fromkeys(stems))


def is_automatic(part: str, kind: str) -> bool:
    """Tell whether a part of a name was derived from the layer's type alone.

    Args:
        part: the part.
        kind: the native type.

    Example:
        >>> is_automatic("batch_normalization_4", "BatchNormalization"), is_automatic("stem", "Conv2D")
        (True, False)
    """
    plain = _COUNTED.sub("", part).replace("_", "").lower()
    return bool(kind) and plain == kind.rpartition(".")[2].replace("_", "").lower()


def template(name: Name) -> tuple[str, tuple[int, ...]]:
    """Replace the numbers in a name by ``#``, and return them.

    Args:
        name: its parts.

    Example:
        >>> template(("layers", "3", "fc1"))
        ('layers.#.fc#', (3, 1))
    """
    text = ".".join(name)
    return re.sub(r"\d+", "#", text), tuple(int(digits) for digits in re.findall(r"\d+", text))


def tokens(name: Name) -> Counter[str]:
    """Return the words and numbers of a name in one spelling.

    Args:
        name: its parts.

    Example:
        >>> sorted(tokens(("selfAttn", "q_proj")))
        ['attention', 'proj', 'query', 'self']
    """
    words = (word.lower() for part in name for word in _TOKEN.findall(part))
    return Counter(_WORDS.get(word, word) for word in words)


def likeness(a: Iterable[Counter[str]], b: Iterable[Counter[str]]) -> float:
    """Return how alike two layers' names are: shared words over all words, 0 to 1.

    Args:
        a: the words of each name of the first.
        b: those of the second.

    Example:
        >>> likeness([tokens(("head_age",))], [tokens(("age",))])
        0.5
    """
    others = tuple(b)
    return max((sum((x & y).values()) / (sum((x | y).values()) or 1) for x in a for y in others), default=0.0)


def common_prefix(a: Sequence[Name], b: Sequence[Name]) -> Name:
    """Find the prefix that most names of the first side have and those of the second do not.

    Args:
        a: the names of one side.
        b: the names of the other.

    Returns:
        the prefix to strip from ``a``; empty if stripping gains no equal names.

    Example:
        >>> common_prefix([("module", "fc1"), ("module", "fc2")], [("fc1",), ("fc2",)])
        ('module',)
    """
    known = set(b)
    best: Name = ()
    gain = sum(name in known for name in a)
    if gain == len(a):
        return best
    leads = Counter(name[:depth] for name in a for depth in (1, 2, 3) if len(name) > depth)
    for lead, count in leads.items():
        if count * 2 <= len(a) or count < gain:
            continue
        equal = sum(strip(name, lead) in known for name in a)
        if equal > gain:
            best, gain = lead, equal
    return best


def strip(name: Name, prefix: Name) -> Name:
    """Strip a prefix, if the name has it.

    Args:
        name: its parts.
        prefix: the parts to strip.

    Example:
        >>> strip(("module", "fc"), ("module",)), strip(("fc",), ("module",))
        (('fc',), ('fc',))
    """
    return (
        name[len(prefix) :] if prefix and len(name) > len(prefix) and name[: len(prefix)] == prefix else name
    )
