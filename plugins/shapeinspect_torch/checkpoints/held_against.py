"""What a check finds of weights beyond reading them: all that stands beside them is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shapeinspect.errors import UsageError
from shapeinspect.ir import Model, Note
from shapeinspect.sources.source import Source
from shapeinspect_torch.checkpoints.configurations import configuration
from shapeinspect_torch.quantized.declared import FILES, declared
from shapeinspect_torch.recognition.checks.adapter import adapter
from shapeinspect_torch.recognition.checks.quantizer import quantizer
from shapeinspect_torch.recognition.checks.tokenizer import tokenizer
from shapeinspect_torch.recognition.checks.uneven import uneven
from shapeinspect_torch.recognition.model_config import with_config

#: The files that hold all weights of the configuration beside them.
_WHOLE = frozenset({
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
})  # fmt: skip


def held_against(source: Source, model: Model) -> Iterator[Note]:
    """Yield what the weights and what stands beside them say of each other.

    Args:
        source: the directory or file.
        model: what was read of it.
    """
    yield from uneven(model.layers)
    if (config := _found(source, "adapter_config.json")) is not None:
        yield from adapter(model.layers, config)
        return
    configs = {name: found for name, _ in FILES if (found := _found(source, name)) is not None}
    if (config := configs.get("config.json")) is not None:
        if source.name in _WHOLE and not source.is_directory and "config.model_type" not in model.metadata:
            yield from (note for note in with_config(model, config).notes if note not in model.notes)
        yield from quantizer(model.layers, declared(configs))
        yield from tokenizer(source, config)


def _found(source: Source, name: str) -> dict[str, Any] | None:
    try:
        return configuration(source, name)
    except UsageError:
        return None
