"""The values every stage works on, all frozen: Model, Layer, Weight, Call, Value.

An adapter builds a :class:`Model` in the source's own layout; every later stage returns a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from shapeinspect.dims import Dim, Shape

if TYPE_CHECKING:
    import numpy as np

V = TypeVar("V")

#: The names of a tensor's axes, one for each; None for an axis without a proven name.
Axes: TypeAlias = "tuple[str | None, ...]"


class Frozen(Mapping[str, V], Generic[V]):
    """An immutable mapping, hashable if its values are.

    Args:
        items: what it holds.

    Example:
        >>> Frozen({"groups": 2})["groups"]
        2
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, V] | None = None, /, **more: V) -> None:
        self._items = {**(items or {}), **more}

    def __getitem__(self, key: str) -> V:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


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
class Weight:
    """One stored tensor of a layer: a parameter, a running statistic or a constant.

    Args:
        name: its full name in the source.
        role: what it does in its layer, in the source's spelling (``weight``, ``kernel``, ``W``).
        shape: its lengths in the stored order.
        dtype: its element type in numpy's spelling (``float32``, ``bfloat16``, ``int4``), or None.
        nbytes: its stored size in bytes, or None if unknown.
        trainable: whether an optimizer would change it; None if the source does not say.
        layout: its native and common axes; None where they are not proven.
        common_shape: its lengths in the common convention, filled by ``layout.normalize``.
        storage: a key that tied weights share; None for a weight with storage of its own.
        count: how many logical values it holds where that differs from the product of ``shape``
            (packed quantized weights), else None.
        where: the file or code that holds it, if that is not the source itself.
        buffer: whether it is state that its framework does not count as a parameter (torch's
            running statistics).
        values: reads the numbers, in the stored order, when called; None if they cannot be read.

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

    Example:
        >>> Value("x", (1, 3, 224, 224), "float32", ("N", "C", "H", "W")).axes[1]
        'C'
    """

    name: str
    shape: Shape | None = None
    dtype: str | None = None
    axes: Axes | None = None
    constant: tuple[Dim, ...] | Dim | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One execution of a layer or op.

    Args:
        layer: the path of the layer.
        inputs: the names of the values it reads (activations, not its own weights); ``""`` for an omitted
            optional input.
        outputs: the names of the values it produces.
        attributes: settings of this call alone, added to the layer's.
        macs: multiply-accumulate operations, filled by ``infer``; None if unknown.

    Example:
        >>> Call("conv1", ("x",), ("y",)).outputs
        ('y',)
    """

    layer: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Frozen[Attribute] = Frozen()
    macs: Dim | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Something a reader should know: what could not be determined and why, or a finding.

    Args:
        text: one sentence.
        about: the path of the layer it is about, or None for the whole model.

    Example:
        >>> Note("the file records no shapes").about is None
        True
    """

    text: str
    about: str | None = None


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
