"""Attention with its projections, and the bare scaled dot product."""

from __future__ import annotations

from shapeinspect.dims import Dim, Shape, product
from shapeinspect.ir import Axes
from shapeinspect.rules.fields import ATTENDED
from shapeinspect.rules.formula_text import (
    Lines,
    Text,
    Weights,
    literal,
    product_text,
    quotient_text,
    sum_text,
)
from shapeinspect.rules.kind import Attribute, Kind, Work
from shapeinspect.rules.kinds.elementwise import broadcast
from shapeinspect.rules.lengths import Length
from shapeinspect.rules.rule import Attributes, Naming, Shapes, first, mismatch, show, unlike

#: How a query is compared with a key without a product: by a sum of functions of theirs.
_SUMMED = frozenset({"additive", "concat"})


def attention_macs(
    queries: Length, keys: Length, heads: Length, head_dim: Length, value_dim: Length | None = None
) -> Length:
    """Return the multiply-accumulates of the scores and of the weighted sum, without projections.

    Args:
        queries: positions that ask.
        keys: positions that are asked.
        heads: how many heads.
        head_dim: features a head of queries and keys.
        value_dim: features a head of values; ``head_dim`` by default.

    Source: ``softmax(q k^T / sqrt(d)) v``: one product for the scores, one for the sum.

    Example:
        >>> attention_macs(5, 7, heads=2, head_dim=4)
        560
    """
    return queries * keys * heads * (head_dim + (head_dim if value_dim is None else value_dim))


def _three(attributes: Attributes, inputs: Shapes) -> tuple[Shape | None, Shape | None, Shape | None]:
    inputs = inputs[:1] if attributes.get("one_input") else inputs
    query = first(inputs)
    key = inputs[1] if len(inputs) > 1 and inputs[1] is not None else (query if len(inputs) < 2 else None)
    value = inputs[2] if len(inputs) > 2 and inputs[2] is not None else (key if len(inputs) < 3 else None)
    return query, key, value


def _is_layer(attributes: Attributes) -> bool:
    if not attributes.get("projected", True) or attributes.get("scaled_dot_product"):
        return False
    return "embed_dim" in attributes or "out_features" in attributes or "num_heads" in attributes


def _is_folded(attributes: Attributes, query: Shape) -> bool:
    """Tell whether the features of unprojected inputs contain several heads."""
    return attributes.get("projected") is False and len(query) == 3 and "num_heads" in attributes


def _attention(attributes: Attributes, inputs: Shapes) -> Shapes:
    query, key, value = _three(attributes, inputs)
    wants_weights = attributes.get("need_weights")
    if query is None:
        return (None, None) if wants_weights else (None,)
    if _is_folded(attributes, query):
        folded = _folded(attributes, query, key, value)
        return (folded, _folded_weights(attributes, query, key)) if wants_weights else (folded,)
    if not _is_layer(attributes) or (len(query) == 4 and "embed_dim" not in attributes):
        product = _dot_product(query, key, value)
        return (*product, _weights(attributes, query, key)) if wants_weights else product
    _check(attributes, query, key, value)
    width = attributes.get("out_features") or attributes.get("embed_dim") or query[-1]
    out = (*query[:-1], width)
    return (out, _weights(attributes, query, key)) if wants_weights else (out,)


def _check(attributes: Attributes, query: Shape, key: Shape | None, value: Shape | None) -> None:
    if len(query) < 2:
        raise mismatch("at least 2 axes: T E", show(query))
    embed, heads = attributes.get("embed_dim"), attributes.get("num_heads")
    if isinstance(embed, int) and isinstance(heads, int) and not attributes.get("head_dim") and embed % heads:
        raise mismatch(f"embed_dim divisible by {heads} heads", str(embed), where="num_heads")
    wanted = (embed, attributes.get("kdim") or embed, attributes.get("vdim") or embed)
    for label, shape, width in zip(("query", "key", "value"), (query, key, value), wanted, strict=True):
        if shape and isinstance(width, int) and unlike(shape[-1], width):
            raise mismatch(
                f"E = {width} of the {label}", f"{shape[-1]} of {show(shape)}", where="embed_dim, kdim, vdim"
            )
    if key is not None and value is not None and any(map(unlike, key[:-1], value[:-1])):
        raise mismatch("keys and values of the same positions", f"{show(key)} and {show(value)}")


def _weights(attributes: Attributes, query: Shape, key: Shape | None) -> Shape | None:
    if key is None:
        return None
    if not _is_layer(attributes):
        return (*query[:-1], key[-2])
    heads = () if attributes.get("average_weights", True) else (attributes["num_heads"],)
    if len(query) > 3:
        attended = _attended(attributes, query)
        rest = tuple(length for axis, length in enumerate(query[:-1]) if axis not in attended)
        return (*rest, *heads, *(query[axis] for axis in attended), *(key[axis] for axis in attended))
    time = -2 if attributes.get("batch_first") or len(query) == 2 else 0
    batch = () if len(query) == 2 else (query[0] if time == -2 else query[1],)
    return (*batch, *heads, query[time], key[time])


def _folded_weights(attributes: Attributes, query: Shape, key: Shape | None) -> Shape | None:
    if key is None or attributes["num_heads"] != 1:
        return None
    return (*query[:2], key[1])


def _attended(attributes: Attributes, query: Shape) -> tuple[int, ...]:
    """Return the axes of the positions that attend to each other, where there may be several."""
    axes = attributes.get("attention_axes")
    return tuple(range(1, len(query) - 1)) if axes is None else tuple(axis % len(query) for axis in axes)


def _positions(attributes: Attributes, query: Shape, shape: Shape) -> tuple[Dim, Dim]:
    """Return the samples and the positions of a shape; the query says which axes are positions."""
    if len(query) > 3:
        attended = _attended(attributes, query)
        rest = [length for axis, length in enumerate(shape[:-1]) if axis not in attended]
        return product(rest), product(shape[axis] for axis in attended)
    time = -2 if attributes.get("batch_first") or len(query) == 2 else 0
    return (1 if len(query) == 2 else (query[0] if time == -2 else query[1])), shape[time]


def _folded(attributes: Attributes, query: Shape, key: Shape | None, value: Shape | None) -> Shape | None:
    """Return the shape for ``N T (head d)`` without projections, where keys may have fewer heads."""
    if "out_features" in attributes:
        return (*query[:2], attributes["out_features"])
    heads = attributes["num_heads"]
    shared = attributes.get("num_kv_heads") or heads
    if key is None or value is None or len(key) != 3 or len(value) != 3:
        return None
    width = query[-1] // heads
    if unlike(key[-1], width * shared):
        raise mismatch(f"keys of {shared} heads of {width} features", show(key))
    if unlike(key[1], value[1]):
        raise mismatch("keys and values of the same positions", f"{show(key)} and {show(value)}")
    return (*broadcast(query[:1], value[:1]), query[1], value[-1] // shared * heads)


def _dot_product(query: Shape, key: Shape | None, value: Shape | None) -> Shapes:
    if value is None:
        return (None,)
    if min(len(query), len(value)) < 2:
        raise mismatch("at least 2 axes: T E", f"{show(query)} and {show(value)}")
    if key is not None and unlike(key[-1], query[-1]):
        raise mismatch(f"keys of {query[-1]} features", f"{show(key)}")
    if len(query) == len(value) and len(query) == 4:  # groups of queries may share heads
        batch = (*broadcast(query[:1], value[:1]), query[1])
    else:
        batch = broadcast(query[:-2], value[:-2])
    return ((*batch, query[-2], value[-1]),)


def _attention_macs(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Length | None:
    query, key, value = _three(attributes, inputs)
    if query is None or key is None or value is None:
        return None
    past = attributes.get("past_length", 0)
    if attributes.get("score_mode") in _SUMMED:
        return product(query[:-2]) * query[-2] * key[-2] * value[-1]
    if _is_folded(attributes, query):
        heads = attributes["num_heads"]
        shared = attributes.get("num_kv_heads") or heads
        width = attributes.get("head_dim") or query[-1] // heads
        values_width = attributes.get("value_head_dim") or value[-1] // shared
        return query[0] * attention_macs(query[1], key[-2] + past, heads, width, values_width)
    if not _is_layer(attributes) or (len(query) == 4 and "embed_dim" not in attributes):
        heads = product(query[:-2])
        return attention_macs(query[-2], key[-2] + past, heads, query[-1], value[-1])
    batch, queries = _positions(attributes, query, query)
    keys = _positions(attributes, query, key)[1]
    heads = attributes["num_heads"]
    width = attributes.get("head_dim") or attributes["embed_dim"] // heads
    values_width = attributes.get("value_head_dim") or width
    shared = attributes.get("num_kv_heads") or heads
    out = attributes.get("out_features") or attributes.get("embed_dim") or query[-1]
    projections: Dim = (
        queries * query[-1] * heads * width + keys * (key[-1] * width + value[-1] * values_width) * shared
    )
    if attributes.get("output_projected", True):
        projections = projections + queries * heads * values_width * out
    return batch * (projections + attention_macs(queries, keys + past, heads, width, values_width))


def _names(attributes: Attributes, shape: Shape | None) -> Axes | None:
    if shape is None or len(shape) not in (2, 3):
        return None
    # A sequence of anything, such as of the patches of a picture: what it was before says more.
    if len(shape) == 2:
        return ("T?", "E?")
    return ("N", "T?", "E?") if attributes.get("batch_first") else ("T?", "N", "E?")


def _attention_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    query, out = first(inputs), first(outputs)
    if query is None or out is None or len(query) != len(out):
        return Naming()
    links = tuple((0, axis, 0, axis) for axis in range(len(query) - 1))
    if not _is_layer(attributes):
        return Naming(links=links)
    result = [_names(attributes, shape) for shape in (query, *inputs[1:3])]
    weights: list[Axes | None] = []
    if len(outputs) > 1 and outputs[1] is not None:
        rank = len(outputs[1])
        if len(query) <= 3:
            weights = [(*(("N",) if len(query) == 3 else ()), *((None,) * (rank - len(query))), "T?", "T?")]
    return Naming(tuple(result), (_names(attributes, out), *weights), links)


def attention_text(queries: Text, keys: Text, heads: Text, head_dim: Text, value_dim: Text) -> Text:
    """Write ``attention_macs``: the products of the scores, then those of the weighted sum.

    Args:
        queries: positions that ask.
        keys: positions that are asked.
        heads: how many heads.
        head_dim: features a head of queries and keys.
        value_dim: features a head of values.

    Example:
        >>> d = literal("d", 4)
        >>> attention_text(literal("q", 5), literal("k", 7), literal("heads", 2), d, d)[0]
        'q*k*heads*(d + d)'
    """
    return product_text(queries, keys, heads, sum_text(head_dim, value_dim))


def _attention_lines(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    query, key, value = (shape or () for shape in _three(attributes, inputs))
    out, rank = first(outputs) or (), len(first(outputs) or ())
    lines = {(0, axis): _named("q", query, axis) for axis in range(rank - 1)}
    folded = _is_folded(attributes, query)
    if folded and "out_features" not in attributes:
        heads, shared = attributes["num_heads"], attributes.get("num_kv_heads") or attributes["num_heads"]
        width = quotient_text(_named("v", value, 2), literal("num_kv_heads", shared))
        lines[0, 2] = (
            _named("v", value, 2) if heads == shared else product_text(width, literal("num_heads", heads))
        )
    elif folded:
        lines[0, 2] = literal("out_features", attributes["out_features"])
    elif not _is_layer(attributes) or (len(query) == 4 and "embed_dim" not in attributes):
        lines[0, rank - 1] = _named("v", value, len(value) - 1)
        for axis, length in enumerate(out[:-2]):
            if query[axis - rank] != length:  # broadcast to the values
                lines[0, axis] = _named("v", value, axis - rank + len(value))
    else:
        names = [name for name in ("out_features", "embed_dim") if attributes.get(name)]
        last = literal(names[0], attributes[names[0]]) if names else _named("q", query, rank - 1)
        lines[0, rank - 1] = last
    if len(outputs) > 1 and outputs[1] is not None:
        lines |= _weight_lines(attributes, query, key, len(outputs[1]))
    return lines


def _weight_lines(attributes: Attributes, query: Shape, key: Shape, rank: int) -> dict[tuple[int, int], Text]:
    if not _is_layer(attributes):
        texts = [
            *(_named("q", query, axis) for axis in range(len(query) - 1)),
            _named("k", key, len(key) - 2),
        ]
        return {(1, axis): text for axis, text in enumerate(texts[:rank])}
    if len(query) > 3:
        attended = _attended(attributes, query)
        heads = (
            [] if attributes.get("average_weights", True) else [literal("num_heads", attributes["num_heads"])]
        )
        texts = [
            *(_named("q", query, axis) for axis in range(len(query) - 1) if axis not in attended),
            *heads,
            *(_named("q", query, axis) for axis in attended),
            *(_named("k", key, axis) for axis in attended),
        ]
        return {(1, axis): text for axis, text in enumerate(texts[:rank])}
    time = len(query) - 2 if attributes.get("batch_first") or len(query) == 2 else 0
    texts = [] if len(query) == 2 else [_named("q", query, 0 if time else 1)]
    if not attributes.get("average_weights", True):
        texts.append(literal("num_heads", attributes["num_heads"]))
    texts += [_named("q", query, time), _named("k", key, time)]
    return {(1, axis): text for axis, text in enumerate(texts[:rank])}


def _named(letter: str, shape: Shape, axis: int) -> Text:
    return literal(f"{letter}{axis}", shape[axis])


def _attention_work(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Text:
    query, key, value = (shape or () for shape in _three(attributes, inputs))
    is_layer = _is_layer(attributes) and not (len(query) == 4 and "embed_dim" not in attributes)
    batch, asking = _positions(attributes, query, query) if is_layer else (1, query[-2])
    asked = _positions(attributes, query, key)[1] if is_layer else key[-2]
    past = attributes.get("past_length", 0)
    keys = literal("keys", asked) if not past else sum_text(literal("keys", asked), literal("past", past))
    queries = literal("queries", asking)
    if attributes.get("score_mode") in _SUMMED:
        samples = literal("samples", product(query[:-2]))
        return product_text(samples, queries, keys, literal("d", value[-1]))
    if _is_folded(attributes, query):
        heads = attributes["num_heads"]
        shared = attributes.get("num_kv_heads") or heads
        width = attributes.get("head_dim") or query[-1] // heads
        values_width = attributes.get("value_head_dim") or value[-1] // shared
        score = attention_text(queries, keys, *_heads(heads, width, values_width))
        return product_text(literal("samples", query[0]), score)
    if not is_layer:
        return attention_text(queries, keys, *_heads(product(query[:-2]), query[-1], value[-1]))
    heads = attributes["num_heads"]
    width = attributes.get("head_dim") or attributes["embed_dim"] // heads
    values_width = attributes.get("value_head_dim") or width
    shared = attributes.get("num_kv_heads") or heads
    out = attributes.get("out_features") or attributes.get("embed_dim") or query[-1]
    many, d, e = _heads(heads, width, values_width)
    few = many if shared == heads else literal("kv_heads", shared)
    fresh = literal("keys", asked)
    parts = [
        product_text(queries, literal("q_in", query[-1]), many, d),
        product_text(fresh, literal("k_in", key[-1]), few, d),
        product_text(fresh, literal("v_in", value[-1]), few, e),
        attention_text(queries, keys, many, d, e),
    ]
    if attributes.get("output_projected", True):
        parts.append(product_text(queries, many, e, literal("out", out)))
    return product_text(literal("samples", batch), sum_text(*parts))


def _heads(heads: Dim, width: Dim, values_width: Dim) -> tuple[Text, Text, Text]:
    d = literal("d", width)
    return literal("heads", heads), d, d if width == values_width else literal("dv", values_width)


def _attention_weights(attributes: Attributes, inputs: Shapes) -> Weights:
    query, key, value = (shape or () for shape in _three(attributes, inputs))
    if not _is_layer(attributes) or "embed_dim" not in attributes:
        return ()
    heads = attributes["num_heads"]
    width = attributes.get("head_dim") or attributes["embed_dim"] // heads
    shared = attributes.get("num_kv_heads") or heads
    values_width = attributes.get("value_head_dim") or width
    out = attributes.get("out_features") or attributes["embed_dim"]
    rows = (("q", heads * width, query), ("k", shared * width, key), ("v", shared * values_width, value))
    result: list[tuple[str, str, Shape]] = []
    for letter, outputs, shape in rows:
        result += [(f"{letter}.weight", "o i", (outputs, shape[-1])), (f"{letter}.bias", "o", (outputs,))]
    if not attributes.get("output_projected", True):
        return tuple(result)
    return (*result, ("out.weight", "o i", (out, heads * values_width)), ("out.bias", "o", (out,)))


_ATTRIBUTES = (
    Attribute("embed_dim", "int", "by num_heads and head_dim", "features of the query"),
    Attribute(
        "num_heads",
        "int",
        "by the input",
        "heads; without projections they are packed in `N T (head d)`",
    ),
    Attribute("num_kv_heads", "int", "num_heads", "heads of keys and values"),
    Attribute("head_dim", "int", "embed_dim / num_heads", "features of one head"),
    Attribute("value_head_dim", "int", "head_dim", "features of one head's values, where they differ"),
    Attribute("kdim", "int", "embed_dim", "features of the key"),
    Attribute("vdim", "int", "embed_dim", "features of the value"),
    Attribute(
        "out_features", "int", "embed_dim", "features of the output; of the input where it holds all three"
    ),
    Attribute("batch_first", "bool", "false", "`N T E`, not `T N E`"),
    Attribute("attention_axes", "tuple", "all between batch and features", "the axes of the positions"),
    Attribute("need_weights", "bool", "false", "a second output: the weights of the mean"),
    Attribute("rate", "float", "0", "the share of these weights that are set to 0 in training"),
    Attribute("add_zero_attn", "bool", "false", "a position of zeros is added to keys and values"),
    Attribute("is_causal", "bool", "false", "a position sees none behind it"),
    Attribute("scale", "float", "1 / sqrt(head_dim)", "the factor of the products"),
    Attribute("average_weights", "bool", "true", "these weights are averaged over the heads"),
    Attribute("score_mode", "`dot`, `concat`, `additive`", "dot", "how a query is compared with a key"),
    Attribute("sliding_window", "int", "none", "a position sees only so many others around it"),
    Attribute("gated", "bool", "false", "the output is multiplied by a gate of the query"),
    Attribute("projected", "bool", "true", "query, key and value are projected first"),
    Attribute("output_projected", "bool", "true", "a projection follows"),
    Attribute("past_length", "int", "0", "positions kept from earlier calls"),
    Attribute("one_input", "bool", "false", "query, key and value all come from the first input"),
    Attribute(
        "scaled_dot_product", "bool", "false", "the product alone, as torch's function: no projections"
    ),
)

KINDS = (
    Kind(
        "attention",
        "each query averages the values, weighted by how well their keys match it",
        "--input 2,7,12 --set embed_dim=12 --heads 3 --set batch_first=true",
        _ATTRIBUTES,
        _attention,
        _attention_axes,
        _attention_lines,
        Work(_attention_macs, _attention_work),
        _attention_weights,
        ATTENDED,
    ),
)
