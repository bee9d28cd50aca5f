"""What attention keeps: a layer with its projections, and the fused kernel."""

from __future__ import annotations

from shapeinspect.backward.site import Kept, Site
from shapeinspect.backward.tensors import Tensor, elements
from shapeinspect.dims import UNKNOWN, Shape


def attention(site: Site) -> Kept:
    """Return what attention keeps.

    Args:
        site: the call.
    """
    tensors = [tensor for tensor in site.inputs if tensor is not None]
    shapes = [tensor.shape for tensor in tensors if tensor.shape is not None]
    fused = bool(site.attributes.get("scaled_dot_product"))
    mask = tensors[3] if fused and len(site.inputs) == len(shapes) == 4 else None
    if len(shapes) != len(site.inputs) or len(shapes) != (4 if mask else 3):
        return None
    if fused:
        kept = _fused(site, tensors[:3], shapes[:3])
        return kept if kept is None or mask is None else None if mask.grad else (*kept, _added(site, mask))
    heads, name = site.attributes.get("num_heads"), {tensor.storage for tensor in tensors}
    if (
        not isinstance(heads, int)
        or len(shapes[0]) != 3
        or len(name) > 1
        or site.attributes.get("add_zero_attn")
    ):
        return None
    if shapes[0][-1] != site.attributes.get("embed_dim") or not tensors[0].contiguous or not site.params:
        return None
    return _self_attention(site, tensors[0], shapes[0], heads)


def _added(site: Site, mask: Tensor) -> Tensor:
    """Return a mask as it is added to the scores: one of truth values becomes numbers."""
    item = site.outputs[0].item
    return site.new("mask", elements(mask.shape or (UNKNOWN,)) * item) if mask.item == 1 else mask


def _fused(site: Site, tensors: list[Tensor], shapes: list[Shape]) -> Kept:
    """Return what the fused kernel keeps: query, key, value, the result, and a sum for each row of scores."""
    if any(len(shape) != 4 or shape[-1] != shapes[0][-1] for shape in shapes) or site.attributes.get("rate"):
        return None
    if any(shape[:2] != shapes[0][:2] for shape in shapes) or not all(tensor.grad for tensor in tensors):
        return None
    return (*tensors, *site.outputs[:1], site.new("sums", elements(shapes[0][:-1]) * 4))


def _self_attention(site: Site, tensor: Tensor, shape: Shape, heads: int) -> Kept:
    """Return what a layer keeps that projects one input to queries, keys and values, and the result again.

    Source: ``multi_head_attention_forward`` in https://github.com/pytorch/pytorch/blob/main/torch/nn/functional.py
    """
    first = bool(site.attributes.get("batch_first"))
    batch, length = (shape[0], shape[1]) if first else (shape[1], shape[0])
    weighed, rate = site.attributes.get("need_weights"), site.attributes.get("rate")
    scores, own = batch * heads * length * length * tensor.item, tensor.own_bytes
    found = [tensor, site.new("projected", 3 * own), site.new("heads", own)]
    if not weighed and not rate:
        return (*found, site.new("sums", batch * heads * length * 4))
    found += [site.new("scaled query", own), site.new("weights", scores)]
    if not weighed:
        found.append(site.new("scaled key", own))
    if rate:
        found += [site.new("mask", scores), site.new("dropped", scores)]
    return tuple(found)
