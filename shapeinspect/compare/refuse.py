"""What ``load_state_dict`` would refuse, key by key, and the likely cause.

Source: ``Module._load_from_state_dict`` and ``Module.load_state_dict`` in torch/nn/modules/module.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from shapeinspect.compare.result import LayerPair, Refusal, SizeMismatch
from shapeinspect.compare.weights import lengths_text
from shapeinspect.ir import Model, Weight

#: What wrappers put in front of every key, and who does it.
_WRAPPERS = {
    "module.": "DataParallel and DistributedDataParallel",
    "_orig_mod.": "torch.compile",
    "_fsdp_wrapped_module.": "FullyShardedDataParallel",
    "model.": "a training class that holds the network as self.model",
    "net.": "a training class that holds the network as self.net",
    "network.": "a training class that holds the network as self.network",
    "state_dict.": "a checkpoint saved as a whole",
    "student.": "distillation", "teacher.": "distillation", "ema.": "an averaged copy",
}  # fmt: skip

#: A counter that torch fills in by itself: a missing one is refused only where the checkpoint's own
#: metadata gives that very layer a version of 2, and then the checkpoint has the counter, too.
#: Source: ``_NormBase._load_from_state_dict`` in torch/nn/modules/batchnorm.py.
_TOLERATED = "num_batches_tracked"


def refusal(checkpoint: Model, model: Model, pairs: Sequence[LayerPair], *, forward: bool) -> Refusal:
    """Return what loading one model's keys into the other refuses.

    Args:
        checkpoint: what is loaded.
        model: what it is loaded into.
        pairs: the layers that were paired.
        forward: whether the checkpoint is the first side of these pairs.
    """
    have, want = _keys(checkpoint), _keys(model)
    shapeless = {key for key, weight in have.items() if key in want and _fits(weight, want[key])}
    mismatched = tuple(
        SizeMismatch(key, _shape(have[key]), _shape(want[key]))
        for key in want
        if key in have and key not in shapeless
    )
    missing = tuple(key for key in want if key not in have and not key.endswith(f".{_TOLERATED}"))
    unexpected = tuple(key for key in have if key not in want)
    causes = _causes(have, want, pairs, forward=forward)
    return Refusal(checkpoint.source, model.source, missing, unexpected, mismatched, causes)


def _causes(
    have: Mapping[str, Weight], want: Mapping[str, Weight], pairs: Sequence[LayerPair], *, forward: bool
) -> tuple[str, ...]:
    """Explain a prefix first, and then what is left without it."""
    said, mine, theirs = _prefixed(have, want)
    old = {key.removeprefix(mine): weight for key, weight in have.items()}
    new = {key.removeprefix(theirs): weight for key, weight in want.items()}
    missing = [key for key in new if key not in old]
    changed = [(key, old[key], new[key]) for key in new if key in old and not _fits(old[key], new[key])]
    names = [
        (weight.a.names[0], weight.b.names[0]) if forward else (weight.b.names[0], weight.a.names[0])
        for pair in pairs
        for weight in pair.weights
        if weight.a is not None and weight.b is not None
    ]
    moved = [(one.removeprefix(mine), other.removeprefix(theirs)) for one, other in names]
    renamed = [(one, other) for one, other in moved if one not in new and other not in old]
    return (*said, *_tied(missing, new, old), *_renamed(renamed), *_head(changed))


def _keys(model: Model) -> dict[str, Weight]:
    return {weight.name: weight for layer in model.layers for weight in layer.weights}


def _fits(a: Weight, b: Weight) -> bool:
    # A checkpoint of torch 0.3 stores a scalar as one entry: load_state_dict takes it.
    return a.shape == b.shape or (b.shape == () and len(a.shape) == 1)


def _shape(weight: Weight) -> str:
    return lengths_text(weight.shape, weight.layout.native if weight.layout else None)


def _prefixed(have: Mapping[str, Weight], want: Mapping[str, Weight]) -> tuple[list[str], str, str]:
    """Find a prefix that nearly all keys of one side have, and without which they are the other side's."""
    found = _prefix(have, want)
    if found:
        fix = f"load {{k.removeprefix({found!r}): v for k, v in state_dict.items()}}"
        text = f"the checkpoint's keys begin with \"{found}\"{_who(found)} and the model's do not: {fix}"
        return [text], found, ""
    found = _prefix(want, have)
    if found:
        fix = f"load {{{found!r} + k: v for k, v in state_dict.items()}}"
        text = f"the model's keys begin with \"{found}\"{_who(found)} and the checkpoint's do not: {fix}"
        return [text], "", found
    return [], "", ""


def _who(prefix: str) -> str:
    known = [who for name, who in _WRAPPERS.items() if prefix == name]
    return f" (from {known[0]})" if known else ""


def _prefix(keys: Iterable[str], others: Mapping[str, Weight]) -> str:
    extra = [key for key in keys if key not in others]
    leads: Counter[str] = Counter()
    led: Counter[str] = Counter()
    for key in extra:
        parts = key.split(".")
        for depth in range(1, min(len(parts), 5)):
            lead = ".".join(parts[:depth]) + "."
            led[lead] += 1
            leads[lead] += key.removeprefix(lead) in others
    best = max(leads, key=lambda lead: (leads[lead], -len(lead)), default="")
    # Most keys have it, and some of them are known without it; others may be renamed besides.
    return best if best and leads[best] and led[best] * 2 > len(extra) else ""


def _tied(missing: Sequence[str], want: Mapping[str, Weight], have: Mapping[str, Weight]) -> Iterable[str]:
    stores: dict[str, str] = {}
    for key, weight in want.items():
        if weight.storage is not None and key in have:
            stores.setdefault(weight.storage, key)
    for key in missing:
        storage = want[key].storage
        if storage is not None and storage in stores:
            yield (
                f'"{key}" is tied to "{stores[storage]}", which the checkpoint has: it was saved once; '
                "tie the weights after loading with strict=False"
            )


def _renamed(moved: Iterable[tuple[str, str]]) -> list[str]:
    """Find what differs in the names of paired layers, and how many keys each renaming explains."""
    counted = Counter(_change(old, new) for old, new in moved)
    return [
        f'"{old}" was renamed to "{new}": {times} key{"s" if times > 1 else ""}'
        for (old, new), times in counted.most_common(8)
        if old and new
    ]


def _change(old: str, new: str) -> tuple[str, str]:
    """Return the parts in which two keys differ, their numbers left open."""
    left, right = old.split("."), new.split(".")
    while left and right and left[-1] == right[-1]:
        left.pop()
        right.pop()
    while left and right and left[0] == right[0]:
        left.pop(0)
        right.pop(0)
    return _open(left), _open(right)


def _open(parts: Iterable[str]) -> str:
    return re.sub(r"(?<=\.)\d+(?=\.|$)|^\d+(?=\.)", "#", ".".join(parts))


def _head(changed: Sequence[tuple[str, Weight, Weight]]) -> list[str]:
    """Say that only one layer's outputs differ."""
    layers = {key.rpartition(".")[0] for key, _, _ in changed}
    if len(layers) != 1:
        return []
    sizes = set()
    for _, old, new in changed:
        if not old.shape or len(old.shape) != len(new.shape) or old.shape[1:] != new.shape[1:]:
            return []
        sizes.add((old.shape[0], new.shape[0]))
    if len(sizes) != 1:
        return []
    before, after = sizes.pop()
    return [
        f'only "{layers.pop()}" has another number of outputs, {before} in the checkpoint and {after} in the '
        "model: a changed head; load the rest with strict=False after removing its keys"
    ]
