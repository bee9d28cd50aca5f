"""Matrix products: linear, bilinear, matmul, gemm, batch_dot, and low-rank updates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from shapeinspect.dims import Dim, Shape, product
from shapeinspect.rules.attributes import REQUIRED
from shapeinspect.rules.fields import PRODUCT, UNKNOWN_FIELD
from shapeinspect.rules.formula_text import Lines, Text, Weights, carried, literal, number, product_text
from shapeinspect.rules.kind import (
    NO_EXAMPLE,
    UNKNOWN_WORK,
    Attribute,
    Kind,
    Work,
    no_arithmetic,
    no_lines,
    no_names,
    no_weights,
)
from shapeinspect.rules.kinds.elementwise import broadcast, broadcast_axes, broadcast_lines
from shapeinspect.rules.rule import (
    Attributes,
    Naming,
    Shapes,
    agree,
    first,
    mismatch,
    normalize_axis,
    show,
    unlike,
)


def _linear(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape, wanted = first(inputs), attributes.get("in_features")
    if shape is None:
        return (None,)
    if not shape:
        raise mismatch("at least 1 axis, the features", "a scalar")
    if attributes.get("flatten_input") and isinstance(wanted, int):
        return (_flattened(shape, wanted, attributes["out_features"]),)
    if isinstance(wanted, int) and unlike(shape[-1], wanted):
        raise mismatch(f"i = {wanted}", f"{shape[-1]}, the last axis of {show(shape)}", where="in_features",
                       hint=f"in_features={shape[-1]}, or an input whose last axis is {wanted}")  # fmt: skip
    return ((*shape[:-1], attributes["out_features"]),)


def _flattened(shape: Shape, features: int, out: Dim) -> Shape:
    """Return the output for an input that is first cut into rows of ``features`` numbers.

    Source: https://ai.google.dev/edge/litert/models/ops_compatibility, FULLY_CONNECTED: without keep_num_dims
    the input becomes two axes, of which the last is the weight's.
    """
    numbers = product(shape)
    if isinstance(numbers, int) and numbers % features:
        raise mismatch(
            f"a multiple of {features} numbers", f"{numbers} in {show(shape)}", where="in_features"
        )
    return numbers // features, out


def _linear_macs(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Dim | None:
    shape, out = first(inputs), first(outputs)
    features = attributes.get("in_features", shape[-1] if shape else None)
    return None if out is None or features is None else product(out) * features


def _linear_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape, out = first(inputs), first(outputs)
    if not shape or not out or len(shape) != len(out) or attributes.get("flatten_input"):
        return Naming()
    last: tuple[str | None, ...] = (None,) * (len(shape) - 1) + ("C?",)
    return Naming((last,), (last,), tuple((0, axis, 0, axis) for axis in range(len(shape) - 1)))


def _bilinear(attributes: Attributes, inputs: Shapes) -> Shapes:
    if len(inputs) < 2 or inputs[0] is None or inputs[1] is None:
        return (None,)
    for shape, key in zip(inputs, ("in1_features", "in2_features"), strict=False):
        if not shape or unlike(shape[-1], attributes[key]):
            raise mismatch(f"{key} = {attributes[key]} on the last axis", show(shape or ()))
    left, right = inputs[0][:-1], inputs[1][:-1]
    if len(left) != len(right) or any(map(unlike, left, right)):
        raise mismatch("the same leading axes on both inputs", f"{show(left)} and {show(right)}")
    return ((*map(agree, left, right), attributes["out_features"]),)


def _bilinear_macs(attributes: Attributes, _inputs: Shapes, outputs: Shapes) -> Dim | None:
    out = first(outputs)
    return None if out is None else product(out) * attributes["in1_features"] * attributes["in2_features"]


def matmul_shape(left: Shape, right: Shape) -> Shape:
    """Return the shape of a batched matrix product.

    Args:
        left: ``(*batch, m, k)``, or ``(k,)`` for a vector.
        right: ``(*batch, k, n)``, or ``(k,)`` for a vector.

    Raises:
        ShapeMismatchError: if the inner lengths differ or the batches do not broadcast.

    Source: the notes of ``numpy.matmul``, which PyTorch, Keras and ONNX follow.

    Example:
        >>> matmul_shape((8, 1, 2, 3), (7, 3, 5))
        (8, 7, 2, 5)
    """
    if not left or not right:
        raise mismatch("at least 1 axis on both sides", f"{show(left)} and {show(right)}")
    inner = right[-2] if len(right) > 1 else right[0]
    if unlike(left[-1], inner):
        raise mismatch(
            f"the inner lengths to be equal: {left[-1]}", f"{inner} of {show(left)} and {show(right)}"
        )
    batch = broadcast(left[:-2], right[:-2])
    return (*batch, *left[-2:-1], *(right[-1:] if len(right) > 1 else ()))


def _turned(shape: Shape, turn: object) -> Shape:
    return (*shape[:-2], *shape[:-3:-1]) if turn and len(shape) > 1 else shape


def _matmul(attributes: Attributes, inputs: Shapes) -> Shapes:
    if len(inputs) < 2 or inputs[0] is None or inputs[1] is None:
        return (None,)
    left, right = inputs[0], inputs[1]
    return (
        matmul_shape(_turned(left, attributes.get("trans_a")), _turned(right, attributes.get("trans_b"))),
    )


def _matmul_inner(attributes: Attributes) -> int:
    return -2 if attributes.get("trans_a") else -1


def _matmul_macs(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Dim | None:
    left, out = first(inputs), first(outputs)
    return None if not left or out is None else product(out) * left[_matmul_inner(attributes)]


def _matmul_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    out = first(outputs)
    if out is None or len(inputs) < 2 or any(shape is None or len(shape) < 2 for shape in inputs[:2]):
        return Naming()
    left, right = inputs[0] or (), inputs[1] or ()
    batch = broadcast_axes({}, (left[:-2], right[:-2]), (out[:-2],)).links
    rank = len(out)
    row = len(left) - (1 if attributes.get("trans_a") else 2)
    column = len(right) - (2 if attributes.get("trans_b") else 1)
    return Naming(links=(*batch, (0, row, 0, rank - 2), (1, column, 0, rank - 1)))


def _batch_dot(attributes: Attributes, inputs: Shapes) -> Shapes:
    if len(inputs) < 2 or inputs[0] is None or inputs[1] is None:
        return (None,)
    left, right = inputs[0], inputs[1]
    a, b = (
        normalize_axis(attributes["axes"][0], len(left)),
        normalize_axis(attributes["axes"][1], len(right)),
    )
    if unlike(left[a], right[b]):
        raise mismatch(f"equal lengths on axes {a} and {b}", f"{show(left)} and {show(right)}")
    rest = [n for axis, n in enumerate(right) if axis not in (0, b)]
    out = (*left[:a], *left[a + 1 :], *rest)
    return ((*out, 1) if len(out) == 1 else out,)


def _batch_dot_macs(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Dim | None:
    left, out = first(inputs), first(outputs)
    return None if not left or out is None else product(out) * left[attributes["axes"][0]]


def _factors(attributes: Attributes, inputs: Shapes) -> Shapes:
    # torch's addmm takes the summand before the product.
    return inputs[1:] if attributes.get("added_first") else inputs


def _gemm(attributes: Attributes, inputs: Shapes) -> Shapes:
    inputs = _factors(attributes, inputs)
    if len(inputs) < 2 or inputs[0] is None or inputs[1] is None:
        return (None,)
    left, right = inputs[0], inputs[1]
    # torch's baddbmm has a batch in front, and its summand before the product; Gemm of ONNX has matrices.
    if {len(left), len(right)} != {2} and not (
        attributes.get("added_first") and len(left) == len(right) == 3
    ):
        raise mismatch("2 axes on both sides", f"{show(left)} and {show(right)}")
    left = (*left[:-2], left[-1], left[-2]) if attributes.get("trans_a") else left
    right = (*right[:-2], right[-1], right[-2]) if attributes.get("trans_b") else right
    return (matmul_shape(left, right),)


def _gemm_macs(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Dim | None:
    left, out = first(_factors(attributes, inputs)), first(outputs)
    if left is None or len(left) < 2 or out is None:
        return None
    return product(out) * left[-2 if attributes.get("trans_a") else -1]


def _gemm_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    if attributes.get("added_first"):
        result = _gemm_axes({**attributes, "added_first": False}, inputs[1:], outputs)
        return Naming(
            links=tuple((item + 1, axis, output, index) for item, axis, output, index in result.links)
        )
    if len(inputs) < 2 or any(shape is None or len(shape) != 2 for shape in inputs[:2]):
        plain = not attributes.get("trans_a") and not attributes.get("trans_b")
        return _matmul_axes(attributes, inputs, outputs) if plain else Naming()
    row, column = (1 if attributes.get("trans_a") else 0), (0 if attributes.get("trans_b") else 1)
    return Naming(links=((0, row, 0, 0), (1, column, 0, 1)))


def _linear_work(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Text:
    shape, out = first(inputs) or (), first(outputs) or ()
    features = attributes.get("in_features", shape[-1])
    return product_text(
        literal("rows", product(out[:-1])), literal("inputs", features), literal("outputs", out[-1])
    )


def _linear_weights(attributes: Attributes, inputs: Shapes) -> Weights:
    shape, out = first(inputs) or (), attributes["out_features"]
    return (("weight", "o i", (out, attributes.get("in_features", shape[-1]))), ("bias", "o", (out,)))


def _bilinear_lines(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    shape = first(inputs) or ()
    lines = {(0, axis): carried(0, axis, shape) for axis in range(len(shape) - 1)}
    return lines | {(0, len(first(outputs) or ()) - 1): literal("out_features", attributes["out_features"])}


def _bilinear_work(attributes: Attributes, _inputs: Shapes, outputs: Shapes) -> Text:
    pairs = (literal(key, attributes[key]) for key in ("in1_features", "in2_features"))
    return product_text(literal("outputs", product(first(outputs) or ())), *pairs)


def _bilinear_weights(attributes: Attributes, _inputs: Shapes) -> Weights:
    out = attributes["out_features"]
    return (
        ("weight", "", (out, attributes["in1_features"], attributes["in2_features"])),
        ("bias", "o", (out,)),
    )


def _matmul_lines(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    left, right, out = inputs[0] or (), inputs[1] or (), first(outputs) or ()
    rows, columns = len(left) > 1, len(right) > 1
    batch = len(out) - rows - columns
    lines = dict(broadcast_lines({}, (left[:-2], right[:-2]), (out[:batch],)))
    if rows:
        lines[0, batch] = carried(0, len(left) - (1 if attributes.get("trans_a") else 2), left)
    if columns:
        lines[0, len(out) - 1] = carried(1, len(right) - (2 if attributes.get("trans_b") else 1), right)
    return lines


def _inner(axis: Callable[[Attributes], int]) -> Callable[[Attributes, Shapes, Shapes], Text]:
    """Return the function that writes the work of a product over one axis of the first input."""

    def write(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Text:
        shape = first(inputs) or ()
        return product_text(
            literal("outputs", product(first(outputs) or ())), literal("inner", shape[axis(attributes)])
        )

    return write


def _batch_dot_lines(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    left, right = inputs[0] or (), inputs[1] or ()
    a, b = (
        normalize_axis(attributes["axes"][0], len(left)),
        normalize_axis(attributes["axes"][1], len(right)),
    )
    texts = [carried(0, axis, left) for axis in range(len(left)) if axis != a]
    texts += [carried(1, axis, right) for axis in range(1, len(right)) if axis != b]
    texts += [number(1)] * (len(first(outputs) or ()) - len(texts))
    return {(0, axis): text for axis, text in enumerate(texts)}


def _linear_lines(attributes: Attributes, _inputs: Shapes, outputs: Shapes) -> Lines:
    return {(0, len(first(outputs) or ()) - 1): literal("out_features", attributes["out_features"])}


def _gemm_work(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Text:
    axis = -2 if attributes.get("trans_a") else -1
    return _inner(lambda _: axis)(attributes, _factors(attributes, inputs), outputs)


def _linear_detail(attributes: Attributes) -> str:
    features = attributes.get("in_features")
    if features is None:
        return ""
    inputs = "the one input" if features == 1 else f"all {features} inputs"
    return f"every output is a sum over {inputs}: a matrix product"


_IN_FEATURES = Attribute(
    "in_features", "int", "as the input", "features of the input's last axis, which are checked"
)
_OUT_FEATURES = Attribute("out_features", "int", REQUIRED, "features of the output's last axis")

_TRANSPOSED = (
    Attribute("trans_a", "bool", "false", "the first matrix is transposed"),
    Attribute("trans_b", "bool", "false", "the second matrix is transposed"),
)

KINDS = (
    Kind(
        "linear",
        "every output is a sum over all inputs: a matrix product",
        "--input 2,300 --out 7",
        (
            _IN_FEATURES,
            _OUT_FEATURES,
            Attribute("flatten_input", "bool", "false", "the input is first cut into rows of in_features"),
            Attribute("num_heads", "int", "none", "heads of a projection of attention"),
            Attribute("num_kv_heads", "int", "none", "heads of a projection of keys or values"),
            Attribute("head_dim", "int", "none", "features of one head of a projection"),
            Attribute("num_experts", "int", "none", "experts: one matrix each"),
        ),
        _linear,
        _linear_axes,
        _linear_lines,
        Work(_linear_macs, _linear_work),
        _linear_weights,
        PRODUCT,
        _linear_detail,
    ),
    Kind(
        "bilinear",
        "every output is a sum over all pairs of one input each",
        "--input 2,3 --input 2,5 --set in1_features=3 --set in2_features=5 --out 7",
        (
            Attribute("in1_features", "int", REQUIRED, "features of the first input"),
            Attribute("in2_features", "int", REQUIRED, "features of the second input"),
            _OUT_FEATURES,
        ),
        _bilinear,
        no_names,
        _bilinear_lines,
        Work(_bilinear_macs, _bilinear_work),
        _bilinear_weights,
        PRODUCT,
    ),
    Kind(
        "matmul",
        "a matrix product of two inputs, batched and broadcast: every output is a row times a column",
        "--input 8,2,3 --input 3,5",
        _TRANSPOSED,
        _matmul,
        _matmul_axes,
        _matmul_lines,
        Work(_matmul_macs, _inner(_matmul_inner)),
        no_weights,
        PRODUCT,
    ),
    Kind(
        "batch_dot",
        "one product of vectors for each pair of rows, sample by sample",
        "--input 2,3,5 --input 2,7,5 --axes 2,2",
        (
            Attribute("axes", "pair", REQUIRED, "the summed axis of each input"),
            Attribute("normalize", "bool", "false", "the vectors get unit length first"),
        ),
        _batch_dot,
        no_names,
        _batch_dot_lines,
        Work(_batch_dot_macs, _inner(lambda attributes: int(attributes["axes"][0]))),
        no_weights,
        PRODUCT,
    ),
    Kind(
        "gemm",
        "a matrix product of two matrices: every output is a row times a column",
        "--input 3,2 --input 3,5 --set trans_a=true",
        (
            *_TRANSPOSED,
            Attribute("added_first", "bool", "false", "the summand comes before the product"),
        ),
        _gemm,
        _gemm_axes,
        no_lines,
        Work(_gemm_macs, _gemm_work),
        no_weights,
        PRODUCT,
    ),
    Kind(
        "lora",
        "a low-rank update of another layer's weight",
        NO_EXAMPLE,
        (
            replace(_IN_FEATURES, meaning="features of the layer's input"),
            replace(_OUT_FEATURES, default="unknown", meaning="features of the layer's output"),
            Attribute("rank", "int", "unknown", "columns of the first factor, rows of the second"),
            Attribute("alpha", "float", "unknown", "the update is scaled by alpha / rank"),
        ),
        no_arithmetic,
        no_names,
        no_lines,
        UNKNOWN_WORK,
        no_weights,
        UNKNOWN_FIELD,
    ),
)
