"""Adds what loops and branches run: the layers of their graphs, and how often they run.

Source: https://www.tensorflow.org/api_docs/python/tf/raw_ops: ``While``, ``If``, ``Case``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from shapeinspect.ir import Block, Body, Call, Layer, Note, Value
from shapeinspect_tensorflow.graph.evaluate import Numbers
from shapeinspect_tensorflow.graph.flow import CASES, CHOICES, LOOPS, Branch, Loop, Ref, Step
from shapeinspect_tensorflow.graph.ops import SETTINGS
from shapeinspect_tensorflow.graph.rounds import UNCOUNTED, Rounds, rounds
from shapeinspect_tensorflow.graph.state import State


class Bodies:
    """Adds the graphs inside of layers to a model.

    Args:
        state: what is known of the graph.
        numbers: returns the integers that a value is, as far as they are known.
        add: adds the layers that compute some values and whose paths begin with a text.
    """

    def __init__(
        self,
        state: State,
        numbers: Callable[[Ref], Numbers | None],
        add: Callable[[Sequence[Ref], str], None],
    ) -> None:
        self._state, self._numbers, self._add = state, numbers, add

    def add(self, step: Step) -> bool:
        """Add a node that runs graphs of its own, and these.

        Args:
            step: the node.

        Returns:
            whether it is one whose graphs can be read.
        """
        work = _WORK.get(step.node.op)
        return work is not None and work(self, step)

    def _loop(self, step: Step) -> bool:
        """Add a loop with the graph of its rounds; return whether that can be read."""
        body = self._state.flow.loop(step.path)
        if body is None:
            return False
        condition = self._state.flow.condition(step.path)
        count = rounds(step, body, condition, self._state.at, self._numbers, self._state.fed.__contains__)
        shown = condition if count is None else None
        places = self._carried(step, body, shown)
        names = self._block_layer(step, places, [step.inputs[place] for place in places])
        self._name_states(step, body)
        inner = [self._inner(body.values[place], step.inputs[place]) for place in places]
        blocks = self._state.parts.blocks
        first = len(blocks)  # a block stands before those inside of it
        made = self._body(body.root, [body.outputs[place] for place in places])
        self._typed(names, made)
        given = [self._name_of(step.inputs[place]) for place in places]
        block = Block(
            step.path, "loop", (Body(body.root, ("", "", *inner), ("", *made)),),
            (self._count_of(step.path, count), "", *given), names, len(places), counted=count is not None,
        )  # fmt: skip
        blocks.insert(first, block)
        if shown is not None:
            first = len(blocks)
            ends = self._body(shown.root, shown.outputs)
            blocks.insert(first, Block(step.path, "map", (Body(shown.root, (), ends),), (), ()))
        if count is None:
            self._state.parts.notes.append(Note(UNCOUNTED, step.path))
        return True

    def _choice(self, step: Step) -> bool:
        """Add a choice with the graphs of its branches; return whether these can be read."""
        branches = self._state.flow.branches(step.path)
        if len(branches) < 2 or not step.inputs:
            return False
        places = [
            place for place in range(len(branches[0].outputs)) if Ref(step.path, place) in self._state.read
        ]
        read = [ref for ref in step.inputs if ref is not None and ref not in self._state.held]
        names = self._block_layer(step, places, read)
        bodies, first = [], len(self._state.parts.blocks)
        for branch in branches:
            made = self._body(branch.root, [branch.outputs[place] for place in places])
            self._typed(names, made)
            bodies.append(Body(branch.root, (), made))
        asked = "" if step.node.op in CASES else self._name_of(step.inputs[0])
        self._state.parts.blocks.insert(first, Block(step.path, "if", tuple(bodies), (asked,), names))
        return True

    def _carried(self, step: Step, body: Loop, condition: Branch | None) -> list[int]:
        """Return the places of the values of a loop that are read behind it, or that these depend on."""
        places = {value: place for place, value in enumerate(body.values) if value is not None}
        wanted = {place for place in places.values() if Ref(step.path, place) in self._state.read}
        asked = [] if condition is None else [ref for ref in condition.outputs if ref is not None]
        read = self._states(asked, places, f"{step.path}/cond")
        done: set[int] = set()
        while new := (wanted | read) - done:
            done |= new
            made = [ref for place in new if (ref := body.outputs[place]) is not None]
            read = self._states(made, places, body.root)
        return sorted(done)

    def _states(self, outputs: Sequence[Ref], places: Mapping[Ref, int], within: str) -> set[int]:
        """Return the places of the values of a loop that some of its values are computed from."""
        read = set(outputs)
        for one in self._state.flow.steps(outputs, SETTINGS, within):
            read.update(one.operands(SETTINGS))
        return {places[ref] for ref in read if ref in places}

    def _block_layer(
        self, step: Step, places: Sequence[int], inputs: Sequence[Ref | None]
    ) -> tuple[str, ...]:
        """Add the layer that runs other graphs, and return the names of its outputs."""
        self._state.parts.layers.append(Layer(step.path, "module", step.node.op, tuple(step.path.split("/"))))
        names = []
        for place in places:
            ref = Ref(step.path, place)
            name = self._state.value(ref)
            recorded = self._state.recorded(step, place)
            self._state.shapes[ref] = self._state.named[name] = recorded
            self._state.parts.values[name] = Value(name, recorded)
            names.append(name)
        self._state.shapes.setdefault(Ref(step.path), self._state.recorded(step, 0))
        given = tuple(
            self._state.value(ref) for ref in inputs if ref is not None and ref not in self._state.held
        )
        listed = dict(zip(places, names, strict=True))
        outputs = (listed.get(place, "") for place in range(max(places, default=-1) + 1))
        self._state.parts.calls.append(Call(step.path, given, tuple(outputs)))
        return tuple(names)

    def _body(self, root: str, outputs: Sequence[Ref | None]) -> tuple[str, ...]:
        """Add the layers of a graph inside a layer, and return the names of its outputs."""
        self._add([ref for ref in outputs if ref is not None], root)
        return tuple(self._name_of(ref) for ref in outputs)

    def _name_states(self, step: Step, body: Loop) -> None:
        """Name what changes in a loop as its body does."""
        around = step.node.name.replace("/", "_") + "_"
        for value in body.values:
            if value is not None and value not in self._state.names:
                own = value.path.rpartition("/")[2].removesuffix(" (loop)").removeprefix(around)
                name = f"{body.root}/{own}"
                self._state.names[value] = value.path if name in self._state.parts.values else name

    def _inner(self, value: Ref | None, start: Ref | None) -> str:
        """Add a value that a round of a loop reads, and return its name."""
        if value is None:
            return ""
        shape = self._state.shapes[value] = self._state.recorded(self._state.at(value), 0)
        given = None if start is None else self._state.parts.values.get(self._state.value(start))
        name = self._state.value(value)
        if given is not None and given.name in self._state.listed:
            self._state.listed.add(name)
            shape = None
        self._state.named[name] = shape
        self._state.parts.values[name] = Value(name, shape, None if given is None else given.dtype)
        return name

    def _name_of(self, ref: Ref | None) -> str:
        return "" if ref is None else self._state.value(self._state.unrolled.at(ref))

    def _typed(self, names: Sequence[str], made: Sequence[str]) -> None:
        """Give outputs the element types of what they come from."""
        values = self._state.parts.values
        for name, source in zip(names, made, strict=True):
            if source in self._state.listed:
                self._state.listed.add(name)
                values[name] = replace(values[name], shape=None)
            elif source and values[name].dtype is None:
                values[name] = replace(values[name], dtype=values[source].dtype)

    def _count_of(self, path: str, count: Rounds | None) -> str:
        """Return the name of the value that says how often a loop runs."""
        if count is None:
            return ""
        if (
            count.value is not None
            and count.value not in self._state.held
            and count.value in self._state.shapes
        ):
            return self._state.value(count.value)
        name = f"{path} (rounds)"
        self._state.parts.values[name] = Value(name, (), "int32", constant=count.count)
        return name


#: What adds each operator that runs graphs of its own.
_WORK: Mapping[str, Callable[[Bodies, Step], bool]] = {
    **dict.fromkeys(LOOPS, Bodies._loop),
    **dict.fromkeys(CHOICES, Bodies._choice),
}
