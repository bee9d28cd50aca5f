"""Lookup tables of ids."""

from __future__ import annotations

from dataclasses import replace

from shapeinspect.dims import UNKNOWN, Dim, product
from shapeinspect.rules.attributes import EMBEDDING, EPS, MAX_NORM, MAX_NORM_TYPE
from shapeinspect.rules.fields import OWN_AXES, SAME_POSITION
from shapeinspect.rules.formula_text import Lines, Text, Weights, carried, literal, product_text
from shapeinspect.rules.kind import NO_WORK, Attribute, Kind, Work
from shapeinspect.rules.rule import Attributes, Naming, Shapes, first, mismatch, show


def _embedding(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    if attributes.get("reverse"):
        return (None if shape is None else (*shape[:-1], attributes["num_embeddings"]),)
    return (None if shape is None else (*shape, attributes["embedding_dim"]),)


def _embedding_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape, out = first(inputs), first(outputs)
    if attributes.get("reverse") and shape is not None:
        return Naming(links=tuple((0, axis, 0, axis) for axis in range(len(shape) - 1)))
    if shape is None or out is None or len(out) != len(shape) + 1:
        return Naming()
    ids = ("N", "T") if len(shape) == 2 else (None,) * len(shape)
    links = tuple((0, axis, 0, axis) for axis in range(len(shape)))
    return Naming((ids,), ((*ids, "E"),), links)


def _embedding_bag(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape, width = first(inputs), attributes["embedding_dim"]
    if shape is None:
        return ((UNKNOWN, width),)
    if len(shape) == 2:
        return ((shape[0], width),)
    offsets = inputs[1] if len(inputs) > 1 else None
    if len(shape) != 1:
        raise mismatch("2 axes: N T, or 1 axis and offsets", f"{len(shape)} axes: {show(shape)}")
    bags = UNKNOWN if offsets is None else offsets[0] - (1 if attributes.get("include_last_offset") else 0)
    return ((bags, width),)


def _embedding_bag_axes(_attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Naming:
    shape = first(inputs)
    if shape is None or len(shape) != 2:
        return Naming(outputs=(("N", "E"),))
    return Naming((("N", "T"),), (("N", "E"),), ((0, 0, 0, 0),))


def _embedding_weights(attributes: Attributes, _inputs: Shapes) -> Weights:
    return (("weight", "V E", (attributes["num_embeddings"], attributes["embedding_dim"])),)


def _bag_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    shape, offsets = first(inputs) or (), inputs[1] if len(inputs) > 1 else None
    bags = carried(0, 0, shape)
    if len(shape) == 1:
        bags = literal("bags", UNKNOWN) if offsets is None else carried(1, 0, offsets)
        if offsets is not None and attributes.get("include_last_offset"):
            bags = (f"{bags[0]} - 1", bags[1])
    return {(0, 0): bags, (0, 1): literal("embedding_dim", attributes["embedding_dim"])}


def _embedding_lines(attributes: Attributes, _inputs: Shapes, outputs: Shapes) -> Lines:
    last = "num_embeddings" if attributes.get("reverse") else "embedding_dim"
    return {(0, len(first(outputs) or ()) - 1): literal(last, attributes[last])}


def _embedding_macs(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Dim | None:
    if not attributes.get("reverse"):
        return 0
    shape = first(inputs)
    return None if shape is None else product(shape) * attributes["num_embeddings"]


def _embedding_work(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Text:
    if not attributes.get("reverse"):
        return ("0", ())
    shape = first(inputs) or ()
    rows = literal("rows", product(shape[:-1]))
    features = literal("embedding_dim", shape[-1] if shape else UNKNOWN)
    return product_text(rows, features, literal("num_embeddings", attributes["num_embeddings"]))


KINDS = (
    Kind(
        "embedding",
        "a lookup: each id gives one row of numbers",
        "--input 2,7 --set num_embeddings=50 --set embedding_dim=5",
        (
            *EMBEDDING,
            MAX_NORM,
            MAX_NORM_TYPE,
            replace(EPS, default="none", meaning="added to the variance of a norm that follows"),
            Attribute("reverse", "bool", "false", "the product with the table: from features back to ids"),
            Attribute("mask_zero", "bool", "false", "the layers behind leave out the positions of id 0"),
            Attribute("logit_soft_cap", "float", "none", "the limit of the product with the table"),
        ),
        _embedding,
        _embedding_axes,
        _embedding_lines,
        Work(_embedding_macs, _embedding_work),
        _embedding_weights,
        OWN_AXES,
    ),
    Kind(
        "embedding_bag",
        "a lookup: the rows of a bag of ids are combined into one",
        "--input 2,7 --set num_embeddings=50 --set embedding_dim=5",
        (
            *EMBEDDING,
            Attribute("mode", "str", "mean", "how a bag's rows are combined: `mean`, `sum`, `max`"),
            Attribute("include_last_offset", "bool", "false", "the last offset is the end of the last bag"),
            Attribute("padding_idx", "int", "none", "the id that a bag does not count"),
            MAX_NORM,
            MAX_NORM_TYPE,
        ),
        _embedding_bag,
        _embedding_bag_axes,
        _bag_lines,
        NO_WORK,
        _embedding_weights,
        SAME_POSITION,
    ),
)
