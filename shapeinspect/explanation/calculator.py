"""One layer without a model: its settings and an input shape, and the same explanation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from shapeinspect.dims import Dim, Shape, Unknown, symbol
from shapeinspect.errors import Fact, ShapeMismatchError, UsageError
from shapeinspect.explanation.examples import command, settings_text
from shapeinspect.explanation.graph import CALCULATOR, FILTERS
from shapeinspect.explanation.input_reading import LayerName, read_input
from shapeinspect.frozen import Frozen
from shapeinspect.infer import infer
from shapeinspect.ir import Call, Layer, Layout, Model, Note, Value, Weight
from shapeinspect.layout import normalize
from shapeinspect.layout.pattern import expand_to
from shapeinspect.rules import KINDS, Attribute, output_shapes, weights_of
from shapeinspect.rules.kind import NO_EXAMPLE

_WINDOWS = FILTERS | {
    *("max_pool", "avg_pool", "lp_pool", "adaptive_avg_pool", "adaptive_max_pool", "max_unpool"),
    *("resize", "unfold", "global_avg_pool", "global_max_pool", "global_lp_pool", "fractional_max_pool"),
}
#: Kinds whose batch axis is never left out.
_BATCHED = frozenset({"resize", "global_avg_pool", "global_max_pool", "global_lp_pool"})
_TUPLES = (
    *("kernel_size", "stride", "dilation", "output_padding", "output_size", "size", "output_ratio"),
    "scale_factor",
)
#: Settings whose numbers count something, so that each is at least 1.
_COUNTS = frozenset(
    {
        *("kernel_size", "stride", "dilation", "groups", "in_channels", "out_channels", "in_features"),
        *("out_features", "output_size", "size", "factor", "num_heads", "embed_dim", "embedding_dim"),
        *("num_embeddings", "hidden_size", "num_layers", "num_groups"),
    }
)
#: Settings that stay a list even if one number is given.
_LISTS = ("starts", "ends", "steps", "sizes", "indices", "repeats", "shape", "normalized_shape")


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, tuple | list) else (value,)


def is_kind(name: object) -> bool:
    """Tell whether a text names a kind whose arithmetic is known.

    Args:
        name: what a user typed.

    Example:
        >>> is_kind("conv"), is_kind("model.onnx")
        (True, False)
    """
    return isinstance(name, str) and name in KINDS and KINDS[name].example != NO_EXAMPLE


def single_layer(
    kind: str, inputs: Sequence[Shape], settings: Mapping[str, Any], native: LayerName | None = None
) -> Model:
    """Make a model of one layer, with the shapes and weights that follow from its settings.

    Channels and filters that are not given are the symbols ``i`` and ``o``.

    Args:
        kind: a name of the vocabulary.
        inputs: the input shapes; for an op that slides over space, its one to three lengths suffice.
        settings: attributes as the vocabulary names them; one number holds for every spatial axis.
        native: what a framework's name of the layer says besides.

    Raises:
        UsageError: if no input is given, or a setting that the formula needs is missing.
        ShapeMismatchError: if the input does not fit the settings.

    Example:
        >>> model = single_layer("conv", [(300,)], {"kernel_size": 5})
        >>> model.values["y"].shape
        (o, 296)
    """
    given = {name: value for name, value in settings.items() if value is not None}
    for name in given:
        if name not in KINDS[kind].settings:
            raise _refused(kind, f"{kind} has no setting {name}", name)
    if not inputs:
        takes = settings_text(kind)
        asked = "--input with a shape"
        expected = (f"{asked}, and of these settings:", *takes.split("\n")) if takes else asked
        raise _refused(kind, f"{kind} needs an input", expected=expected)
    for name, value in given.items():
        if isinstance(value, str) and not _takes_words(KINDS[kind].settings[name]):
            raise _refused(kind, f"{name}={value} is not a number", expected=f"a number for {name}")
    for name in _COUNTS & set(given):
        if any(isinstance(weight, int) and weight < 1 for weight in _listed(given[name])):
            raise _refused(kind, f"{name}={given[name]} is too small", expected=f"{name} of at least 1")
    if kind == "attention" and "embed_dim" in given and "num_heads" not in given:
        raise _refused(kind, "attention needs num_heads", expected="--heads, or --set num_heads=…")
    named = native or LayerName()
    first, space, read = _input(kind, tuple(inputs[0]), given, named)
    if named.depthwise and "depth_multiplier" in KINDS[kind].settings:
        given.setdefault("depth_multiplier", 1)
    attributes = _attributes(kind, given, space, first)
    shapes = (first, *map(tuple, inputs[1:]))
    outputs = _outputs(kind, attributes, shapes)
    input_names = [f"x{i}" if len(shapes) > 1 else "x" for i in range(len(shapes))]
    output_names = ["y" if len(outputs) == 1 else f"y{i}" for i in range(len(outputs))]
    weights = tuple(_weight(*weight) for weight in weights_of(kind, attributes, shapes))
    layer = Layer(kind, kind, "", attributes=Frozen(attributes), weights=weights)
    values = {name: Value(name, shape) for name, shape in zip(input_names, shapes, strict=True)}
    values |= {name: Value(name, shape) for name, shape in zip(output_names, outputs, strict=True)}
    call = Call(kind, tuple(input_names), tuple(output_names))
    model = Model(
        kind,
        CALCULATOR,
        "none",
        "none",
        (layer,),
        (call,),
        Frozen(values),
        tuple(input_names),
        tuple(output_names),
        notes=(Note(read, kind),) if read else (),
    )
    return infer(normalize(model))


def _takes_words(setting: Attribute) -> bool:
    """Tell whether a setting takes text: a word, or a mapping written as text."""
    return setting.form in ("str", "mapping") or setting.form.startswith("`") or '`"' in setting.form


def _refused(kind: str, text: str, wrong: str = "", expected: Fact = "") -> UsageError:
    """Return the error of a request that the calculator cannot answer, with what it takes and an example."""
    settings = sorted(KINDS[kind].settings)
    takes = ", ".join(settings) or "no settings, only inputs"
    close = get_close_matches(wrong, settings, 1) if wrong else []
    meant = f"perhaps {close[0]}? " if close else ""
    return UsageError(
        text, expected=expected or f"{kind} takes {takes}", hint=f"{meant}for example: {command(kind)}"
    )


def _outputs(kind: str, attributes: Mapping[str, Any], shapes: tuple[Shape, ...]) -> tuple[Shape | None, ...]:
    try:
        outputs = KINDS[kind].outputs(attributes, shapes)
    except KeyError as error:
        name = str(error.args[0])
        raise _refused(kind, f"{kind} needs {name}", expected=f"--set {name}=…, or its own option") from None
    except (ShapeMismatchError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError):
        try:
            outputs = output_shapes(kind, attributes, shapes)  # raises the error with the kind in it
        except ShapeMismatchError as error:
            if error.expected != "settings that its formula can use":
                raise
            shown = ", ".join(f"{name}={value}" for name, value in attributes.items())
            raise _refused(
                kind, f"{kind} cannot use these settings: {shown}", expected=f"others ({error.got})"
            ) from None
    if all(shape is None or (shape and all(isinstance(n, Unknown) for n in shape)) for shape in outputs):
        text = f"the given settings do not determine the output shape of {kind}"
        raise _refused(kind, text)
    return outputs


def _input(kind: str, shape: Shape, given: dict[str, Any], name: LayerName) -> tuple[Shape, int, str]:
    """Return the whole input shape, how many of its axes are spatial, and how it was read."""
    if kind not in _WINDOWS:
        return shape, 0, ""
    ranks = {len(given[key]) for key in _TUPLES if isinstance(given.get(key), tuple | list)}
    space = ranks.pop() if len(ranks) == 1 else None
    if kind in ("unfold", "fold"):
        space = 2
    if "data_format" in given:
        name = replace(name, channels_last=given["data_format"] == "channels_last")
    read = read_input(shape, name, given.get("in_channels"), space)
    if read is None:
        axes = name.space or space or len(shape)
        raise _refused(
            kind,
            f"{name.text or kind} with {axes} spatial axes takes no input of {len(shape)} numbers",
            expected=f"{axes} lengths, with the channels {axes + 1}, with a batch {axes + 2}",
        )
    reading, text = read
    last = reading.channels_last if reading.channels is not None else bool(name.channels_last)
    if last and "data_format" in KINDS[kind].settings:
        given.setdefault("data_format", "channels_last")
    batch: Shape = (symbol("N"),) if kind in _BATCHED and reading.axes[0] != "N" else ()
    if reading.channels is not None:
        return (*batch, *shape), reading.space, text
    channels: Dim = given.get("in_channels", symbol("i" if kind in FILTERS else "C"))
    whole = (*batch, *shape, channels) if last else (*batch, channels, *shape)
    return whole, reading.space, text


def _attributes(kind: str, given: Mapping[str, Any], space: int, shape: Shape) -> dict[str, Any]:
    result = dict(given)
    if kind in _WINDOWS:
        _spread(result, space)
    if kind in FILTERS:
        last = result.get("data_format") == "channels_last"
        channels = shape[-1] if last else shape[-space - 1]
        result.setdefault("in_channels", channels)
        if kind != "conv" or "depth_multiplier" not in result:
            result.setdefault("out_channels", symbol("o"))
    if kind == "linear":
        result.setdefault("in_features", shape[-1] if shape else None)
        result.setdefault("out_features", symbol("o"))
    if kind in ("embedding", "embedding_bag"):
        result.setdefault("num_embeddings", symbol("V"))
        result.setdefault("embedding_dim", symbol("E"))
    if kind == "einsum" and "sizes" in result:
        result["sizes"] = _letters(result["sizes"])
    else:
        result |= {name: (result[name],) for name in _LISTS if isinstance(result.get(name), int)}
    if isinstance(result.get("axes"), int) and kind in ("slice", "permute", "batch_dot"):
        result["axes"] = (result["axes"],) * (2 if kind == "batch_dot" else 1)
    if kind in ("pad", "crop") and isinstance(result.get("padding"), int | tuple):
        sides = result["padding"] if isinstance(result["padding"], tuple) else (result["padding"],)
        result["padding"] = tuple(side if isinstance(side, tuple) else (side, side) for side in sides)
    return result


def _spread(result: dict[str, Any], space: int) -> None:
    """Give one number to every spatial axis, and each end of an axis its padding."""
    for name in _TUPLES:
        if isinstance(result.get(name), int | float):
            result[name] = (result[name],) * space
    padding = result.get("padding")
    if isinstance(padding, int):
        result["padding"] = ((padding, padding),) * space
    elif isinstance(padding, tuple | list) and padding and isinstance(padding[0], int):
        result["padding"] = tuple((item, item) for item in padding)


def _letters(sizes: Any) -> Mapping[str, int]:
    """Read the lengths of an equation's letters: ``o:7`` or ``("o:7", "p:3")``, or a mapping."""
    if isinstance(sizes, Mapping):
        return sizes
    result = {}
    for entry in sizes if isinstance(sizes, tuple | list) else (sizes,):
        letter, colon, length = str(entry).partition(":")
        if not colon or not length.isdigit():
            raise _refused("einsum", f"sizes={entry} gives no length", expected="such as --set sizes=o:7")
        result[letter] = int(length)
    return Frozen(result)


def _weight(role: str, pattern: str, shape: Shape) -> Weight:
    if not pattern:
        return Weight(role, role, shape)
    fixed = len([name for name in pattern.split() if not name.startswith("*")])
    pattern = expand_to(pattern, len(shape) - fixed) if "*" in pattern else pattern
    return Weight(role, role, shape, layout=Layout(pattern, pattern))
