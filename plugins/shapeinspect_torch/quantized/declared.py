"""What a configuration says about quantization: the method, and the settings of each layer.

Source: ``quantization_config`` of ``transformers`` (``utils/quantization_config.py``), ``quantization`` of
mlx-lm, ``quantize_config.json`` of AutoGPTQ, ``quant_config.json`` of AutoAWQ, ``hf_quant_config.json`` of
TensorRT Model Optimizer, ``config_groups`` of compressed-tensors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
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
_MAX_PATTERN = 200
_REGULAR = re.compile(r"[\w.\-^$*+?()|\[\]\\]*", re.ASCII)
_LENGTHS = ("group_size", "q_group_size", "bits", "w_bit", "num_bits")


@dataclass(frozen=True, slots=True)
class Declared:
    """The settings of a model's quantization, as far as they are known.

    Args:
        settings: the configuration itself; empty where there is none.
        metadata: what the header of the weights says, such as torchao's descriptions of tensors.

    Example:
        >>> Declared({"quant_method": "gptq", "bits": 4, "group_size": 128}).whole("group_size", "q")
        128
        >>> Declared({"bits": 4, "q": {"bits": 8}}).whole("bits", "q")
        8
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)

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
        aliases = {
            "bits": ("bits", "num_bits", "nbits", "w_bit"),
            "group_size": ("group_size", "q_group_size"),
        }
        for alias in aliases.get(name, (name,)):
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
        if isinstance(value, list) and value and all(type(item) is int and item > 0 for item in value):
            return tuple(value)
        return None

    def _setting(self, name: str, path: str) -> Any:
        for settings in (*self._groups(path), self.settings):
            if settings.get(name) is not None:
                return settings[name]
        return None

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
                and _fits(key.removeprefix("+:"), path)
            )
        groups = self.settings.get("config_groups")
        listed = (
            [group for group in groups.values() if isinstance(group, dict)]
            if isinstance(groups, dict)
            else []
        )
        named = [group for group in listed if _targets(group, path)]
        for group in named or (listed if len(listed) == 1 else []):
            weights = group.get("weights")
            yield {**group, **(weights if isinstance(weights, dict) else {})}
        inner = self.settings.get("quant_config")
        if isinstance(inner, dict):
            parameters = inner.get("weight_quant_params", inner)
            if isinstance(parameters, dict):
                yield parameters


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


def _targets(group: Mapping[str, Any], path: str) -> bool:
    targets = group.get("targets")
    return isinstance(targets, list) and any(
        target == path or (target.startswith("re:") and _fits(target[3:], path))
        for target in targets
        if isinstance(target, str)
    )


def _fits(pattern: str, path: str) -> bool:
    # Only what cannot take long to match: a pattern of a file is not trusted.
    if (
        len(pattern) > _MAX_PATTERN
        or _REGULAR.fullmatch(pattern) is None
        or re.search(r"[)*+][*+{]", pattern)
    ):
        return False
    try:
        return re.match(pattern, path[:_MAX_PATTERN]) is not None
    except (re.error, RecursionError):
        return False
