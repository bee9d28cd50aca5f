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
    causes = (
        *_prefixed(missing, unexpected),
        *_tied(missing, want, have),
        *_renamed(missing, unexpected, pairs, forward=forward),
        *_head(mismatched, want, have),
    )
    return Refusal(checkpoint.source, model.source, missing, unexpected, mismatched, causes)


def _keys(model: Model) -> dict[str, Weight]:
    return {weight.name: weight for layer in model.layers for weight in layer.weights}


def _fits(a: Weight, b: Weight) -> bool:
    # A checkpoint of torch 0.3 stores a scalar as one entry: load_state_dict takes it.
    return a.shape == b.shape or (b.shape == () and len(a.shape) == 1)


def _shape(weight: Weight) -> str:
    return lengths_text(weight.shape, weight.layout.native if weight.layout else None)


def _prefixed(missing: Sequence[str], unexpected: Sequence[str]) -> list[str]:
    """Find a prefix that all keys of one side have, and without which they are the other side's."""
    for keys, others, has, lacks in (
        (unexpected, missing, "the checkpoint's keys begin", "the model's do not"),
        (missing, unexpected, "the model's keys begin", "the checkpoint's do not"),
    ):
        found = _prefix(keys, set(others))
        if found:
            by = _who(found)
            fix = (
                f"load {{k.removeprefix({found!r}): v for k, v in state_dict.items()}}"
                if keys is unexpected
                else f"load {{{found!r} + k: v for k, v in state_dict.items()}}"
            )
            return [f'{has} with "{found}"{by} and {lacks}: {fix}']
    return []


def _who(prefix: str) -> str:
    known = [who for name, who in _WRAPPERS.items() if prefix == name]
    return f" (from {known[0]})" if known else ""


def _prefix(keys: Sequence[str], others: set[str]) -> str:
    if not keys or not others:
        return ""
    leads: Counter[str] = Counter()
    for key in keys:
        parts = key.split(".")
        for depth in range(1, min(len(parts), 5)):
            lead = ".".join(parts[:depth]) + "."
            if key.removeprefix(lead) in others:
                leads[lead] += 1
    best = leads.most_common(1)
    return best[0][0] if best and best[0][1] * 2 > len(keys) else ""


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


def _renamed(
    missing: Sequence[str], unexpected: Sequence[str], pairs: Sequence[LayerPair], *, forward: bool
) -> list[str]:
    """Find what differs in the names of paired layers, and how many keys each renaming explains."""
    lost, extra = set(missing), set(unexpected)
    counted: Counter[tuple[str, str]] = Counter()
    for pair in pairs:
        for weight in pair.weights:
            if weight.a is None or weight.b is None:
                continue
            sides = (weight.a.names, weight.b.names) if forward else (weight.b.names, weight.a.names)
            old, new = sides[0][0], sides[1][0]
            if old in extra and new in lost:
                counted[_change(old, new)] += 1
    if not counted or any(old and new == "" for old, new in counted):
        counted = Counter({change: times for change, times in counted.items() if change[0] and change[1]})
    return [
        f'"{old}" was renamed to "{new}": {times} key{"s" if times > 1 else ""}'
        for (old, new), times in counted.most_common(8)
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


def _head(
    mismatched: Sequence[SizeMismatch], want: Mapping[str, Weight], have: Mapping[str, Weight]
) -> list[str]:
    """Say that only the last layer's outputs differ."""
    layers = {one.key.rpartition(".")[0] for one in mismatched}
    if len(layers) != 1:
        return []
    path = layers.pop()
    sizes = set()
    for one in mismatched:
        mine, theirs = have[one.key].shape, want[one.key].shape
        if not mine or len(mine) != len(theirs) or mine[1:] != theirs[1:]:
            return []
        sizes.add((mine[0], theirs[0]))
    if len(sizes) != 1:
        return []
    old, new = sizes.pop()
    return [
        f'only "{path}" has another number of outputs, {old} in the checkpoint and {new} in the model: a '
        "changed head; load the rest with strict=False after removing its keys"
    ]
