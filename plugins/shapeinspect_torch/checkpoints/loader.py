"""Predicts what ``load_state_dict`` would refuse, key by key, and the likely causes.

Source: ``Module._load_from_state_dict`` and ``Module.load_state_dict`` in torch/nn/modules/module.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from shapeinspect.ir import Model, Weight
from shapeinspect.layout.pattern import lengths_text
from shapeinspect.plugin_api.loader import Loader, Refusal, SizeMismatch
from shapeinspect.text import many

#: The most causes of one kind.
_SHOWN = 8

#: The prefixes that wrappers put in front of every key, and their origin.
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
#: metadata gives that layer version 2, and such a checkpoint contains the counter.
#: Source: ``_NormBase._load_from_state_dict`` in torch/nn/modules/batchnorm.py.
_TOLERATED = "num_batches_tracked"


class LoadStateDict(Loader):
    """Predicts ``Module.load_state_dict(strict=True)``."""

    def refusal(self, checkpoint: Model, model: Model, renamed: Sequence[tuple[str, str]]) -> Refusal:
        """Return the refused keys and the likely causes; see ``shapeinspect.plugin_api.loader.Loader``."""
        have, want = _keys(checkpoint), _keys(model)
        mismatched = tuple(
            SizeMismatch(key, _shape(have[key]), _shape(want[key]))
            for key in want
            if key in have and not _fits(have[key], want[key])
        )
        missing = tuple(key for key in want if key not in have and not key.endswith(f".{_TOLERATED}"))
        unexpected = tuple(key for key in have if key not in want)
        causes = _causes(have, want, renamed)
        return Refusal(
            "load_state_dict", checkpoint.source, model.source, missing, unexpected, mismatched, causes
        )


def _causes(
    have: Mapping[str, Weight], want: Mapping[str, Weight], renamed: Sequence[tuple[str, str]]
) -> tuple[str, ...]:
    """Explain a prefix first, and then the differences that remain without it."""
    texts, prefix_have, prefix_want = _prefixed(have, want)
    old = {key.removeprefix(prefix_have): weight for key, weight in have.items()}
    new = {key.removeprefix(prefix_want): weight for key, weight in want.items()}
    missing = [key for key in new if key not in old]
    stripped = [(a.removeprefix(prefix_have), b.removeprefix(prefix_want)) for a, b in renamed]
    unmatched = [(a, b) for a, b in stripped if a not in new and b not in old]
    pairs = [(key, key) for key in new if key in old and not _fits(old[key], new[key])]
    packed = [(a, b) for a, b in (*pairs, *unmatched) if _packed_alone(old.get(a), new.get(b))]
    changed = [(a, old[a], new[a]) for a, b in pairs if (a, b) not in packed]
    unmatched = [pair for pair in unmatched if pair not in packed]
    tied = _tied(missing, new, old)
    return (*texts, *_packed(packed, old), *tied, *_renamed(unmatched), *_head(changed))


def _packed_alone(old: Weight | None, new: Weight | None) -> bool:
    """Tell whether a weight is packed in the checkpoint and has an element for each number in the model."""
    return (
        old is not None
        and new is not None
        and old.stored_shape != old.shape
        and new.stored_shape == new.shape
    )


def _packed(pairs: Sequence[tuple[str, str]], old: Mapping[str, Weight]) -> list[str]:
    """Say which weights the checkpoint stores packed, and what unpacks them."""
    counted = Counter(str(old[key].type) for key, _ in pairs)
    return [
        f"the checkpoint stores {many(count, 'weight')} as {kind}, packed, and the model plain numbers: "
        "write those with shapeinspect normalize"
        for kind, count in counted.most_common(_SHOWN)
    ]


def _keys(model: Model) -> dict[str, Weight]:
    return {weight.name: weight for layer in model.layers for weight in layer.weights}


def _fits(a: Weight, b: Weight) -> bool:
    # A checkpoint of torch 0.3 stores a scalar as one entry: load_state_dict accepts it.
    return a.stored_shape == b.stored_shape or (b.shape == () and len(a.stored_shape) == 1)


def _shape(weight: Weight) -> str:
    packed = weight.stored_shape is not weight.shape
    return lengths_text(weight.stored_shape, weight.layout.native if weight.layout and not packed else None)


def _prefixed(have: Mapping[str, Weight], want: Mapping[str, Weight]) -> tuple[list[str], str, str]:
    """Find a prefix that most keys of one side have and whose removal makes them match the other side."""
    prefix = _prefix(have, want)
    if prefix:
        fix = f"load {{k.removeprefix({prefix!r}): v for k, v in state_dict.items()}}"
        text = (
            f"the checkpoint's keys begin with \"{prefix}\"{_wrapper(prefix)} and the model's do not: {fix}"
        )
        return [text], prefix, ""
    prefix = _prefix(want, have)
    if prefix:
        fix = f"load {{{prefix!r} + k: v for k, v in state_dict.items()}}"
        text = (
            f"the model's keys begin with \"{prefix}\"{_wrapper(prefix)} and the checkpoint's do not: {fix}"
        )
        return [text], "", prefix
    return [], "", ""


def _wrapper(prefix: str) -> str:
    return f" (from {_WRAPPERS[prefix]})" if prefix in _WRAPPERS else ""


def _prefix(keys: Iterable[str], others: Mapping[str, Weight]) -> str:
    extra = [key for key in keys if key not in others]
    explained: Counter[str] = Counter()
    with_prefix: Counter[str] = Counter()
    for key in extra:
        parts = key.split(".")
        for depth in range(1, min(len(parts), 5)):
            prefix = ".".join(parts[:depth]) + "."
            with_prefix[prefix] += 1
            explained[prefix] += key.removeprefix(prefix) in others
    best = max(explained, key=lambda prefix: (explained[prefix], -len(prefix)), default="")
    # Most keys have it, and some of them match without it; others may be renamed as well.
    return best if best and explained[best] and with_prefix[best] * 2 > len(extra) else ""


def _tied(missing: Sequence[str], want: Mapping[str, Weight], have: Mapping[str, Weight]) -> Iterable[str]:
    stores: dict[str, str] = {}
    for key, weight in want.items():
        if weight.storage is not None and key in have:
            stores.setdefault(weight.storage, key)
    for key in missing:
        storage = want[key].storage
        if storage is not None and storage in stores:
            yield (
                f'"{key}" is tied to "{stores[storage]}", which the checkpoint has: the shared weight was '
                "saved once; load with strict=False and tie the weights afterwards"
            )


def _renamed(keys: Iterable[tuple[str, str]]) -> list[str]:
    """Return how the keys of matched weights differ, and how many keys each renaming explains."""
    counted = Counter(_change(old, new) for old, new in keys)
    return [
        f'"{old}" was renamed to "{new}": {count} key{"s" if count > 1 else ""}'
        for (old, new), count in counted.most_common(_SHOWN)
        if old and new
    ]


def _change(old: str, new: str) -> tuple[str, str]:
    """Return the parts in which two keys differ, with their numbers replaced by ``#``."""
    old_parts, new_parts = old.split("."), new.split(".")
    while old_parts and new_parts and old_parts[-1] == new_parts[-1]:
        old_parts.pop()
        new_parts.pop()
    while old_parts and new_parts and old_parts[0] == new_parts[0]:
        old_parts.pop(0)
        new_parts.pop(0)
    return _open(old_parts), _open(new_parts)


def _open(parts: Iterable[str]) -> str:
    return re.sub(r"(?<=\.)\d+(?=\.|$)|^\d+(?=\.)", "#", ".".join(parts))


def _head(changed: Sequence[tuple[str, Weight, Weight]]) -> list[str]:
    """Report that only one layer's number of outputs differs."""
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
        f'only "{layers.pop()}" differs in its number of outputs, {before} in the checkpoint and {after} in '
        "the model: a replaced head; remove its keys and load the rest with strict=False"
    ]


LOADER = LoadStateDict()
