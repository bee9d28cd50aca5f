"""Kinds that few models have: mixtures of experts, fitted machines, transforms, lookups by tuples, searches.

Most have no formula of their own: the source's operator gives their shapes by a signature.
"""

from __future__ import annotations

from typing import Final

from shapeinspect.dims import UNKNOWN, Dim, Shape, product
from shapeinspect.rules.attributes import KEEPDIMS
from shapeinspect.rules.fields import ATTENDED, BY_DATA, BY_INDICES, UNKNOWN_FIELD, Field
from shapeinspect.rules.formula_text import Lines, carried
from shapeinspect.rules.kind import (
    NO_EXAMPLE,
    NO_WORK,
    UNKNOWN_WORK,
    Attribute,
    Kind,
    Work,
    no_lines,
    no_names,
    no_weights,
)
from shapeinspect.rules.rule import Attributes, Naming, Shapes, first, normalize_axis


def _by_signature(_attributes: Attributes, _inputs: Shapes) -> Shapes:
    """Return an unknown shape: only a signature gives one."""
    return (None,)


def _gather_nd(attributes: Attributes, inputs: Shapes) -> Shapes:
    """Return the shape of entries that the last axis of the indices selects.

    Source: https://onnx.ai/onnx/operators/onnx__GatherND.html
    """
    data, indices = (*inputs, None, None)[:2]
    batch = attributes.get("batch_dims", 0)
    if data is None or not indices or not isinstance(indices[-1], int):
        return (None,)
    if batch < 0 or indices[-1] + batch > len(data):
        return (None,)
    return ((*indices[:-1], *data[batch + indices[-1] :]),)


def _gather_nd_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    data, indices, out = first(inputs), inputs[1] if len(inputs) > 1 else None, first(outputs)
    if data is None or not indices or out is None:
        return Naming()
    front = len(indices) - 1
    skipped = len(data) - (len(out) - front)
    links = [(1, axis, 0, axis) for axis in range(front)]
    links += [(0, axis + skipped - front, 0, axis) for axis in range(front, len(out))]
    return Naming(links=tuple(links))


def _gather_nd_lines(_attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    naming = _gather_nd_axes(_attributes, inputs, outputs)
    shapes: tuple[Shape, ...] = tuple(shape or () for shape in inputs)
    return {(0, at): carried(source, axis, shapes[source]) for source, axis, _, at in naming.links}


def _select(attributes: Attributes, inputs: Shapes) -> Shapes:
    """Return what is known of entries whose number the data decides."""
    shape, op, axis = first(inputs), attributes.get("op"), attributes.get("axis")
    if op == "nonzero":
        return ((UNKNOWN if shape is None else max(len(shape), 1), UNKNOWN),)
    if op == "argwhere":  # as NumPy's: one row for each entry
        return ((UNKNOWN, UNKNOWN if shape is None else len(shape)),)
    if op == "boxes":
        return ((UNKNOWN, 3),)
    if op not in ("compress", "unique") or (shape is None and axis is not None):
        return (None,)
    place = 0
    if axis is None:
        kept: Shape = (UNKNOWN,)
    else:
        place = normalize_axis(axis, len(shape or ()))
        kept = tuple(UNKNOWN if at == place else length for at, length in enumerate(shape or ()))
    if op == "compress":
        return (kept,)
    whole: Dim = UNKNOWN if shape is None else product(shape) if axis is None else shape[place]
    return (kept, (UNKNOWN,), (whole,), (UNKNOWN,))


def _signed(name: str, summary: str, sees: Field, *attributes: Attribute, work: Work = NO_WORK) -> Kind:
    return Kind(
        name, summary, NO_EXAMPLE, attributes, _by_signature, no_names, no_lines, work, no_weights, sees
    )


_ROW: Final = Field("its own row: all of its features")

KINDS = (
    _signed(
        "moe",
        "a mixture of experts: each position is sent to the `top_k` of them that a router prefers",
        _ROW,
        Attribute("num_experts", "int", "unknown", "experts, each with matrices of its own"),
        Attribute("top_k", "int", "1", "experts that see one position"),
        work=UNKNOWN_WORK,
    ),
    _signed(
        "linear_attention",
        "attention over one matrix a head, which every position updates",
        ATTENDED,
        Attribute("num_heads", "int", "unknown", "heads of queries"),
        Attribute("num_kv_heads", "int", "num_heads", "heads of keys and values"),
        Attribute("mode", "str", "unknown", "how the matrix is updated: `linear`, `gated`, `delta` …"),
        work=UNKNOWN_WORK,
    ),
    _signed(
        "svm",
        "a support vector machine: kernels of each row with stored vectors, summed up",
        _ROW,
        Attribute("kernel", "str", "unknown", "the kernel: `linear`, `rbf` …"),
        Attribute("num_vectors", "int", "unknown", "how many vectors are stored"),
        work=UNKNOWN_WORK,
    ),
    _signed(
        "tree_ensemble",
        "decision trees whose leaves are summed up",
        _ROW,
        Attribute("num_trees", "int", "unknown", "how many trees"),
        Attribute("num_nodes", "int", "unknown", "nodes of all trees, leaves included"),
    ),
    _signed(
        "fft",
        "a Fourier transform along one axis",
        Field("all of the transformed axis", by_data=Field.EVERY_INPUT),
        Attribute("onesided", "bool", "false", "only the frequencies that a real signal needs"),
        Attribute("inverse", "bool", "false", "from frequencies to the signal"),
        work=UNKNOWN_WORK,
    ),
    _signed(
        "generation",
        "runs a decoder once for each new token; how often is decided by the tokens",
        UNKNOWN_FIELD,
        work=UNKNOWN_WORK,
    ),
    Kind(
        "select",
        "picks entries by their numbers: how many is only known when it runs",
        NO_EXAMPLE,
        (
            Attribute("op", "str", "unknown", "`nonzero`, `compress`, `unique`, `boxes` …"),
            Attribute("axis", "int", "none", "the axis whose entries are picked; none: of all elements"),
        ),
        _select,
        no_names,
        no_lines,
        NO_WORK,
        no_weights,
        BY_DATA,
    ),
    Kind(
        "gather_nd",
        "a lookup: the last axis of the second input holds the indices of an entry",
        "--input 2,3,5 --input 7,2",
        (Attribute("batch_dims", "int", "0", "leading axes that both inputs share"),),
        _gather_nd,
        _gather_nd_axes,
        _gather_nd_lines,
        NO_WORK,
        no_weights,
        BY_INDICES,
    ),
    _signed(
        "sequence",
        "works on a list of tensors, or on what may be absent",
        UNKNOWN_FIELD,
        Attribute("op", "str", "unknown", "`construct`, `insert`, `at`, `split`, `concat`, `get` …"),
        Attribute("axis", "int", "0", "the axis along which tensors are split or joined"),
        Attribute("index", "int", "the last", "the position in the list"),
        Attribute("split", "int or tuple", "1", "the length of each piece, or of all"),
        KEEPDIMS,
        Attribute("new_axis", "bool", "false", "tensors are stacked along a new axis"),
    ),
    _signed(
        "operation", "an operation of its framework alone; its signature gives the shapes", UNKNOWN_FIELD
    ),
)
