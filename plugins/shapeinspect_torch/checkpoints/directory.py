"""Reads directories of several files: picks the model, lists the other files, applies its config."""

from __future__ import annotations

from dataclasses import replace

from shapeinspect.errors import UsageError
from shapeinspect.ir import Model, Note
from shapeinspect.sources.not_a_model import foreign
from shapeinspect.sources.source import Source
from shapeinspect_torch.checkpoints.configurations import configuration
from shapeinspect_torch.checkpoints.parts import Part, folder_of, holds_weights, lacking, parts_of, together
from shapeinspect_torch.checkpoints.shards import pick
from shapeinspect_torch.file_names import INDEX, SUFFIX
from shapeinspect_torch.quantized.declared import FILES, Declared, declared
from shapeinspect_torch.recognition.model_config import with_config
from shapeinspect_torch.recognition.peft import with_adapter

_BIN_INDEX = "pytorch_model.bin.index.json"
#: The names that are chosen whatever else there is, in order of preference.
_BEST = (
    "model" + INDEX, "model" + SUFFIX, _BIN_INDEX, "pytorch_model.bin",
    "diffusion_pytorch_model" + INDEX, "diffusion_pytorch_model" + SUFFIX, "diffusion_pytorch_model.bin",
    "adapter_model" + SUFFIX, "adapter_model.bin",
)  # fmt: skip
#: File endings of weights.
_WEIGHTS = (SUFFIX, ".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx", ".gguf", INDEX, _BIN_INDEX)
_SHOWN = 5


def read_directory(source: Source) -> Model:
    """Read the model of a directory.

    Args:
        source: the directory.

    Raises:
        UnreadableFileError: if its weights or its configuration are malformed, or a name leads outside.
        UsageError: if it holds several models and nothing tells which one to read.
    """
    parts = parts_of(source)
    return _read_parts(source, parts) if parts else _read_one(source)


def _read_parts(source: Source, parts: tuple[Part, ...]) -> Model:
    models: list[tuple[Part, Model]] = []
    notes: tuple[Note, ...] = ()
    for part in parts:
        folder = folder_of(source, part)
        if folder is not None and holds_weights(folder):
            models.append((part, _read_one(folder)))
        else:
            notes += lacking(part, folder)
    if not models:
        raise UsageError(
            f'no part of the directory "{source.label}" has weights of torch',
            got=", ".join(part.folder for part in parts[:_SHOWN]),
        )
    if len(models) == 1 and not models[0][0].name:
        return replace(models[0][1], notes=(*models[0][1].notes, *notes))
    named = ", ".join(part.folder or "the directory itself" for part, _ in models)
    return together(source, models, (Note(f"one model of several parts: {named}"), *notes))


def _read_one(source: Source) -> Model:
    chosen, notes = pick(source, _BEST, (INDEX, SUFFIX))
    name = chosen.name
    configs = {file: configuration(source, file) for file, _ in FILES if file in source.entries}
    model = _read(chosen, name, declared(configs))
    read = {weight.where for layer in model.layers for weight in layer.weights}
    others = [
        entry
        for entry in source.entries
        if entry.endswith(_WEIGHTS) and entry != name and entry not in read and entry not in _SIDE
    ]
    if others:
        more = f" and {len(others) - _SHOWN:,} more" if len(others) > _SHOWN else ""
        notes += (Note(f"not read: {', '.join(others[:_SHOWN])}{more}"),)
    model = replace(model, source=source.label, notes=(*notes, *model.notes))
    if name.startswith("adapter_model") and "adapter_config.json" in source.entries:
        return with_adapter(model, configuration(source, "adapter_config.json"))
    if "config.json" in source.entries:
        return with_config(model, configs["config.json"])
    return model


#: Files with such an ending that do not hold weights of the model.
_SIDE = frozenset({
    "training_args.bin", "optimizer.pt", "optimizer.bin", "scheduler.pt", "scheduler.bin", "rng_state.pth",
})  # fmt: skip


def _read(chosen: Source, name: str, stated: Declared) -> Model:
    if (refused := foreign(chosen)) is not None:
        raise refused
    if name.endswith((INDEX, SUFFIX)):
        from shapeinspect_torch.checkpoints.safetensors_file import read_safetensors

        return read_safetensors(chosen, stated)
    from shapeinspect_torch.checkpoints.checkpoint import read_checkpoint

    return read_checkpoint(chosen, stated)
