"""Carries shapes into and out of the graphs inside a layer: branches, loops, scans.

The calls of such a graph stand among the model's own, behind the call of the layer. What a loop carries from
round to round may grow: a first walk takes it to stay as it is, and where a round proves otherwise the length
becomes a symbol, so that the next walk finds by how much each round adds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from shapeinspect.dims import UNKNOWN, Dim, Expr, Shape, Unknown, substitute, symbol, symbols
from shapeinspect.enclosing import Bodies
from shapeinspect.infer.sequences import common
from shapeinspect.ir import Block, Call, Model, Note

#: The most walks until what a loop carries is settled: as it is, growing by a length, unknown.
MAX_WALKS = 4
#: Kinds that hand a single number on, and how many of them are followed.
_HANDING_ON, _MOST_STEPS = frozenset({"identity", "cast", "squeeze", "unsqueeze", "reshape"}), 8

#: Of more rounds that all do another amount of work it is not added up.
_MOST_ROUNDS = 1024


class Walk(Protocol):
    """What a walk over the calls offers."""

    def shape(self, name: str) -> Shape | None:
        """Return the shape of a value so far.

        Args:
            name: the value's.
        """

    def number(self, name: str) -> Any:
        """Return the numbers of a value so far, or None.

        Args:
            name: the value's.
        """

    def settle(self, name: str, shape: Shape | None, numbers: Any = None) -> None:
        """Take what follows for a value, unless the source records it.

        Args:
            name: the value's.
            shape: its shape.
            numbers: its numbers, if they are known.
        """

    def hand_on(self, sources: Sequence[str], target: str) -> None:
        """Let a sequence hold what others do, of which it is one.

        Args:
            sources: the names of the others.
            target: its own name.
        """


@dataclass(slots=True)
class _Carried:
    """One state of a loop: what a round reads, and the symbols of the lengths that grow."""

    shape: Shape | None = None
    settled: bool = False
    letters: dict[int, str] = field(default_factory=dict)
    steps: dict[int, Dim] = field(default_factory=dict)


class Blocks:
    """The blocks of one model, with what is known of them after each walk.

    Args:
        model: the model.
    """

    def __init__(self, model: Model) -> None:
        self._enter: dict[int, list[Block]] = {}
        self._leave: dict[int, list[Block]] = {}
        self._carried: dict[tuple[str, int], _Carried] = {}
        self._grew = self._gave_up = False
        #: How many rounds each loop or scan runs; the branch that each If is known to take.
        self.rounds: dict[str, Dim] = {}
        self._steps: dict[str, Dim] = {}
        #: Of each loop the lengths that grow: what each is in the first round, and what a round adds.
        self.growing: dict[str, dict[str, tuple[Dim, Dim]]] = {}
        self.taken: dict[str, int] = {}
        self.blocks = model.blocks
        if not self.blocks:
            return
        self._fed = _Fed(model)
        starts: dict[str, int] = {}
        for index, call in enumerate(model.calls):
            starts.setdefault(call.layer, index)
        inside = _members(model.calls, self.blocks)
        for block in reversed(self.blocks):
            if block.layer in starts:
                start = starts[block.layer]
                last = max(
                    (inside[body.path][-1] for body in block.bodies if body.path in inside), default=start
                )
                self._enter.setdefault(start, []).insert(0, block)
                # A block inside another one stands behind it, and ends first.
                self._leave.setdefault(last + 1, []).append(block)

    def again(self) -> bool:
        """Tell whether the last walk showed that another one is needed, and forget it."""
        grew, self._grew = self._grew, False
        return grew

    def give_up(self) -> None:
        """Take the shapes of all states to be unknown, as some of them did not settle."""
        self._gave_up = True
        for carried in self._carried.values():
            carried.shape, carried.settled = None, True

    def before(self, index: int, walk: Walk) -> None:
        """Leave the blocks that end before a call, and enter those that it begins.

        Args:
            index: the call's; the number of calls for the end.
            walk: the walk.
        """
        for block in self._leave.get(index, ()):
            _LEAVE[block.kind](self, block, walk)
        for block in self._enter.get(index, ()):
            _ENTER[block.kind](self, block, walk)

    def _enter_if(self, block: Block, walk: Walk) -> None:
        """Read the condition, where the graph computes it from lengths."""
        self.taken.pop(block.layer, None)  # an earlier walk may have read another number
        condition = walk.number(block.inputs[0])
        if isinstance(condition, tuple) and len(condition) == 1:
            condition = condition[0]
        if isinstance(condition, bool | int):
            self.taken[block.layer] = 0 if condition else 1

    def _leave_if(self, block: Block, walk: Walk) -> None:
        """Give each output the shape of the branch that is taken, or what all branches agree on."""
        taken = self.taken.get(block.layer)
        for index, name in enumerate(block.outputs):
            made = [body.outputs[index] for body in block.bodies if index < len(body.outputs)]
            if taken is not None and taken < len(made):
                walk.settle(name, walk.shape(made[taken]), walk.number(made[taken]))
            else:
                walk.settle(name, common([walk.shape(source) for source in made]))
            walk.hand_on(made if taken is None else made[taken : taken + 1], name)

    def _enter_loop(self, block: Block, walk: Walk) -> None:
        """Give the body of a loop what its first round reads."""
        body = block.bodies[0]
        for name in body.inputs[:2]:
            walk.settle(name, ())
        for index, (outer, inner) in enumerate(zip(block.inputs[2:], body.inputs[2:], strict=False)):
            kept = inner == body.outputs[1 + index]
            start = self._read(block, index, walk.shape(outer))
            walk.settle(inner, start, walk.number(outer) if kept else None)
            walk.hand_on((outer,), inner)

    def _leave_loop(self, block: Block, walk: Walk) -> None:
        """Give the outputs of a loop what its last round and all rounds made."""
        body, states = block.bodies[0], block.states
        rounds = self._rounds_of_loop(block, walk)
        own: set[str] = set()
        for index in range(states):
            self._compare(
                block, index, walk.shape(body.inputs[2 + index]), walk.shape(body.outputs[1 + index])
            )
            own.update(self._carried[block.layer, index].letters.values())
            self._note_growth(block, index, walk.shape(block.inputs[2 + index]))
        for index, name in enumerate(block.outputs[:states]):
            start = walk.shape(block.inputs[2 + index])
            walk.settle(
                name, self._after(block, index, start, walk.shape(body.outputs[1 + index]), rounds, own)
            )
            walk.hand_on((block.inputs[2 + index], body.outputs[1 + index]), name)
        for source, name in zip(body.outputs[1 + states :], block.outputs[states:], strict=False):
            shape = walk.shape(source)
            walk.settle(name, None if shape is None else (rounds, *_without(shape, own)))

    def _note_growth(self, block: Block, index: int, start: Shape | None) -> None:
        """Keep how the lengths of a state grow, for the work of all rounds."""
        carried = self._carried[block.layer, index]
        growing = self.growing.setdefault(block.layer, {})
        for axis, letter in carried.letters.items():
            begin = start[axis] if start is not None and axis < len(start) else UNKNOWN
            growing[letter] = (begin, carried.steps.get(axis, UNKNOWN))

    def _enter_scan(self, block: Block, walk: Walk) -> None:
        """Give the body of a scan its states, and one entry of each scanned input."""
        body, states = block.bodies[0], block.states
        rounds: Dim = UNKNOWN
        for index, (outer, inner) in enumerate(zip(block.inputs, body.inputs, strict=False)):
            shape = walk.shape(outer)
            if block.batched:
                shape = shape[1:] if shape else None
            if index >= states and shape is not None:
                axis = _axis(block.input_axes, index - states, len(shape))
                if axis is None:
                    continue
                walk.settle(inner, (*shape[:axis], *shape[axis + 1 :]))
                rounds = shape[axis] if isinstance(rounds, Unknown) else rounds
            elif index < states:
                walk.settle(inner, shape)
        self._steps[block.layer] = rounds
        self.rounds[block.layer] = rounds * self._batch(block, walk)

    def _batch(self, block: Block, walk: Walk) -> Dim:
        """Return how many sequences a scan with a batch axis reads."""
        shapes = [walk.shape(name) for name in block.inputs] if block.batched else [(1,)]
        known = [shape[0] for shape in shapes if shape and not isinstance(shape[0], Unknown)]
        return known[0] if known else UNKNOWN

    def _leave_scan(self, block: Block, walk: Walk) -> None:
        """Give the outputs of a scan its last states, and what all rounds made."""
        body, states = block.bodies[0], block.states
        rounds = self._steps.get(block.layer, UNKNOWN)
        batch = (self._batch(block, walk),) if block.batched else ()
        for index, (source, name) in enumerate(zip(body.outputs, block.outputs, strict=False)):
            shape = walk.shape(source)
            if index >= states and shape is not None:
                axis = _axis(block.output_axes, index - states, len(shape) + 1)
                shape = None if axis is None else (*shape[:axis], rounds, *shape[axis:])
            walk.settle(name, None if shape is None else (*batch, *shape))

    def _run_map(self, block: Block, _walk: Walk) -> None:
        """Leave what is recorded of the body; how often it runs is unknown."""
        self.rounds[block.layer] = UNKNOWN

    def _rounds_of_loop(self, block: Block, walk: Walk) -> Dim:
        number = walk.number(block.inputs[0]) if block.inputs[0] else None
        if isinstance(number, tuple) and len(number) == 1:
            number = number[0]
        if number is None and block.inputs[0]:
            number = self._fed.number(block.inputs[0])
        rounds: Dim = UNKNOWN
        if self._is_counted(block, walk) and isinstance(number, int | Expr) and not isinstance(number, bool):
            rounds = max(number, 0) if isinstance(number, int) else number
        self.rounds[block.layer] = rounds
        return rounds

    def _is_counted(self, block: Block, walk: Walk) -> bool:
        """Tell whether the condition of a loop is true from the first round to the last."""
        begins = walk.number(block.inputs[1]) if block.kept and block.inputs[1] else None
        if isinstance(begins, tuple) and len(begins) == 1:
            begins = begins[0]
        return block.counted or (isinstance(begins, int) and bool(begins))

    def _read(self, block: Block, index: int, start: Shape | None) -> Shape | None:
        carried = self._carried.setdefault((block.layer, index), _Carried())
        if not carried.settled:
            carried.shape = start
        return carried.shape

    def _compare(self, block: Block, index: int, read: Shape | None, made: Shape | None) -> None:
        """Compare what a round reads with what it hands on."""
        carried = self._carried.setdefault((block.layer, index), _Carried())
        if self._gave_up or read is None or made is None or read == made:
            return
        if len(read) != len(made):
            self._grew |= carried.shape is not None
            carried.shape, carried.settled = None, True
            return
        shape = list(read)
        for axis, (old, new) in enumerate(zip(read, made, strict=True)):
            letter = carried.letters.get(axis)
            if old == new or isinstance(old, Unknown):
                continue
            if letter is None:
                carried.letters[axis] = letter = _letter(block.bodies[0].inputs[2 + index], axis)
                shape[axis] = symbol(letter)
                self._grew = True
                continue
            step = new - old
            if isinstance(step, Unknown) or (isinstance(step, Expr) and letter in symbols(step)):
                del carried.letters[axis]
                shape[axis] = UNKNOWN
                self._grew = True
            else:
                carried.steps[axis] = step
        carried.shape, carried.settled = tuple(shape), True

    def _after(
        self,
        block: Block,
        index: int,
        start: Shape | None,
        made: Shape | None,
        rounds: Dim,
        own: set[str],
    ) -> Shape | None:
        """Return the shape of a state after the last round."""
        carried = self._carried[block.layer, index]
        if self._gave_up or made is None or (carried.settled and carried.shape is None):
            return None
        result = []
        for axis, length in enumerate(_without(made, own)):
            step = carried.steps.get(axis)
            if axis in carried.letters and step is not None and start is not None and len(start) == len(made):
                grown = not isinstance(step, int) and symbols(step) & own
                result.append(UNKNOWN if grown else start[axis] + rounds * step)
                continue
            result.append(length)
        return tuple(result)


class _Fed:
    """The numbers that a model is fed as inputs: each is a symbol of its own, under the input's name."""

    def __init__(self, model: Model) -> None:
        self._inputs = frozenset(model.inputs)
        kinds = {layer.path: layer.kind for layer in model.layers}
        self._before = {
            call.outputs[0]: call.inputs[0]
            for call in model.calls
            if len(call.outputs) == 1 and call.inputs and kinds.get(call.layer) in _HANDING_ON
        }
        #: The names that stand for lengths.
        self._taken = {
            name
            for value in model.values.values()
            for dim in value.shape or ()
            if isinstance(dim, Expr)
            for name in symbols(dim)
        }

    def number(self, name: str) -> Expr | None:
        """Return the symbol of the input that a value is; None where it is something else.

        Args:
            name: the value's.
        """
        for _ in range(_MOST_STEPS):
            if name in self._inputs:
                letter = re.sub(r"[^A-Za-z0-9_]", "_", name)
                letter = letter if letter[:1].isalpha() else f"n_{letter}"
                return symbol(f"{letter}_value" if letter in self._taken else letter)
            if name not in self._before:
                return None
            name = self._before[name]
        return None


def _without(shape: Shape, own: Iterable[str]) -> Shape:
    """Return a shape without the lengths that change from round to round."""
    letters = frozenset(own)
    return tuple(UNKNOWN if not isinstance(n, int | Unknown) and symbols(n) & letters else n for n in shape)


def _axis(axes: tuple[int, ...], index: int, rank: int) -> int | None:
    """Return an axis counted from the front; None where there is no such axis."""
    axis = axes[index] if index < len(axes) else 0
    return axis % rank if -rank <= axis < rank else None


def _letter(name: str, axis: int) -> str:
    return f"{re.sub(r'[^A-Za-z0-9_]', '_', name.rpartition('/')[2]) or 'state'}_{axis}"


_ENTER = {
    "if": Blocks._enter_if,
    "loop": Blocks._enter_loop,
    "scan": Blocks._enter_scan,
    "map": Blocks._run_map,
}
_LEAVE = {
    "if": Blocks._leave_if,
    "loop": Blocks._leave_loop,
    "scan": Blocks._leave_scan,
    "map": Blocks._run_map,
}


def _members(calls: Iterable[Call], blocks: Iterable[Block]) -> dict[str, list[int]]:
    """Return which calls stand in each body, at any depth, by the body's path."""
    bodies = Bodies(body.path for block in blocks for body in block.bodies)
    inside: dict[str, list[int]] = {}
    for index, call in enumerate(calls):
        for path in bodies.around(call.layer):
            inside.setdefault(path, []).append(index)
    return inside


def count_rounds(calls: tuple[Call, ...], blocks: Blocks) -> tuple[tuple[Call, ...], tuple[Note, ...]]:
    """Multiply the work of the calls in each loop by its rounds, and set aside all branches but one.

    Args:
        calls: the calls, each with the work of one round.
        blocks: the blocks after the last walk.

    Returns:
        the calls, and a note for each If of whose branches the one with more work counts.
    """
    notes: list[Note] = []
    counted = list(calls)
    inside = _members(calls, blocks.blocks)
    for block in reversed(blocks.blocks):
        members = [inside.get(body.path, []) for body in block.bodies]
        if block.kind == "if":
            notes += _one_branch(counted, block, members, blocks.taken.get(block.layer))
            continue
        rounds = blocks.rounds.get(block.layer, UNKNOWN)
        growing = blocks.growing.get(block.layer, {})
        for index in members[0]:
            counted[index] = _times(counted[index], rounds, growing)
    return tuple(counted), tuple(notes)


def _times(call: Call, rounds: Dim, growing: Mapping[str, tuple[Dim, Dim]]) -> Call:
    if call.macs is None or call.macs == 0:
        return call
    if isinstance(call.macs, Expr) and symbols(call.macs) & growing.keys():
        return replace(call, macs=_of_all_rounds(call.macs, rounds, growing))
    return replace(call, macs=None if isinstance(rounds, Unknown) else call.macs * rounds)


def _of_all_rounds(once: Expr, rounds: Dim, growing: Mapping[str, tuple[Dim, Dim]]) -> Dim | None:
    """Add up the work of a loop's rounds, of which each does another amount."""
    if not isinstance(rounds, int) or rounds > _MOST_ROUNDS:
        return None
    read = {name: growing[name] for name in symbols(once) & growing.keys()}
    for begin, step in read.values():
        if isinstance(begin, Unknown) or isinstance(step, Unknown) or symbols(step) & growing.keys():
            return None  # a length that grows by one that grows is no multiple of it
    total: Dim = 0
    for number in range(rounds):
        lengths = {name: begin + number * step for name, (begin, step) in read.items()}
        total = total + substitute(once, lengths)
    return total


def _one_branch(
    calls: list[Call], block: Block, members: list[list[int]], taken: int | None
) -> tuple[Note, ...]:
    """Set aside the branches that do not count, in place."""
    sums = [_sum(calls[index] for index in each if not calls[index].spare) for each in members]
    notes: tuple[Note, ...] = ()
    if taken is None:
        taken = _larger(sums)
        if sums[0] != sums[-1]:
            name = block.bodies[taken].path.rpartition("/")[2]
            known = all(calls[index].macs is not None for each in members for index in each)
            more = "more work" if known else "more work as far as it is known"
            notes = (Note(f"totals count one branch, {name}, which does {more}", block.layer),)
    for branch, each in enumerate(members):
        for index in each if branch != taken else ():
            calls[index] = replace(calls[index], spare=True)
    return notes


def _sum(calls: Iterable[Call]) -> Dim:
    total: Dim = 0
    for call in calls:
        more = UNKNOWN if call.macs is None else total + call.macs
        total = total if isinstance(more, Unknown) else more
    return total


def _larger(sums: list[Dim]) -> int:
    """Return which branch does the most work; of symbols all are taken to be equally long."""

    def size(amount: Dim) -> int:
        if isinstance(amount, int):
            return amount
        return sum(factor for _, factor in amount.terms) if isinstance(amount, Expr) else -1

    return max(range(len(sums)), key=lambda index: size(sums[index]))
