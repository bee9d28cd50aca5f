"""The inner layers whose weights count as a layer's own: cells, projections, wrapped layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from shapeinspect.dims import Shape
from shapeinspect.ir import Layout
from shapeinspect.layout.canonical import at
from shapeinspect_keras.vocabulary.layouts import TABLE, THEANO, weight_roles
from shapeinspect_keras.vocabulary.old_names import modern, nested, quantization_mode

#: Layers that act on the last axis (or on each value) alone: distributing them over time changes nothing.
_POINTWISE = frozenset(
    [
        "Dense",
        "Activation",
        "ReLU",
        "LeakyReLU",
        "ELU",
        "Softmax",
        "Dropout",
        "Identity",
        "EinsumDense",
        "Rescaling",
        "ThresholdedReLU",
    ]
)
_RECURRENT = frozenset(["SimpleRNN", "LSTM", "GRU", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"])
_ATTENTION = frozenset({"MultiHeadAttention", "GroupedQueryAttention"})
#: Quantizations that store several values in a byte: the stored shape is not that of the axes.
_PACKED = frozenset({"int4", "gptq", "awq"})


@dataclass(frozen=True, slots=True)
class Part:
    """A holder of variables: the layer itself, or one inside it.

    Args:
        stored: where a ``.keras`` file keeps its ``vars``, below the layer's own group; empty for the
            layer itself.
        prefix: what stands before its roles, such as ``"query/"``.
        class_name: its class.
        config: its settings.
        layer: which layer of a recurrent stack it is.
        reverse: whether it reads a sequence from the end.

    Example:
        >>> Part("cell", "", "LSTM", {}).stored
        'cell'
    """

    stored: str
    prefix: str
    class_name: str
    config: Mapping[str, Any]
    layer: int = 0
    reverse: bool = False


def parts(class_name: str, config: Mapping[str, Any]) -> tuple[Part, ...]:
    """Return every holder of a layer's variables, in the order of ``layer.weights``.

    Args:
        class_name: the layer's class.
        config: its settings.

    Returns:
        Usually one part, the layer itself. A layer that is shown as a container of others (a model, a
        ``TimeDistributed`` convolution) has none of theirs. A role that two parts give is one weight,
        which both hold: a ``SpectralNormalization`` keeps the kernel of the layer inside it.

    Example:
        >>> [(part.stored, part.prefix) for part in parts("MultiHeadAttention", {})][:2]
        [('_query_dense', 'query/'), ('_key_dense', 'key/')]
        >>> [part.stored for part in parts("LSTM", {"units": 3})]
        ['cell']
    """
    name, settings = modern(class_name, config)
    if name in _RECURRENT:
        return (Part("cell", "", name, settings, reverse=bool(settings.get("go_backwards"))),)
    if name in _ATTENTION:
        return _projections(settings)
    if name == "RNN":
        return _cells(settings)
    if name == "Bidirectional":
        return _directions(settings)
    if name == "SpectralNormalization" or is_folded(name, settings):
        inner = nested(settings, "layer")
        own = (Part("", "", name, settings),) if name == "SpectralNormalization" else ()
        below = tuple(
            replace(part, stored="/".join(filter(None, ("layer", part.stored))))
            for part in (parts(*inner) if inner else ())
        )
        return (*own, *below)
    return (Part("", "", name, settings),)


def is_folded(class_name: str, config: Mapping[str, Any]) -> bool:
    """Return whether a ``TimeDistributed`` does the same as the layer inside it.

    Args:
        class_name: the layer's class.
        config: its settings.

    Example:
        >>> is_folded("TimeDistributed", {"layer": {"class_name": "Dense", "config": {}}})
        True
    """
    inner = nested(config, "layer")
    return class_name == "TimeDistributed" and inner is not None and modern(*inner)[0] in _POINTWISE


def _projections(settings: Mapping[str, Any]) -> tuple[Part, ...]:
    names = ["query", "key", "value", "attention_output"]
    if settings.get("use_gate"):
        names.insert(2, "gate")
    bias = "o" if settings.get("use_bias", True) else None
    return tuple(
        Part(f"_{'output' if name == 'attention_output' else name}_dense", f"{name}/", "EinsumDense",
             {"bias_axes": bias, "dtype": settings.get("dtype")})
        for name in names
    )  # fmt: skip


def _cells(settings: Mapping[str, Any]) -> tuple[Part, ...]:
    cell = nested(settings, "cell")
    if cell is None:
        return ()
    name, inner = modern(*cell)
    reverse = bool(settings.get("go_backwards"))
    if name != "StackedRNNCells":
        return (Part("cell", "", name, inner, reverse=reverse),)
    result = []
    seen: dict[str, int] = {}
    for index, item in enumerate(inner.get("cells") or ()):
        below = nested({"cell": item}, "cell")
        if below is None:
            return ()
        snake = _snake(below[0])
        number = seen[snake] = seen.get(snake, -1) + 1
        stored = f"cell/cells/{snake}_{number}" if number else f"cell/cells/{snake}"
        result.append(Part(stored, f"cells/{index}/", *modern(*below), index, reverse))
    return tuple(result)


def _snake(name: str) -> str:
    """Spell a class name as Keras's ``to_snake_case`` does: ``LSTMCell`` to ``lstm_cell``."""
    letters = [
        f"_{char}"
        if at and char.isupper() and (name[at - 1].islower() or name[at + 1 : at + 2].islower())
        else char
        for at, char in enumerate(name)
    ]
    return "".join(letters).lower()


def _directions(settings: Mapping[str, Any]) -> tuple[Part, ...]:
    forward = nested(settings, "layer")
    if forward is None:
        return ()
    backward = nested(settings, "backward_layer")
    # Without a layer of its own the other direction has a copy of the first, turned around.
    return tuple(
        replace(
            part,
            stored=f"{side}_layer/{part.stored}".rstrip("/"),
            prefix=f"{side}/{part.prefix}",
            reverse=part.reverse != turned,
        )
        for side, inner, turned in (
            ("forward", forward, False),
            ("backward", backward or forward, backward is None),
        )
        for part in parts(*inner)
    )


def part_roles(part: Part, count: int) -> tuple[str, ...] | None:
    """Return the roles, prefix included, of the variables that one part holds.

    Args:
        part: the holder.
        count: how many variables it has.

    Example:
        >>> part_roles(Part("_query_dense", "query/", "EinsumDense", {"bias_axes": "de"}), 2)
        ('query/kernel', 'query/bias')
    """
    roles = weight_roles(part.class_name, part.config, count)
    return None if roles is None else tuple(part.prefix + role for role in roles)


def bind(
    class_name: str, config: Mapping[str, Any], role: str, shape: Shape, backend: str | None = None
) -> Layout | None:
    """Return the layout of one weight of a layer, or None if it is unknown.

    Args:
        class_name: the layer's class.
        config: its settings.
        role: the weight's role, with the prefix of its part.
        shape: its stored lengths.
        backend: what Keras ran on when the weights were saved, as the file records it.

    Example:
        >>> bind("Conv2D", {}, "kernel", (5, 7, 3, 11)).common
        'o i kh kw'
        >>> cell = {"class_name": "GRU", "config": {}}
        >>> bind("Bidirectional", {"layer": cell}, "backward/kernel", (2, 9)).slot
        'weight_ih.l0.reverse'
        >>> bind("EinsumDense", {"equation": "abc,cde->abde"}, "kernel", (3, 5, 7)).common
        '(o0 o1) i'
    """
    name, settings = modern(class_name, config)
    if name in _ATTENTION:
        packed = role.endswith("kernel") and quantization_mode(settings) in _PACKED
        return None if packed else TABLE.bind(name, role, len(shape))
    for part in parts(name, settings):
        tail = role.removeprefix(part.prefix)
        if part.prefix and tail == role:
            continue
        result = _bind_own(part.class_name, part.config, tail, shape, backend)
        if result is not None:
            return at(result, part.layer, reverse=part.reverse)
    return None


def _bind_own(
    name: str, settings: Mapping[str, Any], role: str, shape: Shape, backend: str | None
) -> Layout | None:
    if role in ("kernel", "embeddings") and quantization_mode(settings) in _PACKED:
        return None
    if name == "EinsumDense" and role in ("kernel", "bias"):
        return _einsum(settings, role, len(shape))
    rank = len(shape)
    variant = _variant(name, settings, role, shape)
    # A file of Keras 1 does not record the backend, and its "th" is Theano's order.
    theano = backend == "theano" or (backend is None and settings.get("dim_ordering") == "th")
    if name in THEANO and theano:
        variant += "(theano)"
    return TABLE.bind(variant, role, rank) or (TABLE.bind(name, role, rank) if rank == 1 else None)


def _variant(name: str, settings: Mapping[str, Any], role: str, shape: Shape) -> str:
    """Name the variant of a layer type that stores a weight in an order of its own."""
    if name == "PReLU" and len(shape) > 1:
        for variant, others in (("(last)", shape[:-1]), ("(first)", shape[1:])):
            if all(length == 1 for length in others):
                return name + variant
    if name == "Conv1D" and role == "W" and len(shape) == 4 and shape[1] != 1 and shape[3] == 1:
        return f"{name}(legacy)"
    if role in ("kernel_scale", "kernel_zero") and len(shape) > 1:
        return f"{name}({quantization_mode(settings)})"
    return f"{name}(th)" if settings.get("dim_ordering") == "th" else name


def _einsum(settings: Mapping[str, Any], role: str, rank: int) -> Layout | None:
    """Name the axes of an EinsumDense weight: those that are summed over are inputs."""
    letters = equation_axes(str(settings.get("equation", "")))
    if letters is None:
        return None
    if role == "bias":
        biased = str(settings.get("bias_axes") or "")
        outputs = letters[1]
        first = min((outputs.find(letter) for letter in biased), default=-1)
        if first < 0 or len(outputs) - first != rank:
            return None
        names = _numbered("o", biased)
        native = [names.get(letter, "1") for letter in outputs[first:]]
        kept = [names[letter] for letter in outputs[first:] if letter in names]
        return Layout(" ".join(native), _group(kept), slot="bias")
    kernel, output, data = letters
    if len(kernel) != rank:
        return None
    batch = [letter for letter in kernel if letter in output and letter in data]
    names = {
        **_numbered("o", [letter for letter in kernel if letter in output and letter not in data]),
        **_numbered("i", [letter for letter in kernel if letter not in output]),
        **_numbered("g", batch),
    }
    groups = [[names[letter] for letter in kernel if names[letter][0] == axis] for axis in "goi"]
    return Layout(
        " ".join(names[letter] for letter in kernel),
        " ".join(_group(item) for item in groups if item),
        slot="weight",
    )


def _numbered(axis: str, letters: Iterable[str]) -> dict[str, str]:
    result = list(letters)
    return {letter: axis if len(result) == 1 else f"{axis}{index}" for index, letter in enumerate(result)}


def _group(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"({' '.join(names)})"


def equation_axes(equation: str) -> tuple[str, str, str] | None:
    """Split an EinsumDense equation into the letters of the kernel, the output and the input.

    Args:
        equation: such as ``"abc,cde->abde"``; an ellipsis stands for axes that the kernel has not.

    Example:
        >>> equation_axes("...x,xy->...y")
        ('xy', 'y', 'x')
    """
    sides = equation.replace(" ", "").replace("...", "").split("->")
    operands = sides[0].split(",")
    if len(sides) != 2 or len(operands) != 2 or len(set(operands[1])) != len(operands[1]):
        return None
    return operands[1], sides[1], operands[0]
