"""What a configuration says about quantization: the method, and the settings of each layer.

Source: ``quantization_config`` of ``transformers`` (``utils/quantization_config.py``), ``quantization`` of
mlx-lm, ``quantize_config.json`` of AutoGPTQ, ``quant_config.json`` of AutoAWQ, ``hf_quant_config.json`` of
TensorRT Model Optimizer, ``config_groups`` of compressed-tensors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

#: Files beside the weights that may hold the settings, and the key under which they stand there.
FILES = (
    ("config.json", ("quantization_config", "quantization", "compression_config")),
    ("quantize_config.json", ("",)),
    ("quantization_config.json", ("",)),
    ("quant_config.json", ("", "quantization_config")),
    ("hf_quant_config.json", ("quantization",)),
)
#: Where a model of several parts keeps the configuration of its language model.
_INNER = ("text_config", "llm_config", "language_config", "thinker_config")
#: The names by which configurations call a setting.
_ALIASES = {"bits": ("bits", "num_bits", "nbits", "w_bit"), "group_size": ("group_size", "q_group_size")}
#: The most characters of a pattern, and of a path that is matched with one; the most lengths of a list.
_MAX_PATTERN, _MAX_LENGTHS = 200, 64
#: The most patterns that are tried for all layers together.
_MAX_TRIALS = 1_000_000
_REGULAR = re.compile(r"[\w.\-^$*+?()|\[\]\\]*", re.ASCII)
#: A group of alternatives, and a part that repeats or may be missing.
_GROUP, _REPEATED = re.compile(r"(?<!\\)\("), re.compile(r"(?<!\\)[*+?]")
_MAX_GROUPS = 2
_OUTERMOST = re.compile(r"\([^()]*\)|\[[^\]]*\]")


@dataclass(frozen=True, slots=True)
class Declared:
    """The settings of a model's quantization, as far as they are known.

    Args:
        settings: the configuration itself; empty where there is none.
        metadata: what the header of the weights says, such as torchao's descriptions of tensors.
        scalars: the integers, and tuples of them, that a pickle holds among the tensors, by their full names.

    Example:
        >>> Declared({"quant_method": "gptq", "bits": 4, "group_size": 128}).whole("group_size", "q")
        128
        >>> Declared({"bits": 4, "q": {"bits": 8}}).whole("bits", "q")
        8
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    scalars: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    _known: dict[str, tuple[Mapping[str, Any], ...]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )
    _trials: list[int] = field(default_factory=lambda: [0], init=False, compare=False, repr=False)

    @property
    def method(self) -> str:
        """The name of the method, in lower case; empty where nothing says it."""
        named = (self.settings.get(key) for key in ("quant_method", "quant_algo", "mode"))
        return next((name.lower() for name in named if isinstance(name, str)), "")

    def text(self, name: str, path: str = "") -> str:
        """Return a setting that is a text, in lower case; empty where there is none.

        Args:
            name: the setting.
            path: the layer.
        """
        value = self._setting(name, path)
        return value.lower() if isinstance(value, str) else ""

    def whole(self, name: str, path: str = "") -> int | None:
        """Return a setting that is a positive integer, or None.

        Args:
            name: the setting; ``bits`` and ``group_size`` go by several names.
            path: the layer.
        """
        for alias in _ALIASES.get(name, (name,)):
            value = self._setting(alias, path)
            if type(value) is int and value > 0:
                return value
        return None

    def lengths(self, name: str, path: str = "") -> tuple[int, ...] | None:
        """Return a setting that is a list of positive integers, or None.

        Args:
            name: the setting.
            path: the layer.
        """
        value = self._setting(name, path)
        if not isinstance(value, list) or not 0 < len(value) <= _MAX_LENGTHS:
            return None
        return tuple(value) if all(type(item) is int and item > 0 for item in value) else None

    def _setting(self, name: str, path: str) -> Any:
        if path not in self._known:
            self._known[path] = (*self._groups(path), self.settings)
        # Nothing is known of a layer for which there are more patterns than can be tried.
        known = self._known[path] if self._trials[0] <= _MAX_TRIALS else ()
        return next((settings[name] for settings in known if settings.get(name) is not None), None)

    def _groups(self, path: str) -> Iterator[Mapping[str, Any]]:
        own = self.settings.get(path)
        if path and isinstance(own, dict):
            yield own
        dynamic = self.settings.get("dynamic")
        if isinstance(dynamic, dict):
            # GPTQModel: "+:pattern" or "pattern" gives a module settings of its own.
            yield from (
                value
                for key, value in dynamic.items()
                if isinstance(value, dict)
                and not key.startswith("-:")
                and self._fits(key.removeprefix("+:"), path)
            )
        groups = self.settings.get("config_groups")
        listed = (
            [group for group in groups.values() if isinstance(group, dict)]
            if isinstance(groups, dict)
            else []
        )
        named = [group for group in listed if self._targets(group, path)]
        for group in named or (listed if len(listed) == 1 else []):
            weights = group.get("weights")
            yield {**group, **(weights if isinstance(weights, dict) else {})}
        inner = self.settings.get("quant_config")
        if isinstance(inner, dict):
            parameters = inner.get("weight_quant_params", inner)
            if isinstance(parameters, dict):
                yield parameters

    def _targets(self, group: Mapping[str, Any], path: str) -> bool:
        targets = group.get("targets")
        return isinstance(targets, list) and any(
            self._fits(target[3:], path) if target.startswith("re:") else self._is(target, path)
            for target in targets
            if isinstance(target, str)
        )

    def _is(self, target: str, path: str) -> bool:
        self._trials[0] += 1
        return target == path

    def _fits(self, pattern: str, path: str) -> bool:
        self._trials[0] += 1
        return self._trials[0] <= _MAX_TRIALS and _begins(path[:_MAX_PATTERN], _pieces(pattern))


#: A model about which nothing is declared.
NOTHING = Declared()


def declared(files: Mapping[str, Mapping[str, Any]]) -> Declared:
    """Return what the configurations of a directory say.

    Args:
        files: the content of each of :data:`FILES` that there is.

    Example:
        >>> declared({"config.json": {"text_config": {"quantization": {"bits": 4}}}}).settings
        {'bits': 4}
    """
    for name, keys in FILES:
        content = files.get(name, {})
        for whole in (content, *(content.get(inner) for inner in _INNER)):
            if not isinstance(whole, dict):
                continue
            for key in keys:
                found = whole.get(key) if key else whole
                if isinstance(found, dict) and found:
                    outside = {key: whole[key] for key in ("expert_dtype",) if key in whole}
                    return Declared({**outside, **found})
    return NOTHING


@lru_cache(maxsize=4096)
def _pieces(pattern: str) -> tuple[re.Pattern[str], ...]:
    """Take a pattern apart at each ``.*``; empty where matching it may take long: a file is not trusted."""
    if len(pattern) > _MAX_PATTERN or _REGULAR.fullmatch(pattern) is None:
        return ()
    pieces = pattern.split(".*")
    for piece in pieces:
        if len(_GROUP.findall(piece)) > _MAX_GROUPS or len(_REPEATED.findall(piece)) > 1:
            return ()
        if len(pieces) > 1 and _OUTERMOST.sub("", piece).count("|"):
            return ()  # it is one of several patterns, not a part of one
    try:
        # What repeats is matched as shortly as possible, so that the next piece may begin there.
        return tuple(re.compile(_REPEATED.sub(r"\g<0>?", piece)) for piece in pieces)
    except (re.error, RecursionError, OverflowError):
        return ()


def _begins(path: str, pieces: Sequence[re.Pattern[str]]) -> bool:
    """Tell whether a path begins with these pieces, in order, whatever is between them."""
    position = 0
    for index, piece in enumerate(pieces):
        match = piece.search(path, position) if index else piece.match(path)
        if match is None:
            return False
        position = match.end()
    return bool(pieces)
