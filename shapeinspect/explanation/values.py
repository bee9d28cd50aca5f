"""The parts of an explanation: frozen facts, from which every text is built."""

from __future__ import annotations

from dataclasses import dataclass

from shapeinspect.dims import Dim, Shape
from shapeinspect.explanation.notation import write
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Attribute


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula in Python syntax, and the numbers that go into it.

    Args:
        text: an expression of names, integers, ``+ - * /`` and ``floor, ceil, max, min``.
        values: the number of each name.
        result: the result, computed by the rule of the op and not by this text.

    Example:
        >>> Formula("n - k + 1", (("n", 300), ("k", 5)), 296).substituted
        '300 − 5 + 1'
    """

    text: str
    values: tuple[tuple[str, Dim], ...]
    result: Dim

    @property
    def written(self) -> str:
        """The formula in mathematical notation."""
        return write(self.text)

    @property
    def plain(self) -> bool:
        """Whether nothing is computed: a single name, or a number."""
        return self.text.isidentifier() or self.text.isdigit()

    @property
    def substituted(self) -> str:
        """The formula with numbers in place of names."""
        return write(self.text, dict(self.values))


@dataclass(frozen=True, slots=True)
class AxisFact:
    """One axis of a tensor: its letter, its length, its meaning and the origin of the length.

    Args:
        name: the axis's letter, such as ``C`` or ``kh``; None where nothing proves one.
        length: how long it is.
        meaning: what the axis is, and where its length comes from, in a few words.
        formula: how the length is computed, if it is.

    Example:
        >>> AxisFact("C", 3, "input channels").length
        3
    """

    name: str | None
    length: Dim
    meaning: str = ""
    formula: Formula | None = None


@dataclass(frozen=True, slots=True)
class TensorFact:
    """An input or output tensor, axis by axis.

    Args:
        name: the value's name.
        axes: its axes; None if not even their number is known.
        source: the layer that produced it.

    Example:
        >>> TensorFact("x", (AxisFact("C", 3),)).shape
        (3,)
    """

    name: str
    axes: tuple[AxisFact, ...] | None
    source: str = ""

    @property
    def shape(self) -> Shape | None:
        """Its lengths."""
        return None if self.axes is None else tuple(axis.length for axis in self.axes)


@dataclass(frozen=True, slots=True)
class WeightFact:
    """A weight, axis by axis in its stored order, and in the common convention.

    Args:
        name: its full name.
        role: what it does in its layer, in the source's spelling.
        axes: its stored axes.
        count: how many numbers it holds; None if unknown.
        common: the letter and length of each axis in the common convention; None if not proven.
        transform: the einops expression from the stored to the common order, or None.
        remark: a remark about it.
        quantized: how it is quantized, in words; empty for one that is not.
        orders: for an axis whose entries have names (gates): the axis, the stored and the common order.

    Example:
        >>> WeightFact("w", "weight", (AxisFact("o", 2),), 2).common is None
        True
    """

    name: str
    role: str
    axes: tuple[AxisFact, ...]
    count: int | None
    common: tuple[tuple[str, Dim], ...] | None = None
    transform: str | None = None
    remark: str = ""
    quantized: str = ""
    orders: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """How many multiplications one call takes.

    Args:
        formula: how they are counted; None where only the total is known.
        total: the number.

    Example:
        >>> Work(Formula("places*taps", (("places", 296), ("taps", 5)), 1480), 1480).total
        1480
    """

    formula: Formula | None
    total: Dim


@dataclass(frozen=True, slots=True)
class FieldFact:
    """What one output position sees of a model input, on one axis.

    Args:
        input: the model input's name.
        axis: the axis's letter, or its number where it has none.
        size: how many positions, from the first to the last; None for the whole axis.
        jump: the distance on the input between neighboring outputs, as a fraction's text.
        start: the first position that output 0 sees; negative where that is padding.
        least: the size for outputs that see less than others, else the same.
        length: the input axis's length.
        last: the last position that output 0 sees, where it sees all that come before.
        followed: false where the positions that it sees depend on the data.

    Example:
        >>> FieldFact("x", "H", 3, "1", -1, 3, 32).size
        3
    """

    input: str
    axis: str
    size: int | None
    jump: str | None
    start: int | None
    least: int | None
    length: Dim
    last: int | None = None
    followed: bool = True


@dataclass(frozen=True, slots=True)
class WindowFact:
    """The window of an op on one axis of its own input: what a drawing shows.

    Args:
        axis: the axis's letter.
        n: the input's length.
        out: the output's length.
        before: padding in front.
        after: padding behind.
        taps: for each output position that is listed, the input positions it reads.
        transposed: whether taps are the outputs that an input position writes to.
        ragged: whether windows differ in length, so that all of them are listed.

    Example:
        >>> WindowFact("L", 5, 3, 0, 0, ((0, 1, 2), (1, 2, 3), (2, 3, 4))).out
        3
    """

    axis: str
    n: int
    out: int
    before: int
    after: int
    taps: tuple[tuple[int, ...], ...]
    transposed: bool = False
    ragged: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read the same numbers: a row for each question, an answer for each reading.

    Args:
        question: what is asked.
        answers: the answer of this layer, then that of the other reading.

    Example:
        >>> Reading("output", ("(296, 111)", "(1, 111)")).question
        'output'
    """

    question: str
    answers: tuple[str, str]


@dataclass(frozen=True, slots=True)
class CallFact:
    """One execution of the layer: inputs, outputs and work.

    Args:
        inputs: the tensors that go in.
        outputs: the tensors that come out.
        work: the multiplications, or None if they cannot be known.
        field: what one output position sees of the model's inputs.
        windows: the op's windows, one a spatial axis.

    Example:
        >>> CallFact((), ()).work is None
        True
    """

    inputs: tuple[TensorFact, ...]
    outputs: tuple[TensorFact, ...]
    work: Work | None = None
    field: tuple[FieldFact, ...] = ()
    windows: tuple[WindowFact, ...] = ()


@dataclass(frozen=True, slots=True)
class LayerExplanation:
    """The complete explanation of one layer.

    Args:
        path: the layer's path.
        kind: its kind.
        type: its native type.
        summary: one sentence.
        weights: its weights.
        calls: its executions; one for a layer whose input is not known.
        remarks: sentences that answer common questions about this kind.
        readings: the two readings of a size that is easily mistaken, a heading first, then row by row.
        findings: likely mistakes.
        notes: what could not be known.
        numbers: the total number of values in the weights, as a formula; None if unknown.
        attributes: its settings in the field's standard terms.

    Example:
        >>> LayerExplanation("fc", "linear", "Dense", "a layer").findings
        ()
    """

    path: str
    kind: str
    type: str
    summary: str
    weights: tuple[WeightFact, ...] = ()
    calls: tuple[CallFact, ...] = ()
    remarks: tuple[str, ...] = ()
    readings: tuple[Reading, ...] = ()
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    numbers: Formula | None = None
    attributes: Frozen[Attribute] = Frozen()
