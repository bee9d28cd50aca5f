"""Matrix products and look-ups: linear, bilinear, matmul, gemm, einsum, embedding."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shapeinspect.dims import UNKNOWN, Dim, Shape, product
from shapeinspect.rules.elementwise import broadcast, broadcast_axes, broadcast_lines
from shapeinspect.rules.formula_text import Lines, Text, Weights, carried, just, number, times
from shapeinspect.rules.rule import Attributes, Naming, Rule, Shapes, agree, at, first, mismatch, show, unlike


def _linear(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape, wanted = first(inputs), attributes.get("in_features")
    if shape is None:
        return (None,)
    if not shape:
        raise mismatch("at least 1 axis, the features", "a scalar")
    if isinstance(wanted, int) and unlike(shape[-1], wanted):
        raise mismatch(f"i = {wanted}", f"{shape[-1]}, the last axis of {show(shape)}", where="in_features",
                       hint=f"in_features={shape[-1]}, or an input whose last axis is {wanted}")  # fmt: skip
    return ((*shape[:-1], attributes["out_features"]),)


def _linear_macs(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Dim | None:
    shape, out = first(inputs), first(outputs)
    features = attributes.get("in_features", shape[-1] if shape else None)
    return None if out is None or features is None else product(out) * features


def _linear_axes(_attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape, out = first(inputs), first(outputs)
    if not shape or not out or len(shape) != len(out):
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


def _matmul(_attributes: Attributes, inputs: Shapes) -> Shapes:
    if len(inputs) < 2 or inputs[0] is None or inputs[1] is None:
        return (None,)
    return (matmul_shape(inputs[0], inputs[1]),)


def _matmul_macs(_attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Dim | None:
    left, out = first(inputs), first(outputs)
    return None if not left or out is None else product(out) * left[-1]


def _matmul_axes(_attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    out = first(outputs)
    if out is None or len(inputs) < 2 or any(shape is None or len(shape) < 2 for shape in inputs[:2]):
        return Naming()
    left, right = inputs[0] or (), inputs[1] or ()
    batch = broadcast_axes({}, (left[:-2], right[:-2]), (out[:-2],)).links
    rank = len(out)
    return Naming(links=(*batch, (0, len(left) - 2, 0, rank - 2), (1, len(right) - 1, 0, rank - 1)))


def _batch_dot(attributes: Attributes, inputs: Shapes) -> Shapes:
    if len(inputs) < 2 or inputs[0] is None or inputs[1] is None:
        return (None,)
    left, right = inputs[0], inputs[1]
    one, other = at(attributes["axes"][0], len(left)), at(attributes["axes"][1], len(right))
    if unlike(left[one], right[other]):
        raise mismatch(f"equal lengths on axes {one} and {other}", f"{show(left)} and {show(right)}")
    rest = [n for axis, n in enumerate(right) if axis not in (0, other)]
    out = (*left[:one], *left[one + 1 :], *rest)
    return ((*out, 1) if len(out) == 1 else out,)


def _batch_dot_macs(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Dim | None:
    left, out = first(inputs), first(outputs)
    return None if not left or out is None else product(out) * left[attributes["axes"][0]]


def _factors(attributes: Attributes, inputs: Shapes) -> Shapes:
    # torch's addmm names what is added before the product.
    return inputs[1:] if attributes.get("added_first") else inputs


def _gemm(attributes: Attributes, inputs: Shapes) -> Shapes:
    inputs = _factors(attributes, inputs)
    if len(inputs) < 2 or inputs[0] is None or inputs[1] is None:
        return (None,)
    left, right = inputs[0], inputs[1]
    if len(left) != 2 or len(right) != 2:
        raise mismatch("2 axes on both sides", f"{show(left)} and {show(right)}")
    left = left[::-1] if attributes.get("trans_a") else left
    right = right[::-1] if attributes.get("trans_b") else right
    return (matmul_shape(left, right),)


def _gemm_macs(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Dim | None:
    left, out = first(_factors(attributes, inputs)), first(outputs)
    if left is None or len(left) != 2 or out is None:
        return None
    return product(out) * left[0 if attributes.get("trans_a") else 1]


def _gemm_axes(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Naming:
    if attributes.get("added_first"):
        found = _gemm_axes({**attributes, "added_first": False}, inputs[1:], _outputs)
        return Naming(links=tuple((one + 1, axis, output, place) for one, axis, output, place in found.links))
    if len(inputs) < 2 or any(shape is None or len(shape) != 2 for shape in inputs[:2]):
        return Naming()
    row, column = (1 if attributes.get("trans_a") else 0), (0 if attributes.get("trans_b") else 1)
    return Naming(links=((0, row, 0, 0), (1, column, 0, 1)))


def einsum_terms(equation: str) -> tuple[tuple[str, ...], str]:
    """Take an einsum equation apart into the letters of each operand and of the result.

    Args:
        equation: such as ``"bij,bjk->bik"``; without an arrow the result is the letters that occur
            once, in alphabetical order, after the ellipsis.

    Source: the notes of ``numpy.einsum``.

    Example:
        >>> einsum_terms("...ij, jk")
        (('...ij', 'jk'), '...ik')
    """
    left, arrow, right = equation.replace(" ", "").partition("->")
    operands = tuple(left.split(","))
    if arrow:
        return operands, right
    letters = "".join(operands).replace("...", "")
    once = "".join(sorted(letter for letter in set(letters) if letters.count(letter) == 1))
    return operands, ("..." if "..." in left else "") + once


def _axes_of(term: str, rank: int) -> tuple[str, ...]:
    before, dots, after = term.partition("...")
    wide = rank - len(before) - len(after)
    if wide < 0 or (wide and not dots):
        raise mismatch(f"{len(before) + len(after)} axes for {term!r}", f"{rank}")
    # An axis under the ellipsis is named by its place from the end.
    return (*before, *(f"...{wide - i}" for i in range(wide)), *after)


def _lengths(attributes: Attributes, inputs: Shapes) -> tuple[dict[str, Dim], str]:
    operands, result = einsum_terms(attributes["equation"])
    given: Mapping[str, int] = attributes.get("sizes", {})
    sizes: dict[str, Dim] = dict(given)
    for term, shape in zip(operands, inputs, strict=False):
        if shape is None:
            continue
        own: dict[str, Dim] = {}
        for letter, length in zip(_axes_of(term, len(shape)), shape, strict=True):
            have = sizes.get(letter, UNKNOWN)
            # Across operands an axis of 1 is stretched; within one it is not.
            twice = unlike(own.setdefault(letter, length), length)
            if twice or (unlike(have, length) and 1 not in (have, length)):
                expected = own[letter] if twice else have
                raise mismatch(f"{letter} = {expected}", f"{letter} = {length} in {show(shape)}")
            sizes[letter] = (
                length if have == 1 else have if length == 1 and have != UNKNOWN else agree(have, length)
            )
    return sizes, result


def _einsum(attributes: Attributes, inputs: Shapes) -> Shapes:
    sizes, result = _lengths(attributes, inputs)
    if "..." in result and None in inputs:
        return (None,)
    wide = sorted((name for name in sizes if name.startswith("...")), key=lambda name: -int(name[3:]))
    before, dots, after = result.partition("...")
    if not dots:
        wide = []  # the axes under the ellipsis are summed over
    return (tuple(sizes.get(name, UNKNOWN) for name in (*before, *wide, *after)),)


def _einsum_macs(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Dim | None:
    operands, _ = einsum_terms(attributes["equation"])
    sizes, _ = _lengths(attributes, inputs)
    if len(operands) < 2:
        return 0
    letters = set("".join(operands).replace("...", ""))
    if None in inputs or not letters <= set(sizes):
        return None
    return product(sizes.values())


def _einsum_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    operands, result = einsum_terms(attributes["equation"])
    out = first(outputs)
    if out is None:
        return Naming()
    places = {name: axis for axis, name in enumerate(_axes_of(result, len(out)))}
    links = [
        (source, axis, 0, places[name])
        for source, (term, shape) in enumerate(zip(operands, inputs, strict=False))
        if shape is not None
        for axis, name in enumerate(_axes_of(term, len(shape)))
        if name in places
    ]
    return Naming(links=tuple(links))


def _embedding(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    return (None if shape is None else (*shape, attributes["embedding_dim"]),)


def _embedding_axes(_attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape, out = first(inputs), first(outputs)
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


def _last(name: str, attribute: str) -> Callable[[Attributes, Shapes, Shapes], Lines]:
    """Make the writer of an op that sets the last axis by an attribute."""
    return lambda attributes, _inputs, outputs: {
        (0, len(first(outputs) or ()) - 1): just(name, attributes[attribute])
    }


def _linear_work(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Text:
    shape, out = first(inputs) or (), first(outputs) or ()
    features = attributes.get("in_features", shape[-1])
    return times(just("rows", product(out[:-1])), just("inputs", features), just("outputs", out[-1]))


def _linear_weights(attributes: Attributes, inputs: Shapes) -> Weights:
    shape, out = first(inputs) or (), attributes["out_features"]
    return (("weight", "o i", (out, attributes.get("in_features", shape[-1]))), ("bias", "o", (out,)))


def _bilinear_lines(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    shape = first(inputs) or ()
    lines = {(0, axis): carried(0, axis, shape) for axis in range(len(shape) - 1)}
    return lines | {(0, len(first(outputs) or ()) - 1): just("out_features", attributes["out_features"])}


def _bilinear_work(attributes: Attributes, _inputs: Shapes, outputs: Shapes) -> Text:
    pairs = (just(key, attributes[key]) for key in ("in1_features", "in2_features"))
    return times(just("outputs", product(first(outputs) or ())), *pairs)


def _bilinear_weights(attributes: Attributes, _inputs: Shapes) -> Weights:
    out = attributes["out_features"]
    return (
        ("weight", "", (out, attributes["in1_features"], attributes["in2_features"])),
        ("bias", "o", (out,)),
    )


def _matmul_lines(_attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    left, right, out = inputs[0] or (), inputs[1] or (), first(outputs) or ()
    rows, columns = len(left) > 1, len(right) > 1
    batch = len(out) - rows - columns
    lines = dict(broadcast_lines({}, (left[:-2], right[:-2]), (out[:batch],)))
    if rows:
        lines[0, batch] = carried(0, len(left) - 2, left)
    if columns:
        lines[0, len(out) - 1] = carried(1, len(right) - 1, right)
    return lines


def _inner(axis: Callable[[Attributes], int]) -> Callable[[Attributes, Shapes, Shapes], Text]:
    """Make the writer of the work of a product over one axis of the first input."""

    def write(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Text:
        shape = first(inputs) or ()
        return times(just("outputs", product(first(outputs) or ())), just("inner", shape[axis(attributes)]))

    return write


def _batch_dot_lines(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    left, right = inputs[0] or (), inputs[1] or ()
    one, other = at(attributes["axes"][0], len(left)), at(attributes["axes"][1], len(right))
    texts = [carried(0, axis, left) for axis in range(len(left)) if axis != one]
    texts += [carried(1, axis, right) for axis in range(1, len(right)) if axis != other]
    texts += [number(1)] * (len(first(outputs) or ()) - len(texts))
    return {(0, axis): text for axis, text in enumerate(texts)}


def _einsum_lines(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    sizes, result = _lengths(attributes, inputs)
    letters = _axes_of(result, len(first(outputs) or ()))
    return {
        (0, axis): just(_letter(letter), sizes.get(letter, UNKNOWN)) for axis, letter in enumerate(letters)
    }


def _letter(name: str) -> str:
    # An axis under the ellipsis is named by its place from the end.
    return name.replace("...", "rest")


def _einsum_work(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Text:
    sizes, _ = _lengths(attributes, inputs)
    if len(einsum_terms(attributes["equation"])[0]) < 2:
        return number(0)
    return times(*(just(_letter(name), length) for name, length in sizes.items()))


def _einsum_weights(attributes: Attributes, inputs: Shapes) -> Weights:
    operands, _ = einsum_terms(attributes["equation"])
    sizes, _ = _lengths(attributes, inputs)
    weights = operands[len(inputs) :]
    return tuple(("weight", "", tuple(sizes[letter] for letter in term)) for term in weights)


def _embedding_weights(attributes: Attributes, _inputs: Shapes) -> Weights:
    return (("weight", "V E", (attributes["num_embeddings"], attributes["embedding_dim"])),)


def _bag_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    shape, offsets = first(inputs) or (), inputs[1] if len(inputs) > 1 else None
    bags = carried(0, 0, shape)
    if len(shape) == 1:
        bags = just("bags", UNKNOWN) if offsets is None else carried(1, 0, offsets)
        if offsets is not None and attributes.get("include_last_offset"):
            bags = (f"{bags[0]} - 1", bags[1])
    return {(0, 0): bags, (0, 1): just("embedding_dim", attributes["embedding_dim"])}


RULES = {
    "linear": Rule(
        _linear,
        _linear_macs,
        _linear_axes,
        _last("out_features", "out_features"),
        _linear_work,
        _linear_weights,
    ),
    "bilinear": Rule(
        _bilinear,
        _bilinear_macs,
        lines=_bilinear_lines,
        work=_bilinear_work,
        weights=_bilinear_weights,
    ),
    "matmul": Rule(_matmul, _matmul_macs, _matmul_axes, _matmul_lines, _inner(lambda _: -1)),
    "batch_dot": Rule(
        _batch_dot,
        _batch_dot_macs,
        lines=_batch_dot_lines,
        work=_inner(lambda attributes: int(attributes["axes"][0])),
    ),
    "gemm": Rule(
        _gemm,
        _gemm_macs,
        _gemm_axes,
        work=lambda given, inputs, outputs: _inner(lambda one: 0 if one.get("trans_a") else 1)(
            given, _factors(given, inputs), outputs
        ),
    ),
    "einsum": Rule(_einsum, _einsum_macs, _einsum_axes, _einsum_lines, _einsum_work, _einsum_weights),
    "embedding": Rule(
        _embedding,
        axes=_embedding_axes,
        lines=_last("embedding_dim", "embedding_dim"),
        weights=_embedding_weights,
    ),
    "embedding_bag": Rule(
        _embedding_bag, axes=_embedding_bag_axes, lines=_bag_lines, weights=_embedding_weights
    ),
}
