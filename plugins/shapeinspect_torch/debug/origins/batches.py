"""The last batch of a loader, which has fewer samples than the others."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import Any

from shapeinspect.plugin_api.origins.numbers import Origin, origin_of
from shapeinspect_torch.debug.origins.axes import axes_of, keep, plain_shape, tensors_in

#: The kind of a length that counts its samples; the parts are all samples and those of a full batch.
REST = "rest"
#: What is longer than this is not followed.
_STEPS = 400


def watch(place: Callable[[], tuple[str, int]]) -> None:
    """Mark the samples of incomplete batches while a program runs; this process ends soon.

    Args:
        place: returns the user's file and line that are running.
    """
    from torch.utils.data import DataLoader, dataloader

    made: weakref.WeakKeyDictionary[Any, tuple[str, int]] = weakref.WeakKeyDictionary()
    make, start, go_on = DataLoader.__init__, DataLoader.__iter__, dataloader._BaseDataLoaderIter.__next__
    loaders: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        made[self] = place()

    def iterate(self: Any) -> Any:
        iterator = start(self)
        loaders[iterator] = self
        return iterator

    def following(self: Any) -> Any:
        batch = go_on(self)
        loader = loaders.get(self)
        if loader is not None:
            _mark(batch, self, made.get(loader, ("", 0)))
        return batch

    DataLoader.__init__, DataLoader.__iter__ = init, iterate
    dataloader._BaseDataLoaderIter.__next__ = following


def _mark(batch: Any, iterator: Any, place: tuple[str, int]) -> None:
    """Say of the tensors of the last batch where their number of samples comes from."""
    import torch

    sampler = getattr(iterator, "_index_sampler", None)
    if not isinstance(sampler, torch.utils.data.BatchSampler) or sampler.drop_last:
        return
    try:
        total, full = len(sampler.sampler), sampler.batch_size
    except TypeError:
        return
    left = total % int(full)
    if not left or total < int(full) or iterator._num_yielded != len(sampler):
        return
    parts = (Origin(total, "data"), origin_of(full))
    for tensor in tensors_in(_values(batch)):
        shape, axes = plain_shape(tensor), axes_of(tensor)
        if shape and shape[0] == left:
            keep(tensor, (Origin(left, REST, -1, "DataLoader", parts, *place), *axes[1:]))


def _values(batch: Any) -> tuple[Any, ...]:
    return tuple(batch.values()) if isinstance(batch, dict) else (batch,)


def incomplete(origin: Origin) -> Origin | None:
    """Return the number of samples of an incomplete batch that a length is made of; None for none.

    Args:
        origin: where the length comes from.

    Example:
        >>> rest = Origin(14, REST, parts=(Origin(110, "data"), Origin(16, "literal", 0)))
        >>> views = Origin(28, "operation", symbol="*", parts=(Origin(2, "data"), rest))
        >>> incomplete(views) is rest, incomplete(Origin(16, "data"))
        (True, None)
    """
    return next((one for one in _behind(origin) if one.kind == REST), None)


def _behind(origin: Origin) -> Iterator[Origin]:
    waiting, seen = [origin], set[int]()
    while waiting and len(seen) < _STEPS:
        one = waiting.pop(0)
        if id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += () if one.kind == REST else one.parts


def last_batch(first: Origin, second: Origin, line: Callable[[str, int], str]) -> str:
    """Say that one of two lengths is that of the last batch, and the other that of a full one.

    Args:
        first: where one length comes from.
        second: where the other one comes from.
        line: writes a file and line in words.

    Example:
        >>> parts = (Origin(110, "data"), Origin(16, "literal", 0))
        >>> rest = Origin(14, REST, -1, "DataLoader", parts, "a.py", 7)
        >>> views = Origin(28, "operation", symbol="*", parts=(Origin(2, "data"), rest))
        >>> last_batch(views, Origin(32, "data"), lambda _file, number: f"line {number}")[:66]
        'the last batch of DataLoader(…), line 7, has 14 of 16 samples: 110'
        >>> last_batch(views, Origin(30, "data"), lambda _file, number: f"line {number}")
        ''
    """
    for short, other in ((first, second), (second, first)):
        rest = incomplete(short)
        if rest is None or incomplete(other) is not None:
            continue
        total, full = (part.value for part in rest.parts)
        if short.value * full == other.value * rest.value:
            where = f", {line(rest.file, rest.line)}," if rest.line else ""
            made = f"{other.value} is" if other.value != full else "the other one is"
            return (
                f"the last batch of DataLoader(…){where} has {rest.value} of {full} samples: {total} is no "
                f"multiple of {full}, and {made} for {full}; drop_last=True leaves it out"
            )
    return ""
