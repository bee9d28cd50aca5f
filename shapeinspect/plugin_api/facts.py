"""What a debugger knows about a failure beyond its shapes: one frozen value for each kind of failure.

A plug-in's debugger fills in one of these, from the framework's message or from the real numbers; the core
reads its fields and never the message. ``Failure.fact`` holds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from shapeinspect.dims import Shape
from shapeinspect.frozen import Frozen
from shapeinspect.plugin_api.claims import Claim


@dataclass(frozen=True, slots=True)
class IndexOutside:
    """An index is outside the table that it is looked up in, or a label outside the classes.

    Args:
        largest: the largest index that is looked up.
        smallest: the smallest one.
        size: how many entries the table has.
        layer: the path of the layer that looks up, for a graph that the core walks; else empty.
    """

    largest: int
    smallest: int
    size: int
    layer: str = ""

    def fits(self, size: int, shift: int) -> bool:
        """Tell whether all indices are inside a table.

        Args:
            size: how many entries it has.
            shift: what is added to every index.
        """
        return self.smallest + shift >= 0 and self.largest + shift < size


@dataclass(frozen=True, slots=True)
class Indivisible:
    """A setting does not divide the lengths that it must divide.

    Args:
        setting: its name, such as ``groups``; the layer's attributes hold its value.
        lengths: the lengths that it must divide, by name, such as ``in_channels``.
    """

    setting: str
    lengths: Frozen[int]


@dataclass(frozen=True, slots=True)
class RaggedBatch:
    """The samples of one batch have different shapes.

    Args:
        first: the shape of the first sample.
        other: the shape of one that differs.
    """

    first: tuple[int, ...]
    other: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SeveralOutputs:
    """A model of several outputs is given one target.

    Args:
        names: the outputs.
    """

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SeveralInputs:
    """A model of several inputs is given one array.

    Args:
        names: the inputs.
    """

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TupleGiven:
    """A layer is given all outputs of another one, as a tuple."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The framework itself states what the layer takes.

    Args:
        cause: what is wrong, a key of the core's causes, such as ``rank``.
        expected: what the layer takes, in words.
        axes: how many axes the layer takes, where it is one number.
    """

    cause: str
    expected: str
    axes: int | None = None


@dataclass(frozen=True, slots=True)
class OtherType:
    """The dtype of a tensor is not the one that the call takes.

    Args:
        wants: the dtype that the call takes.
        has: the dtype of the tensor, with its shape where that helps.
        operand: which input of the call it is.
    """

    wants: str
    has: str
    operand: int = 0


@dataclass(frozen=True, slots=True)
class NotFed:
    """An input is not fed.

    Args:
        missing: the dtypes of the inputs that are not fed, by name.
        fed: the names that are fed.
        renamed: the input, and the name under which its array is probably fed; None where that is not clear.
    """

    missing: Frozen[str]
    fed: tuple[str, ...]
    renamed: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class UndeclaredShape:
    """An input is fed a shape other than the declared one.

    Args:
        declared: the shape that the model declares.
    """

    declared: Shape


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A file declares a shape that its own layers do not produce.

    Args:
        value: the value's name.
        declared: the shape that the file declares.
        computed: the shape that its layers produce.
    """

    value: str
    declared: Shape
    computed: Shape


@dataclass(frozen=True, slots=True)
class OtherWeights:
    """Stored weights have other shapes than the layers' own.

    Args:
        stored: the layers that differ: the path, and the stored shape of each role that differs.
        given: whether the user's own code sets them; else they come from a checkpoint.
        transposed: the axes whose permutation makes the stored weight fit, or None.
    """

    stored: tuple[tuple[str, tuple[tuple[str, tuple[int, ...]], ...]], ...]
    given: bool = False
    transposed: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Repair:
    """One way to load stored weights that the debugger has run.

    Args:
        cause: what is wrong if it is the right one, a key of the core's causes.
        code: what to write.
        rank: 0 for the likeliest; from 10 on it stands behind other sizes of single layers.
        alters: what it changes of the program's meaning, as a noun; empty for nothing.
    """

    cause: str
    code: str
    rank: int = 0
    alters: str = ""


@dataclass(frozen=True, slots=True)
class KeyedLoad:
    """Stored weights are refused that a framework loads by key, by name or by order.

    Args:
        cause: what is wrong, a key of the core's causes, for as long as no repair says more.
        why: what is known of it, a clause each.
        loaded: the keys that load as they are.
        skipped: the keys that fit and are not loaded, since the load stops before them.
        reshaped: the keys with other shapes: the stored shape and the model's own one.
        missing: keys that the model has and the checkpoint lacks.
        unexpected: keys that the checkpoint has and the model lacks.
        stored: the layers that differ in shape, as in :class:`OtherWeights`.
        repairs: what was run.
    """

    cause: str
    why: tuple[str, ...] = ()
    loaded: tuple[str, ...] = ()
    reshaped: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    stored: tuple[tuple[str, tuple[tuple[str, tuple[int, ...]], ...]], ...] = ()
    repairs: tuple[Repair, ...] = ()
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit of the user's own code that the debugger has found.

    Args:
        cause: what is wrong if it is the right one, a key of the core's causes; empty where that does not
            say it.
        code: what to write, and where.
        claim: what was run with it; None where it is run when it is tried, see ``plugin_api.rewriting``.
        alters: what it changes of the program's meaning, as a noun; empty for nothing.
        why: what it shows to be wrong, in the words of the user's code, a clause each.
    """

    cause: str
    code: str
    claim: Claim | None = None
    alters: str = ""
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Explained:
    """The framework's message and the user's own statement say together what is wrong.

    Args:
        cause: what is wrong, a key of the core's causes, for as long as no edit says more.
        expected: what the statement takes, a line each; None where the shapes say it.
        got: what it is given, a line each; None where the shapes say it.
        edits: what mends it, the likeliest first.
        because: where the sizes come from that do not fit, a sentence each.
    """

    cause: str
    expected: tuple[str, ...] | None = None
    got: tuple[str, ...] | None = None
    edits: tuple[Edit, ...] = ()
    because: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Overwritten:
    """A tensor that the gradient needs was overwritten in place.

    Args:
        shape: the tensor's shape.
        saved_by: the operation that saved it; None if unknown.
        saved_at: the user's source line of that operation.
        wrote: the operation that wrote into it.
        versions: how often it had been written to when it was saved, and when backward read it.
        weight: its name, if it is a weight.
        hint: what to do, where no edit could be tried.
        edits: how many edits of the user's code the debugger has tried with success.
    """

    shape: tuple[int, ...]
    saved_by: str | None = None
    saved_at: str | None = None
    wrote: str | None = None
    versions: tuple[int, int] | None = None
    weight: str | None = None
    hint: str = ""
    edits: int = 0


@dataclass(frozen=True, slots=True)
class OneValuePerChannel:
    """A normalization gets a single value per channel in training."""


@dataclass(frozen=True, slots=True)
class RowsCompared:
    """The call compares rows: both inputs need the same last axis, and any number of rows."""


@dataclass(frozen=True, slots=True)
class TooLong:
    """A length that is given as a number is larger than the sequence.

    Args:
        name: the parameter that holds the lengths.
        largest: the largest length in it.
        limit: the length of the sequence.
    """

    name: str
    largest: int
    limit: int


@dataclass(frozen=True, slots=True)
class BatchedMatrices:
    """The product takes a batch of matrices on each side, not vectors."""


Fact: TypeAlias = (
    IndexOutside
    | Indivisible
    | RaggedBatch
    | SeveralOutputs
    | SeveralInputs
    | TupleGiven
    | Refusal
    | OtherType
    | NotFed
    | UndeclaredShape
    | Contradiction
    | OtherWeights
    | KeyedLoad
    | Explained
    | Overwritten
    | OneValuePerChannel
    | RowsCompared
    | TooLong
    | BatchedMatrices
)
