"""What losses keep that are averaged or added up."""

from __future__ import annotations

import re

from shapeinspect.backward.site import Kept, Site

#: Losses that keep what was computed and what it is held against.
_PAIRED = frozenset(
    {
        *("mse", "smoothl1", "huber", "nll", "bce", "bcewithlogits"),
        *("binarycrossentropy", "binarycrossentropywithlogits"),
    }
)


def loss(site: Site) -> Kept:
    """Return what a loss keeps.

    Args:
        site: the call.
    """
    tensor, target = site.inputs if len(site.inputs) == 2 else (None, None)
    reduced = site.attributes.get("reduction") in ("mean", "sum", "batchmean")
    if (
        tensor is None
        or target is None
        or not reduced
        or target.grad
        or site.attributes.get("label_smoothing")
    ):
        return None
    if tensor.contiguous is not True or target.contiguous is not True:
        return None
    name = re.sub(r"_?loss$|_", "", site.type.rpartition(".")[2].lower())
    labels = target.shape is not None and tensor.shape is not None and len(target.shape) < len(tensor.shape)
    count = (site.new("count", tensor.item),)
    if name == "l1":  # how far apart they are
        return (site.new("difference", tensor.own_bytes),) if tensor.shape == target.shape else None
    if name == "crossentropy":
        return (site.new("logarithms", tensor.own_bytes), target, *count) if labels else None
    if name == "kldiv":
        return (target,) if site.attributes.get("log_target") is False else None
    return (tensor, target, *(count if name == "nll" else ())) if name in _PAIRED else None
