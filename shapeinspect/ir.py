"""The values every stage works on, all frozen: Model, Layer, Weight, Quantization, Call, Value.

An adapter builds a :class:`Model` in the source's own layout; every later stage returns a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeAlias

from shapeinspect.dims import Dim, Shape
from shapeinspect.frozen import Frozen

if TYPE_CHECKING:
    import numpy as np

#: The names of a tensor's axes, one for each; None for an axis without a proven name.
Axes: TypeAlias = "tuple[str | None, ...]"


#: The allowed attribute values: plain values and tuples of them, no framework objects.
Attribute: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Layout:
    """How a weight is stored and how the common convention orders it; see ``shapeinspect.layout``.

    Args:
        native: the stored axes as an einops pattern, such as ``"kh kw i o"``.
        common: the same axes in the common convention, such as ``"o i kh kw"``.
        sizes: the lengths that a composite axis needs to be taken apart, such as ``{"gate": 4}``.
        orders: for an axis whose entries are named and stored in another order than the common
            one (the gates of a recurrent layer): the axis, the native and the common order.
        flips: the axes whose entries are stored back to front.
        slot: what the weight is to its layer, the same in every framework: ``weight``, ``bias``,
            ``mean``, ``weight_ih.l0`` …; a name in braces stands for an axis of ``splits``; names
            joined by ``+`` are stored as their sum; empty where nothing corresponds.
        splits: the axes along which one stored weight holds several slots, with the text that each
            entry puts in the place of the braces.

    Example:
        >>> Layout("kh kw i o", "o i kh kw").native
        'kh kw i o'
    """

    native: str
    common: str
    sizes: Frozen[int] = Frozen()
    orders: tuple[tuple[str, str, str], ...] = ()
    flips: tuple[str, ...] = ()
    slot: str = ""
    splits: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Packing:
    """How the file stores a quantized weight whose values are narrower than an element.

    Args:
        shape: the stored lengths.
        dtype: the element type that the values are packed into, in numpy's spelling.
        axis: the axis of the logical shape along which neighbors share an element; None where they are
            packed in the order of the flattened weight.
        values: how many values ``elements`` elements hold together; the last ones may be padding.
        elements: 1, except where a value may cross the border of an element.

    Example:
        >>> gptq_3_bit = Packing((12, 48), "int32", 0, values=32, elements=3)  # of logical shape (128, 48)
        >>> gptq_3_bit.shape[0] // gptq_3_bit.elements * gptq_3_bit.values
        128
    """

    shape: Shape
    dtype: str
    axis: int | None
    values: int
    elements: int = 1


@dataclass(frozen=True, slots=True)
class Quantization:
    """How a quantized weight represents its numbers; the weight's own ``shape`` is the logical one.

    Args:
        scheme: who or what defines it, as the field calls it: ``gptq``, ``awq``, ``bitsandbytes``,
            ``mxfp4``, ``ggml``, ``qdq`` …
        element: the type of one quantized value: ``int4``, ``uint4``, ``nf4``, ``float8_e4m3fn``,
            ``Q4_K``; empty if the source does not say.
        bits: the bits of one quantized value, or None if the source does not say.
        block: how many values share one scale along each axis of the logical shape, None for a whole
            axis: ``(None, None)`` is per tensor, ``(1, None)`` per channel of axis 0, ``(1, 128)`` in groups
            of 128 along axis 1. A single entry for a weight of several axes counts along the flattened
            weight. None as a whole if the source does not say.
        packing: how the values are stored, or None where each has an element of its own, in the
            logical shape.
        scales: the names of the weights that hold its scales; empty where they are inside the weight's own
            bytes or the source's metadata.
        zero_points: the names of the weights that hold its zero points or minima.
        state: the names of further weights that only describe it (group indices, code books, shapes).

    Example:
        >>> Quantization("gptq", "int4", 4, (128, 1), Packing((64, 48), "int32", 0, 8)).label
        'int4 g128'
        >>> Quantization("fp8", "float8_e4m3fn", 8, (128, 128)).label
        'float8_e4m3fn 128×128'
    """

    scheme: str
    element: str = ""
    bits: int | None = None
    block: tuple[int | None, ...] | None = None
    packing: Packing | None = None
    scales: tuple[str, ...] = ()
    zero_points: tuple[str, ...] = ()
    state: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Its element type, with the size of a group where there are groups."""
        name = self.element or (f"{self.bits}-bit" if self.bits else "unknown bits")
        lengths = [length for length in self.block or () if length not in (None, 1)]
        if not lengths:
            return name
        return f"{name} g{lengths[0]}" if len(lengths) == 1 else f"{name} {'×'.join(map(str, lengths))}"

    @property
    def companions(self) -> tuple[str, ...]:
        """The names of all weights that belong to it and hold no parameters."""
        return (*self.scales, *self.zero_points, *self.state)


@dataclass(frozen=True, slots=True)
class Weight:
    """One stored tensor of a layer: a parameter, a running statistic or a constant.

    Args:
        name: its full name in the source.
        role: what it does in its layer, in the source's spelling (``weight``, ``kernel``, ``W``).
        shape: its lengths in the stored order; those of a quantized weight are the logical ones, however
            it is packed, and ``UNKNOWN`` where its packing hides them.
        dtype: its stored element type in numpy's spelling (``float32``, ``bfloat16``, ``int4``), or None.
        nbytes: its stored size in bytes, or None if unknown.
        trainable: whether an optimizer would change it; None if the source does not say.
        layout: its native and common axes; None where they are not proven.
        common_shape: its lengths in the common convention, filled by ``layout.normalize``.
        storage: a key that tied weights share; None for a weight with storage of its own.
        count: how many logical values it holds where ``shape`` does not tell, else None.
        where: the file or code that holds it, if that is not the source itself.
        buffer: whether it is state that its framework does not count as a parameter (torch's
            running statistics; the scales of a quantized weight).
        values: reads the numbers, in the order of ``shape``, when called; those of a quantized weight are
            dequantized. None if they cannot be read.
        quantization: how it is quantized, or None.
        key: the name by which its framework's own code finds it, where that is not ``name``.

    Example:
        >>> Weight("fc.weight", "weight", (2, 3), "float32", 24).size
        6
    """

    name: str
    role: str
    shape: Shape
    dtype: str | None = None
    nbytes: int | None = None
    trainable: bool | None = None
    layout: Layout | None = None
    common_shape: Shape | None = None
    storage: str | None = None
    count: int | None = None
    where: str | None = None
    buffer: bool = False
    values: Callable[[], np.ndarray[Any, Any]] | None = field(default=None, compare=False, repr=False)
    quantization: Quantization | None = None
    key: str | None = field(default=None, compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Go to another process without what reads the numbers: their file may not be there."""
        return Weight, tuple(
            None if each.name == "values" else getattr(self, each.name) for each in fields(self)
        )

    def __copy__(self) -> Weight:
        return self

    def __deepcopy__(self, memo: object) -> Weight:
        return self

    @property
    def stored_shape(self) -> Shape:
        """Its lengths as the source stores it, packed."""
        packing = self.quantization.packing if self.quantization is not None else None
        return self.shape if packing is None else packing.shape

    @property
    def type(self) -> str | None:
        """Its element type as people read it: ``int4 g128`` for a quantized weight, else its dtype."""
        return self.dtype if self.quantization is None else self.quantization.label

    @property
    def size(self) -> int | None:
        """The number of values, or None if a length is not an integer."""
        if self.count is not None:
            return self.count
        total = 1
        for dim in self.shape:
            if not isinstance(dim, int):
                return None
            total *= dim
        return total


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer, op or container of the model.

    Args:
        path: its unique name in the source's own spelling.
        kind: its canonical op (see ``shapeinspect.rules``); ``"module"`` for a container,
            ``"unknown"`` where nothing proves a kind.
        type: its native type, such as ``Conv2d``.
        parts: the path taken apart, outermost first; it gives the depth and the containers.
        attributes: its settings in the field's standard terms (see ``shapeinspect.rules``).
        weights: its own weights, not those of layers inside it.
        candidates: the kinds that names and shapes leave possible where ``kind`` is unknown.
        origin: its location in the source (a file and line, a node's name), if that helps.

    Example:
        >>> Layer("block.conv", "conv", "Conv2d", parts=("block", "conv")).depth
        1
    """

    path: str
    kind: str
    type: str
    parts: tuple[str, ...] = ()
    attributes: Frozen[Attribute] = Frozen()
    weights: tuple[Weight, ...] = ()
    candidates: tuple[str, ...] = ()
    origin: str | None = None

    @property
    def depth(self) -> int:
        """The number of containers around it."""
        return max(len(self.parts) - 1, 0)


@dataclass(frozen=True, slots=True)
class Value:
    """One tensor that flows through the graph.

    Args:
        name: unique in the model.
        shape: its lengths in the source's order; None if not even the rank is known.
        dtype: its element type in numpy's spelling, or None.
        axes: the name of each axis; None if none is known yet.
        constant: its numbers, where the graph computes with shapes and they are few.
        inferred_by: the origin of the shape, where the framework did not compute and record it itself (such
            as ``"onnx's shape inference"``): our rules take precedence over it.
        element: of a sequence or an optional, which have no shape, what the shapes of its tensors have in
            common.

    Example:
        >>> Value("x", (1, 3, 224, 224), "float32", ("N", "C", "H", "W")).axes[1]
        'C'
    """

    name: str
    shape: Shape | None = None
    dtype: str | None = None
    axes: Axes | None = None
    constant: tuple[Dim | float, ...] | Dim | float | None = None
    inferred_by: str | None = None
    element: Shape | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One execution of a layer or op.

    Args:
        layer: the path of the layer.
        inputs: the names of the values it reads (activations, not its own weights); ``""`` for an omitted
            optional input.
        outputs: the names of the values it produces.
        attributes: settings of this call alone, added to the layer's.
        macs: multiply-accumulate operations, filled by ``infer``; None if unknown. In a loop they are
            those of all its rounds.
        spare: whether it stands in a branch that totals leave out, since another one counts.
        conditional: whether the source makes it only for some inputs, so that one that does not fit proves
            nothing against the model.

    Example:
        >>> Call("conv1", ("x",), ("y",)).outputs
        ('y',)
    """

    layer: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Frozen[Attribute] = Frozen()
    macs: Dim | None = None
    spare: bool = False
    conditional: bool = False


def calls_by_layer(calls: Iterable[Call]) -> dict[str, list[Call]]:
    """Return the calls of each layer by its path, in their order.

    Args:
        calls: the calls of a model.

    Example:
        >>> {path: len(own) for path, own in calls_by_layer([Call(path, (), ()) for path in "aba"]).items()}
        {'a': 2, 'b': 1}
    """
    found: dict[str, list[Call]] = {}
    for call in calls:
        found.setdefault(call.layer, []).append(call)
    return found


@dataclass(frozen=True, slots=True)
class Body:
    """A graph inside a layer; its calls stand among the model's own.

    Args:
        path: what begins the path of every layer in it, without the slash behind.
        inputs: the names of the values that it reads.
        outputs: the names of the values that it returns.

    Example:
        >>> Body("loop/body", ("loop/body/i",), ("loop/body/y",)).path
        'loop/body'
    """

    path: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """A layer that runs graphs of its own: one of several, or one for several rounds.

    Args:
        layer: its path.
        kind: ``if``, ``loop``, ``scan``, or ``map`` for one that runs as often as its data says.
        bodies: its graphs; of an ``if`` that of the true condition first.
        inputs: the names of what it reads: the condition of an ``if``; the number of rounds, the condition
            and the states of a ``loop`` (``""`` for one that is left out); the states and the scanned
            values of a ``scan``. The body of a ``loop`` reads the round, the condition and the states, and
            returns the condition, the states and the values to be stacked; that of a ``scan`` reads the
            states and one entry of each scanned value.
        outputs: the names of its outputs: the last states, then the stacked values of all rounds.
        states: how many values are carried from round to round.
        input_axes: the axis of each scanned value.
        output_axes: the axis along which each output of a ``scan`` is stacked; those of a ``loop`` are
            stacked along axis 0.
        counted: whether a ``loop`` runs as many rounds as its first input says, since its condition stays
            true.
        kept: whether the condition of a ``loop`` stays what it begins with.
        batched: whether a ``scan`` runs for each entry of the first axis of all that it reads, along the
            second one (ONNX before opset 9).

    Example:
        >>> Block("choice", "if", (), ("condition",), ("y",)).states
        0
    """

    layer: str
    kind: str
    bodies: tuple[Body, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    states: int = 0
    input_axes: tuple[int, ...] = ()
    output_axes: tuple[int, ...] = ()
    counted: bool = False
    kept: bool = False
    batched: bool = False


def companions(weights: Iterable[Weight]) -> frozenset[str]:
    """Return the names of all weights that belong to a quantized one and hold no parameters.

    Args:
        weights: the weights, quantized or not.

    Example:
        >>> how = Quantization("gptq", scales=("q.scales",))
        >>> sorted(companions([Weight("q", "qweight", (2, 3), quantization=how)]))
        ['q.scales']
    """
    return frozenset(
        name for weight in weights if weight.quantization for name in weight.quantization.companions
    )


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A weight or a setting that is not what something else asks for.

    Args:
        about: the weight's name in the file, or the name of the setting.
        expected: what is asked for.
        got: what there is.
        origin: where the expectation comes from.
        messages: what loaders print for it: the loader's name and its message.

    Example:
        >>> Contradiction("fc.weight", "(3, 5)", "(3, 4)", "config.json: hidden_size 5").messages
        ()
    """

    about: str
    expected: str
    got: str
    origin: str
    messages: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """Something a reader should know: what could not be determined and why, or a finding.

    Args:
        text: one sentence.
        about: the path of the layer it is about, or None for the whole model.
        fault: whether what runs the file refuses it for this.
        instead: whether it says that something else was read than was named, such as what a wrapper holds.
        held: whether it says that the weights are those that something beside them asks for.
        unheld: whether it says why the weights could not be held against what stands beside them.
        contradictions: what does not agree, one by one, where the sentence tells of several.

    Example:
        >>> Note("the file records no shapes").about is None
        True
    """

    text: str
    about: str | None = None
    fault: bool = False
    instead: bool = False
    held: bool = False
    unheld: bool = False
    contradictions: tuple[Contradiction, ...] = ()


@dataclass(frozen=True, slots=True)
class Model:
    """A whole model as read from one source.

    Args:
        source: the requested model, as the user named it.
        format: the format it was read from (``onnx``, ``keras``, ``torch-zip``, ``live`` …).
        framework: the framework whose conventions its weights follow, or ``unknown``.
        adapter: the name of the adapter that read it.
        layers: in the order of execution where that is known, containers before what they hold.
        calls: in the order of execution; empty where the source holds no graph.
        values: every value that calls, inputs and outputs name.
        inputs: the names of the model's input values.
        outputs: the names of the model's output values.
        notes: what could not be known, and why.
        metadata: further facts of the source as plain text, such as a producer's name.
        asked: whether the adapter itself has called the model on the requested shapes.
        stopped: the path of the layer in which the calls end, where they end before the model does.
        blocks: the layers that run graphs of their own, outer ones before those inside them.
        described: the format in plain words with its version, and what wrote it, such as ``("ONNX opset 17",
            "exported by pytorch 2.9")``; empty where the names of the format and the framework say all.

    Example:
        >>> Model("m.onnx", "onnx", "onnx", "onnx").layers
        ()
    """

    source: str
    format: str
    framework: str
    adapter: str
    layers: tuple[Layer, ...] = ()
    calls: tuple[Call, ...] = ()
    values: Frozen[Value] = Frozen()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    metadata: Frozen[str] = Frozen()
    asked: bool = False
    stopped: str | None = None
    blocks: tuple[Block, ...] = ()
    described: tuple[str, ...] = ()
