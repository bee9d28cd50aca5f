"""A layer refuses what comes from a declared input: its shape is wrong, or a layer between is missing."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from shapeinspect.plugin_api.changes import OnInput
from shapeinspect.plugin_api.claims import Claim, Level
from shapeinspect.plugin_api.facts import Edit, Explained
from shapeinspect.plugin_api.rerun import Recorded
from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect.rules.rule import show
from shapeinspect_keras.debug.statements.site import UNKNOWN_VALUE, Site, argument
from shapeinspect_keras.tracing import graph as graphs
from shapeinspect_keras.tracing.guard import untouched

#: The layers that read a sequence of vectors, and those that read one of images.
_SEQUENCE = frozenset({"LSTM", "GRU", "SimpleRNN", "RNN"})
_OF_IMAGES = frozenset({"ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"})
_CONVOLUTIONS = re.compile(r"(?:Separable|Depthwise)?Conv[123]D(?:Transpose)?|(?:Max|Average)Pooling[123]D")
_SPACE = re.compile(r"([123])D")
_OPEN = re.compile(r"must be fully-defined \(no `None` dimensions\)")
_NEGATIVE = re.compile(r"would be negative|Negative dimension size|output size would be")
_BUILT = Claim(Level.PART, "the network up to this layer", "the failing line is in the middle of the model")
_LAYER = Claim(Level.PART, "the layer", "the failing line is in the middle of the model")


@dataclass(frozen=True, slots=True)
class Refused:
    """The layer that refuses, and what it is called on.

    Args:
        layer: the layer.
        symbol: Keras's symbolic tensor.
        message: Keras's words.
        recorded: the call as it is recorded; its ``confirm`` tries other inputs.
        site: the user's statement.
    """

    layer: Any
    symbol: Any
    message: str
    recorded: Recorded
    site: Site

    @property
    def kind(self) -> str:
        """The class of the layer, or of the one inside a wrapper."""
        inner = getattr(self.layer, "forward_layer", None) or self.layer
        return type(inner).__name__

    @property
    def shape(self) -> tuple[Any, ...]:
        """What the layer is given."""
        return tuple(self.symbol.shape)

    @property
    def makers(self) -> list[Any]:
        """The layers before it, the nearest first, as long as each reads one tensor."""
        found, symbol = [], self.symbol
        while (node := graphs.node_of(symbol)) is not None and not node.is_input:
            found.append(node.operation)
            if len(node.input_tensors) != 1:
                break
            symbol = node.input_tensors[0]
        return found

    def wants(self) -> tuple[int, int] | None:
        """Return how many axes are expected and found, for layers that take one number of axes."""
        if self.kind in _SEQUENCE:
            return 3, len(self.shape)
        space = _SPACE.search(self.kind)
        if space is None or not (self.kind in _OF_IMAGES or _CONVOLUTIONS.fullmatch(self.kind)):
            return None
        return int(space[1]) + (3 if self.kind in _OF_IMAGES else 2), len(self.shape)

    def takes(self, shape: tuple[Any, ...]) -> bool:
        """Tell whether a new layer of the same settings takes a shape.

        Args:
            shape: the shape, its batch included; None for an open length.
        """
        import keras

        try:
            with untouched(()):
                symbol = keras.KerasTensor(shape, dtype=self.symbol.dtype)
                type(self.layer).from_config(self.layer.get_config())(symbol)
        except Exception:  # noqa: BLE001  # a user's layer may refuse in any way
            return False
        return True


def explained(refused: Refused) -> Explained | None:
    """Explain what a layer refuses by the input that is declared, or by the layers before it.

    Args:
        refused: the layer, and what it is called on.
    """
    for explain in _KINDS:
        result = explain(refused)
        if result is not None:
            return result
    return None


def _samples(refused: Refused) -> Explained | None:
    """The number of samples stands in the declared shape."""
    axes = refused.wants()
    single = _declared(refused)
    if axes is None or axes[1] != axes[0] + 1 or single is None or len(single) < 3:
        return None
    if not _CONVOLUTIONS.fullmatch(refused.kind) and refused.kind not in _SEQUENCE:
        return None
    edits = tuple(_redeclared(refused, single[1:], "samples-in-shape", "[1:]"))
    if not edits:
        return None
    return Explained("samples-in-shape", (f"the shape of one sample, {_tuple(single[1:])}",), edits=edits)


def _time(refused: Refused) -> Explained | None:
    """The axis of time is missing in the declared shape."""
    axes, single = refused.wants(), _declared(refused)
    if axes is None or axes[1] != axes[0] - 1 or single is None or refused.kind not in _OF_IMAGES:
        return None
    if not isinstance(single[-1], int) or any(isinstance(n, int) and n <= single[-1] for n in single[:-1]):
        return None  # the last axis may as well be one of space, and the channels missing
    edits = tuple(_redeclared(refused, (None, *single), "time-axis"))
    letters = ["D", "H", "W", "C"]
    wanted = " ".join(["N", "T", *letters[-(axes[0] - 2) :]])
    return Explained("time-axis", (f"{axes[0]} axes: {wanted}",), edits=edits)


def _channels_first(refused: Refused) -> Explained | None:
    """The declared picture is channels first, and the layers read channels last."""
    single = _declared(refused, far=True)
    if _NEGATIVE.search(refused.message) is None or single is None or len(single) != 3:
        return None
    first = single[0]
    if first not in (1, 3, 4) or not all(isinstance(n, int) and n > 4 for n in single[1:]):
        return None
    edits = tuple(
        _permuted(refused, single) or _redeclared(refused, (*single[1:], first), "channels-first-shape")
    )
    if not edits:
        return None
    return Explained(
        "channels-first-shape",
        (f"H W C = {_tuple((*single[1:], first))}: the layers read channels last",),
        (f"an input declared as {_tuple(single)}, which is read as H = {first}",),
        edits,
    )


def _permuted(refused: Refused, single: tuple[Any, ...]) -> list[Edit]:
    """Move the axes inside a Sequential model whose data is known to be channels first as well."""
    import numpy

    names = {**refused.site.frame.f_globals, **refused.site.frame.f_locals}
    frame = refused.site.frame.f_back
    if frame is not None:
        names |= frame.f_locals
    data = any(isinstance(item, numpy.ndarray) and item.shape[1:] == single for item in names.values())
    for call, shape in _declarations(refused.site) if data else ():
        added = next((item for item in refused.site.everywhere("add") if call in item.args), None)
        known = refused.site.value(shape) == single
        if added is not None and isinstance(added.func, ast.Attribute) and known:
            text = refused.site.text(added)
            owner = refused.site.text(added.func.value)
            new = f"{text}; {owner}.add({refused.site.layers()}.Permute((2, 3, 1)))"
            if refused.takes((None, *single[1:], single[0])):
                return [Edit("channels-first-shape", f"{new} instead of {text}", _LAYER)]
    return []


def _sequence(refused: Refused) -> Explained | None:
    """A layer that reads a sequence of vectors gets images."""
    axes, shape = refused.wants(), refused.shape
    if axes is None or axes[0] != 3 or axes[1] < 4 or refused.kind not in _SEQUENCE:
        return None
    prefix, kinds = refused.site.layers(), [type(layer).__name__ for layer in refused.makers]
    name = _operand(refused)
    if name is None:
        return None
    if "TimeDistributed" in kinds or axes[1] == 5:
        text = f'{prefix}.TimeDistributed({prefix}.Flatten())({name}) before "{refused.layer.name}"'
        if None in shape[2:] or not refused.takes((*shape[:2], _product(shape[2:]))):
            return None
        edit = Edit("steps-of-images", text, _LAYER)
        return Explained("steps-of-images", ("3 axes: N T C",), edits=(edit,))
    if kinds[:1] == ["Embedding"]:
        return _nested_sequence(refused)
    if any(_CONVOLUTIONS.fullmatch(kind) for kind in kinds) and None not in shape[2:]:
        return _picture(refused, name)
    return None


def _picture(refused: Refused, name: str) -> Explained | None:
    prefix, shape = refused.site.layers(), refused.shape
    width = _product(shape[2:])
    if not refused.takes((shape[0], shape[1], width)):
        return None
    steps = shape[1] if isinstance(shape[1], int) else -1
    code = f'{prefix}.Reshape(({steps}, {width}))({name}) before "{refused.layer.name}"'
    edit = Edit("image-into-sequence", code, _LAYER)
    line = f"3 axes: N T C, for example one step for each of the {steps} rows"
    return Explained("image-into-sequence", (line,), edits=(edit,))


def _nested_sequence(refused: Refused) -> Explained | None:
    """A sequence of sequences, such as the characters of words: the layer reads each of them."""
    shape = refused.shape
    with_time = refused.takes((None, *shape[2:]))
    outer = list(refused.site.calls(type(refused.layer).__name__))
    if not with_time or not outer:
        return None
    text = refused.site.text(outer[0])
    new = f"{refused.site.layers()}.TimeDistributed({text})"
    edit = Edit("rank", f"{new} instead of {text}", _LAYER)
    line = f"3 axes: N T C; each of the {shape[1]} steps holds a sequence of its own"
    return Explained("rank", (line,), edits=(edit,))


def _open(refused: Refused) -> Explained | None:
    """A layer needs the number of its features behind a Flatten over open sizes."""
    makers = refused.makers
    if _OPEN.search(refused.message) is None or not makers or type(makers[0]).__name__ != "Flatten":
        return None
    node: Any = graphs.node_of(refused.symbol)
    before = tuple(node.input_tensors[0].shape)
    space = len(before) - 2
    lines = (f"sizes that are known where it is built: the Flatten reads {show(_plain(before))}",)
    edits: list[Edit] = []
    calls = refused.site.everywhere("Flatten")
    if 1 <= space <= 3 and isinstance(before[-1], int) and calls and refused.takes((None, before[-1])):
        text = refused.site.text(calls[-1])
        new = f"{refused.site.layers()}.GlobalAveragePooling{space}D()"
        edits.append(Edit("open-size", f"{new} instead of {text}", _LAYER))
    return Explained("open-size", lines, (f"{show(_plain(refused.shape))}",), tuple(edits))


_KINDS: tuple[Callable[[Refused], Explained | None], ...] = (
    _samples, _time, _channels_first, _sequence, _open,
)  # fmt: skip


def _plain(shape: tuple[Any, ...]) -> Any:
    from shapeinspect.dims import UNKNOWN

    return tuple(UNKNOWN if length is None else length for length in shape)


def _product(lengths: tuple[int, ...]) -> int:
    result = 1
    for length in lengths:
        result *= length
    return result


def _tuple(shape: tuple[Any, ...]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _root(refused: Refused, far: bool) -> Any:
    """Return the declared input that the layer reads, directly or behind other layers."""
    symbol = refused.symbol
    while (node := graphs.node_of(symbol)) is not None and not node.is_input:
        if not far or len(node.input_tensors) != 1:
            return None
        symbol = node.input_tensors[0]
    return symbol


def _declared(refused: Refused, far: bool = False) -> tuple[Any, ...] | None:
    """Return the declared shape of one sample."""
    root = _root(refused, far)
    return None if root is None else tuple(root.shape)[1:]


def _operand(refused: Refused) -> str | None:
    """Return what the failing statement calls the layer's input."""
    for call in refused.site.calls():
        for item in call.args:
            if refused.site.value(item) is refused.symbol:
                return refused.site.text(item)
    return None


def _redeclared(refused: Refused, single: tuple[Any, ...], cause: str, suffix: str = "") -> Iterator[Edit]:
    """Declare the input with another shape, if Keras builds the network up to the layer with it."""
    confirm = refused.recorded.confirm
    inputs = refused.recorded.model.inputs
    if confirm is None or len(inputs) != 1:
        return
    change = OnInput(inputs[0], (("resize", (None, *single)),))
    if confirm((change,)) is not True:
        return
    declared = _declared(refused, far=True)
    for call, shape in _declarations(refused.site):
        value = refused.site.value(shape)
        only = value is UNKNOWN_VALUE and len(list(_declarations(refused.site))) == 1
        if only or (isinstance(value, tuple | list) and tuple(value) == declared):
            old = refused.site.text(call)
            literal = isinstance(shape, ast.Tuple | ast.List)
            text = refused.site.text(shape)
            new = old.replace(text, f"{text}{suffix}" if suffix and not literal else _tuple(single), 1)
            yield Edit(cause, f"{new} instead of {old}", _BUILT)
            return
    yield Edit(cause, f"keras.Input(shape={_tuple(single)})", _BUILT)


def redeclared(site: Site, old: tuple[Any, ...], new: tuple[Any, ...]) -> str | None:
    """Write the user's declaration of an input's shape with another shape.

    Args:
        site: the user's statement, whose file is read.
        old: the declared shape of one sample; empty where it is not known.
        new: the one to declare instead; what is no number is open.

    Returns: The edit; None where it is not clear which declaration it is.
    """
    found = []
    for call, shape in _declarations(site):
        value = site.value(shape)
        known = tuple(value) if isinstance(value, tuple | list) else None
        plain = tuple(length if isinstance(length, int) else None for length in old)
        if known is None or not old or known == plain:
            found.append((call, shape))
    if len(found) != 1:
        return None
    call, shape = found[0]
    text = site.text(call)
    lengths = _tuple(tuple(length if isinstance(length, int) else None for length in new))
    return f"{text.replace(site.text(shape), lengths, 1)} instead of {text}"


def _declarations(site: Site) -> Iterator[tuple[ast.Call, ast.expr]]:
    """Yield the calls in the user's file that declare an input's shape, with the shape."""
    for call in ast.walk(site.tree):
        if not isinstance(call, ast.Call):
            continue
        name = callee_of(call)
        shape = argument(call, 0, "shape") if name in ("Input", "InputLayer") else None
        shape = shape or next((item.value for item in call.keywords if item.arg == "input_shape"), None)
        if shape is not None:
            yield call, shape
