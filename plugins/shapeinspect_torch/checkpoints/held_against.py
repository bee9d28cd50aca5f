"""What a check finds of weights beyond reading them: all that stands beside them is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from shapeinspect.errors import UsageError
from shapeinspect.ir import Contradiction, Model, Note
from shapeinspect.sources.source import Source
from shapeinspect_torch.checkpoints.configurations import configuration
from shapeinspect_torch.checkpoints.parts import Part, folder_of, parts_of
from shapeinspect_torch.file_names import MODULES
from shapeinspect_torch.quantized.declared import FILES, declared
from shapeinspect_torch.recognition.checks.adapter import adapter
from shapeinspect_torch.recognition.checks.findings import mismatch
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
    parts = parts_of(source) if source.is_directory else ()
    if not parts:
        yield from _of_one(source, model)
        return
    for part in parts:
        folder = folder_of(source, part)
        others = tuple(f"{other.name}." for other in parts if other.name and other.name != part.name)
        layers = tuple(
            layer
            for layer in model.layers
            if layer.path.startswith(f"{part.name}." if part.name else "")
            and not (not part.name and layer.path.startswith(others))
        )
        if folder is not None and layers:
            yield from (named(note, part.name) for note in _of_one(folder, replace(model, layers=layers)))
    if MODULES in source.entries:
        yield from widths(source, parts, model)


def _of_one(source: Source, model: Model) -> Iterator[Note]:
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


def named(note: Note, part: str) -> Note:
    """Return a note on a part whose weights have their whole names already.

    Args:
        note: the note.
        part: the part's name.
    """
    return replace(note, text=f"{part}: {note.text}") if part and note.about is None else note


def widths(source: Source, parts: tuple[Part, ...], model: Model) -> Iterator[Note]:
    """Yield where a module of sentence-transformers takes another width than the one before it gives.

    Source: ``sentence_transformers``: a pooling takes ``embedding_dimension`` features of each token and
    gives one such vector for each of its modes; older files call it ``word_embedding_dimension`` and have a
        truth for each mode; a dense module has ``in_features`` and ``out_features``.

    Args:
        source: the directory.
        parts: its modules, in their order.
        model: what was read.
    """
    width: int | None = None
    weights = {weight.name: weight.shape for layer in model.layers for weight in layer.weights}
    for part in parts:
        folder = folder_of(source, part)
        config = _found(folder, "config.json") if folder is not None else None
        if config is None:
            continue
        before = width
        if part.type == "Pooling":
            name = "embedding_dimension" if "embedding_dimension" in config else "word_embedding_dimension"
            takes, mode = config.get(name), config.get("pooling_mode")
            modes = sum(value is True for key, value in config.items() if key.startswith("pooling_mode_"))
            modes = 1 if isinstance(mode, str) else len(mode) if isinstance(mode, list) else modes
            width = takes * modes if type(takes) is int and modes else None
        elif part.type == "Dense":
            takes, name, width = config.get("in_features"), "in_features", config.get("out_features")
            stored = weights.get(f"{part.name}.linear.weight")
            if stored is not None and type(takes) is int and type(width) is int and stored != (width, takes):
                origin = f"{part.folder}/config.json: in_features {takes}, out_features {width}"
                found = mismatch(f"{part.name}.linear.weight", (width, takes), stored, origin)
                yield Note(
                    f"{part.name} is of another size than its config.json",
                    fault=True,
                    contradictions=(found,),
                )
        else:
            sizes = {config[key] for key in ("hidden_size", "d_model", "dim") if type(config.get(key)) is int}
            width = sizes.pop() if len(sizes) == 1 else None
            continue
        if type(before) is int and type(takes) is int and takes != before:
            origin = "what the module before it gives"
            found = Contradiction(f"{part.folder}/config.json: {name}", str(before), str(takes), origin)
            yield Note(
                f"{part.folder} takes {takes} features, not {before}", fault=True, contradictions=(found,)
            )
