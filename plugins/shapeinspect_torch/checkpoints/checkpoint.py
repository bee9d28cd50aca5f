"""Turns an opened checkpoint into a Model: finds the model, builds its layers, notes what is left out."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shapeinspect.binary.repeats import Repeats
from shapeinspect.binary.window import Window
from shapeinspect.binary.zip_reader import MAGIC
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Model, Note
from shapeinspect.sources.source import Source
from shapeinspect.text import many
from shapeinspect_torch.checkpoints import modules
from shapeinspect_torch.checkpoints.configurations import beside, with_beside
from shapeinspect_torch.checkpoints.container import Container
from shapeinspect_torch.checkpoints.shards import BARE, Shard, is_index, read_index
from shapeinspect_torch.pickles import collect, contents
from shapeinspect_torch.pickles.allowlist import beyond
from shapeinspect_torch.pickles.rebuild import Rebuilder
from shapeinspect_torch.pickles.tensors import Tensor
from shapeinspect_torch.pickles.values import reader
from shapeinspect_torch.quantized.declared import Declared, declared
from shapeinspect_torch.quantized.fold import quantized
from shapeinspect_torch.recognition.state_dict import layers_of
from shapeinspect_torch.script.constants import as_weights, constants, notes_of

if TYPE_CHECKING:
    from shapeinspect_torch.script.values import Followed

_SHOWN = 8

#: What a file is, in words, where it is not simply a checkpoint.
_DESCRIBED = {
    "torchscript": "TorchScript program",
    "torch-legacy": "PyTorch checkpoint, as before 1.6",
    "torch-tar": "PyTorch checkpoint, tar",
}

#: Containers that every pickled module has, under the names of Python 2 and 3.
_CONTAINERS = frozenset({"__builtin__.set", "builtins.set"})
_COMPILED = "__torch__."
#: Python's own modules, including those of Python 2: they can run commands and open files.
_LIBRARY = sys.stdlib_module_names | {"__builtin__", "commands", "exceptions", "copy_reg"}


def read_checkpoint(source: Source, stated: Declared | None = None) -> Model:
    """Read a file that ``torch.save`` or TorchScript wrote.

    Args:
        source: the file, or the index of a sharded set.
        stated: what a configuration says about quantization; None to look for one beside the file.

    Raises:
        UnreadableFileError: if it is cut off, corrupt or hostile.
    """
    if is_index(source):
        shard = read_index(source, lambda file, _: load(file).shard())
        return _with_configuration(source, shard, (), None, stated)
    loaded = load(source)
    return _with_configuration(source, loaded.shard(), loaded.layers, loaded.followed, stated)


def _with_configuration(
    source: Source,
    shard: Shard,
    layers: tuple[Layer, ...],
    followed: Followed | None,
    stated: Declared | None,
) -> Model:
    configs = beside(source) if stated is None and quantized(shard.weights) else {}
    known = declared(configs) if stated is None else stated
    known = replace(known, scalars=shard.scalars)
    return with_beside(_model(source.label, shard, layers, followed, known), configs)


def _model(
    label: str, shard: Shard, layers: tuple[Layer, ...], followed: Followed | None, known: Declared
) -> Model:
    bare, recognized = layers_of(shard.weights, declared=known)
    notes = shard.notes + ((Note(BARE),) if bare else ()) + recognized
    model = Model(
        label, shard.format, "torch", "torch", (*layers, *bare), notes=notes, metadata=shard.metadata,
        described=(_DESCRIBED.get(shard.format, "PyTorch checkpoint"),),
    )  # fmt: skip
    if followed is None:
        return model
    return replace(
        model,
        layers=(*followed.layers, *bare),
        calls=followed.calls,
        values=followed.values,
        inputs=followed.inputs,
        outputs=followed.outputs,
        notes=(*notes, *followed.notes),
    )


@dataclass(frozen=True, slots=True)
class Loaded:
    """The contents of one file.

    Args:
        format: its format.
        tensors: its tensors outside any module, with their names.
        layers: the layers of the modules in it.
        notes: remarks for the user.
        metadata: facts about it.
        values: returns a reader of a tensor's values.
        followed: the forward pass, as far as code in the file describes it.
        scalars: the integers among the tensors that tell how these are quantized.
    """

    format: str
    tensors: tuple[collect.Named, ...]
    layers: tuple[Layer, ...]
    notes: tuple[Note, ...]
    metadata: Frozen[str]
    values: collect.Values
    followed: Followed | None = None
    scalars: Frozen[tuple[int, ...]] = Frozen()

    def shard(self) -> Shard:
        """Return its tensors outside any module as weights."""
        keys = collect.shared(item.tensor for item in self.tensors)
        converted = (
            collect.to_weight(item, self.values, keys, item.name.rpartition(".")[2]) for item in self.tensors
        )
        weights = tuple(weight for weight in converted if weight is not None)
        return Shard(self.format, weights, self.notes, self.metadata, self.scalars)


def load(source: Source) -> Loaded:
    """Open one file and find the model in it.

    Args:
        source: the file.

    Raises:
        UnreadableFileError: if it is cut off, corrupt or hostile.
    """
    from shapeinspect_torch.checkpoints.legacy import open_legacy, open_tar
    from shapeinspect_torch.checkpoints.torch_zip import open_zip

    opener: Callable[[Window], Container]
    if source.head.startswith(MAGIC):
        opener = open_zip
    elif source.head[257:262] == b"ustar":
        opener = open_tar
    else:
        opener = open_legacy
    with Window.open(source) as window:
        return loaded(source, opener(window))


def loaded(source: Source, container: Container) -> Loaded:
    """Find the model in an opened container.

    Args:
        source: the file that is the container or contains it.
        container: the container.

    Raises:
        UnreadableFileError: if it is corrupt or hostile.
    """
    tensors = Rebuilder(source.label, container.loose)
    top = container.pickle.value
    survey = contents.Survey(top, tensors)
    chosen = contents.choose(top, tensors, survey)
    budget = collect.Budget(source.label, container.size)
    collected = collect.collect(chosen.node, chosen.skipped, tensors, survey, budget)
    collect.unique(collected.tensors, source.label)
    walked = [modules.walk(path, node, tensors, budget, container.code) for path, node in collected.modules]

    repeats = Repeats(source.label)

    def values(tensor: Tensor) -> Callable[[], object] | None:
        if container.values is not None:
            return container.values(tensor)
        if tensor.storage is None:
            return None
        return reader(source, container.locate(tensor.storage), tensor, repeats)

    inside = [tensor for tree in walked for module in tree for _, tensor, _ in module.weights]
    all_tensors = [*(item.tensor for item in collected.tensors), *inside]
    code_tensors = constants(container.constants, tensors)
    keys = collect.shared(all_tensors)
    layers = tuple(layer for tree in walked for layer in modules.layers(tree, values, keys))
    beside = container.constants.globals if container.constants is not None else ()
    names = beyond((*container.pickle.globals, *container.named, *beside), container.plain)
    metadata = {**container.metadata, **({"globals": ", ".join(names)} if names else {})}
    notes: tuple[Note, ...] = (
        *_about_choice(chosen, container.holder),
        *_about_tensors([*all_tensors, *code_tensors.values()], survey[top].tensors, container.holder),
        *_about_unread(tensors.unread(container.pickle.outside)),
        *_about_names(names),
    )
    followed = None
    if container.format == "torchscript" and len(walked) == 1 and collected.modules[0][0] == "":
        settings = {layer.path: module.attributes for layer, module in zip(layers, walked[0], strict=True)}
        from shapeinspect_torch.script.forward import (
            follow,
        )  # the import takes a tenth of a small file's time

        weights = as_weights(code_tensors, values)
        followed = follow(layers, settings, container.code, weights, source.inputs)
        if followed is None:
            notes = (*notes, Note("the order of its calls could not be followed through its code"))
        notes = (*notes, *notes_of(layers if followed is None else followed.layers, weights))
    return Loaded(
        container.format,
        tuple(collected.tensors),
        layers,
        notes,
        Frozen(metadata),
        values,
        followed,
        Frozen(collected.scalars),
    )


def _about_choice(chosen: contents.Chosen, holder: str) -> list[Note]:
    notes = []
    shown = f'"{".".join(chosen.path)}"' if chosen.path else "the model"
    full = [entry for entry in chosen.rest if entry.tally.tensors]
    empty = [entry for entry in chosen.rest if not entry.tally.tensors]
    if full:
        listed = [f'"{".".join(entry.path)}" ({_amount(entry.tally)})' for entry in full]
        notes.append(Note(f"shown is {shown}; the {holder} also holds {_list(listed)}"))
    elif chosen.path:
        notes.append(Note(f"shown is {shown}"))
    if empty:
        listed = [f'"{".".join(entry.path)}"' for entry in empty]
        notes.append(Note(f"without tensors, and not shown: {_list(listed)}"))
    return notes


def _amount(tally: contents.Tally) -> str:
    return f"{many(tally.values, 'value')} in {many(tally.tensors, 'tensor')}"


def _about_tensors(tensors: Sequence[Tensor], counted: int, holder: str) -> list[Note]:
    notes = []
    if not tensors:
        aside = many(counted, "tensor")
        notes.append(
            Note(f"no parameters and no buffers; its objects hold {aside} for other uses")
            if counted
            else Note(f"the {holder} holds no tensors")
        )
    views = collect.overlapping(tensors)
    if views:
        notes.append(Note(f"{views:,} weights are different views of storage that they share"))
    explained = (
        ("meta", f"on the meta device: the {holder} holds shapes and no values"),
        ("nested", "nested: lengths are part of the values"),
        ("uninitialized", "not initialized yet: there is no shape"),
    )
    forms = Counter(tensor.form for tensor in tensors)
    for form, text in explained:
        if forms[form]:
            notes.append(Note(f"{many(forms[form], 'weight')} {'is' if forms[form] == 1 else 'are'} {text}"))
    special = sorted(forms.keys() - {"strided", *(form for form, _ in explained)})
    if special:
        notes.append(Note(f"some weights are stored in a special form: {_list(special)}"))
    return notes


def _about_unread(count: int) -> list[Note]:
    """Say that numbers are in the file which no tensor that is known here has."""
    if not count:
        return []
    verb = "belongs" if count == 1 else "belong"
    return [Note(f"{many(count, 'storage')} {verb} to objects of an unknown form: not counted")]


def _about_names(names: Sequence[str]) -> list[Note]:
    # Few are shown, so names that could do anything come before the layers of a network.
    ranked = sorted((name for name in names if not name.startswith(_COMPILED)), key=_harmless)
    compiled = len(names) - len(ranked)
    if compiled:
        # TorchScript names each class of its code, often once per layer.
        ranked[_SHOWN - 1 : _SHOWN - 1] = [f"{many(compiled, 'name')} in its own code"]
    return [Note(f"not executed; globals referenced: {_list(ranked)}")] if names else []


def _harmless(name: str) -> int:
    if name in _CONTAINERS or name.startswith(("torch.nn.", "torch.ao.nn.")):
        return 2
    return 0 if name.partition(".")[0] in _LIBRARY else 1


def _list(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _SHOWN:,} more" if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more
