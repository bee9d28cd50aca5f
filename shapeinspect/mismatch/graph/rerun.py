"""Runs a recorded graph again by the arithmetic of shapes, with changes; no framework takes part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from shapeinspect import progress
from shapeinspect.dims import Shape, known
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.frozen import Frozen
from shapeinspect.infer.doubts import Doubts, contradicts
from shapeinspect.infer.kernels import check_kernel
from shapeinspect.infer.settings import attributes_of, input_names, inputs_of
from shapeinspect.ir import Call, Layer, Model, Note, Value
from shapeinspect.mismatch.graph.recorded_doubts import UNKNOWN_INDICES, as_far_as_known, doubted_calls
from shapeinspect.mismatch.graph.regions import region_of
from shapeinspect.mismatch.graph.walked_shapes import at, check_batch, stepped
from shapeinspect.mismatch.sizes.loss_shapes import is_loss, loss_fits
from shapeinspect.mismatch.sizes.open_batch import batch_of, counted, marked, opened, worded
from shapeinspect.plugin_api.changes import (
    Change,
    OnCall,
    OnDeclaration,
    OnInput,
    OnLayer,
    OnOperand,
    Wording,
)
from shapeinspect.plugin_api.claims import Claim
from shapeinspect.plugin_api.facts import Contradiction, IndexOutside, UndeclaredShape
from shapeinspect.plugin_api.regions import Place, Region
from shapeinspect.plugin_api.rerun import COMPUTED, Failure, Recorded, Rerun
from shapeinspect.rules import has_rule, output_shapes
from shapeinspect.rules.rule import unlike
from shapeinspect.rules.shape_targets import TARGETS
from shapeinspect.rules.shape_values import contents, cut

# What a step or a formula raises on lengths that it does not fit.
_UNFIT = (ValueError, TypeError, KeyError, IndexError, ArithmeticError)


def walk_again(recorded: Recorded) -> Rerun | None:
    """Return the failed call of a recorded graph, or None if its shapes fit after all.

    Args:
        recorded: the graph and what it was fed.
    """
    rerun = Walked(recorded)
    return rerun if rerun.reproduce() else None


def walked_model(recorded: Recorded) -> Model:
    """Return a graph that fits, with the shapes that a walk gives its values.

    Args:
        recorded: the graph and what it is fed.
    """
    rerun = Walked(recorded)
    shapes = rerun.shapes()
    model = recorded.model
    values = {
        name: replace(value, shape=shapes.get(name, value.shape)) for name, value in model.values.items()
    }
    return replace(model, values=Frozen(values), notes=rerun.doubts())


def unchecked(model: Model) -> tuple[str, ...]:
    """Return the layers whose output is not known after a walk, so that nothing behind them is checked.

    Args:
        model: a walked model.
    """
    return tuple(
        call.layer
        for call in model.calls
        if any(name and model.values[name].shape is None for name in call.outputs if name in model.values)
    )


@dataclass(slots=True)
class _Run:
    """The shapes so far, and the numbers of small tensors with which the graph computes shapes."""

    shapes: dict[str, Shape | None]
    done: list[Call] = field(default_factory=list)
    #: Whether what was inferred of other values still counts: nothing of it was wrong so far.
    inferred: bool = True
    numbers: dict[str, Any] = field(default_factory=dict)


#: The settings that say how many entries or classes there are.
_SIZES = ("num_embeddings", "out_features", "out_channels")


class Walked(Rerun):
    """A recorded graph and what it was fed.

    Args:
        recorded: both.
    """

    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded
        self.confirms = recorded.confirm is not None and recorded.refuses == "shape" and bool(recorded.fed)
        self.second = recorded.second
        self._model = _with_weights(recorded.model)
        self._layers = {layer.path: layer for layer in self._model.layers}
        self._failed: int | None = None
        self._batch = batch_of(
            recorded.fed.get(name, self._model.values[name].shape) for name in self._model.inputs
        )
        self._recorded_batch = batch_of(self._model.values[name].shape for name in self._model.inputs).dim
        self._doubted = doubted_calls(recorded, self._model)
        self._overruled = Doubts()
        self._confirmed: set[tuple[Change, ...]] = set()
        #: Changes of earlier failures, which are part of every walk.
        self._base: tuple[Change, ...] = ()

    def doubts(self) -> tuple[Note, ...]:
        """Return notes on rules that contradict what the framework computed, and on who was overruled."""
        in_doubt = (Note(text, self._model.calls[index].layer) for index, text in self._doubted.items())
        return (*in_doubt, *self._overruled.notes())

    def reproduce(self) -> bool:
        """Walk the graph as it is; fill in ``failure`` and tell whether it ends in one."""
        failure = self._walk(())
        if failure is None and self._known_to_fail():
            failure = self._known_failure()
        if failure is None:
            return False
        self.failure = replace(failure, told=self._recorded.told, cause=self._recorded.cause)
        if self._recorded.retell is not None:
            self.second = partial(self._recorded.retell, self.failure)
        return True

    def _known_to_fail(self) -> str:
        """Return the layer that fails for another reason than its shapes, or an empty text."""
        fact = self._recorded.fact
        return self._recorded.refused or (fact.layer if isinstance(fact, IndexOutside) else "")

    def _known_failure(self) -> Failure | None:
        """Return the failure that the numbers alone, or the framework itself, can prove."""
        for index, call in enumerate(self._model.calls):
            if call.layer == self._known_to_fail():
                self._failed = index
                run = _Run({})
                self._walk((), run)
                run.done = list(self._model.calls[:index])
                layer = self._layers[call.layer]
                failure = self._failure(layer, call, inputs_of(layer, call, run.shapes), run, "")
                return replace(failure, fact=self._recorded.fact)
        return None

    def attempt(self, changes: Sequence[Change]) -> Failure | None:
        """Walk the graph with changes; see ``shapeinspect.plugin_api.rerun.Rerun``."""
        fact = self._recorded.fact
        if isinstance(fact, IndexOutside) and fact.layer:
            size, shift = fact.size, 0
            for change in changes:
                if isinstance(change, OnLayer):
                    size = max((change.attributes.get(name, 0) for name in _SIZES), default=0)
                for step, by in change.steps if isinstance(change, OnInput | OnOperand) else ():
                    shift += by if step == "shift" else 0
            if not fact.fits(size, shift):
                return self.failure
        steps = {
            step for change in changes if isinstance(change, OnInput | OnOperand) for step, _ in change.steps
        }
        if self._recorded.steps and not steps <= self._recorded.steps:
            return self.failure  # the framework has no words for it
        changes = (*self._base, *changes)
        try:
            ended = self._walk(changes)
        except _UNFIT:
            return self.failure
        confirm, passes = self._recorded.confirm, ended is None and not self._recorded.refused
        # With other settings the layers behind follow, which the arithmetic does not know.
        if confirm is not None and (ended is None or all(isinstance(change, OnLayer) for change in changes)):
            taken = confirm(tuple(map(self._on_its_layer, changes)))
            passes = passes if taken is None else taken
            if taken:
                self._confirmed.add(changes)
        return None if passes else ended or self.failure

    def _on_its_layer(self, change: Change) -> Change:
        """Return a change of the failed call as one of its layer, which a framework finds by its path."""
        if not isinstance(change, OnCall) or self._failed is None:
            return change
        return OnLayer(self._model.calls[self._failed].layer, change.attributes)

    def claim(self, changes: Sequence[Change]) -> Claim:
        """Tell whether the framework itself took the changes, or only the arithmetic did.

        Args:
            changes: the changes, as they were last given to ``attempt``.
        """
        if (*self._base, *changes) in self._confirmed:
            return self._recorded.confirmed
        claim = self._recorded.claim
        if claim is not COMPUTED or self._failed is None:
            return claim
        if isinstance(self._recorded.fact, IndexOutside):
            return UNKNOWN_INDICES
        run = _Run({})
        self._walk((*self._base, *changes), run)
        return as_far_as_known(claim, self._model, self._failed, run.shapes)

    def insists(self) -> frozenset[Place]:
        """Return the axes whose length the model declares, where the framework insists on that."""
        if self._recorded.refuses != "shape":
            return frozenset()
        declared = [self._model.values[name].shape or () for name in self._model.inputs]
        return frozenset(
            (index, axis)
            for index, shape in enumerate(declared)
            for axis, length in enumerate(shape)
            if isinstance(length, int)
        )

    def region(self, lengths: Mapping[Place, tuple[str, int]]) -> Region | None:
        """Run the graph at all sizes at once; see ``Rerun``.

        Args:
            lengths: of an input, by its number, and an axis: the name of its length and the number now.
        """
        if self._base or self._recorded.refused or self._recorded.fact is not None:
            return None
        return region_of(self._model, self._start(()), lengths, self._recorded.refuses == "shape")

    def continued(self, changes: Sequence[Change]) -> Walked | None:
        """Walk the graph with changes, up to the next failure; see ``Rerun``.

        Args:
            changes: they belong to every run of the call that is returned.
        """
        if not all(isinstance(change, OnInput | OnOperand | OnLayer) for change in changes):
            return None
        following, run = Walked(self._recorded), _Run({})
        following._base = (*self._base, *(self._anchored(change) for change in changes))
        try:
            failure = following._walk(following._base, run)
        except _UNFIT:
            return None
        if failure is None:
            return None
        following._failed = None if failure.layer.kind == "input" else len(run.done)
        following.failure = replace(failure, fact=None, message="")
        return following

    def _anchored(self, change: Change) -> Change:
        """Return the change with the failed call written out."""
        if isinstance(change, OnOperand) and change.call is None and self._failed is not None:
            return replace(change, call=self._failed)
        return change

    def spell(self, change: Wording, name: str) -> str:
        """Write a change in the words of the framework that recorded the graph."""
        return self._recorded.spell(change, name)

    def shapes(self) -> dict[str, Shape | None]:
        """Return the shape of every value after a complete walk."""
        run = _Run({})
        self._walk((), run)
        return {name: opened(shape, self._batch) for name, shape in run.shapes.items()}

    def _walk(self, changes: tuple[Change, ...], run: _Run | None = None) -> Failure | None:
        run = run or _Run({})
        run.shapes.update(self._start(changes))
        computed = {name for call in self._model.calls for name in call.outputs}
        run.numbers.update(
            (name, value.constant)
            for name, value in self._model.values.items()
            if value.constant is not None and name not in computed
        )
        for name in self._model.inputs:
            failure = self._unfed(name, run)
            if failure is not None:
                return failure
        settings = {change.path: change.attributes for change in changes if isinstance(change, OnLayer)}
        for index, call in enumerate(progress.counted(self._model.calls, "walking calls")):
            layer = self._layers.get(call.layer)
            if layer is None or layer.kind in ("module", "input"):
                run.done.append(call)
                continue
            if layer.path in settings:
                layer = replace(layer, attributes=Frozen({**layer.attributes, **settings[layer.path]}))
            given = self._given(index, layer, call, run, changes)
            if index in self._doubted and layer.path not in settings:
                self._fill(call, self._as_recorded(call, given), run, changed=True)
                run.done.append(call)
                continue
            try:
                outputs = self._outputs(layer, call, given, changes, run)
            except ShapeMismatchError as error:
                if call.conditional:  # it may be a branch that this input does not take
                    self._fill(call, (None,) * len(call.outputs), run, bool(changes))
                    run.done.append(call)
                    continue
                if not changes:
                    self._failed = index
                return self._failure(layer, call, given, run, worded(str(error), self._batch))
            failure = self._declared(layer, call, outputs, run, changes)
            if failure is not None:
                return failure
            self._fill(call, outputs, run, bool(changes))
            run.done.append(call)
        return None

    def _as_recorded(self, call: Call, given: tuple[Shape | None, ...]) -> tuple[Shape | None, ...]:
        """Return the recorded outputs of a call, for the inputs that they were recorded for."""
        values, layer = self._model.values, self._layers[call.layer]
        recorded = inputs_of(layer, call, {name: value.shape for name, value in values.items()})
        batch = given[0][0] if given and given[0] else self._batch
        fed = {str(self._recorded_batch): batch}
        same = list(given) == [at(shape, fed) for shape in recorded]
        return tuple(
            at(values[name].shape, fed) if same and name in values else None for name in call.outputs
        )

    def _start(self, changes: tuple[Change, ...]) -> dict[str, Shape | None]:
        shapes: dict[str, Shape | None] = {}
        computed = {name for call in self._model.calls for name in call.outputs}
        for name, value in self._model.values.items():
            if name not in computed or value.constant is not None:
                shapes[name] = value.shape if self._model.inputs else counted(value.shape, self._batch)
        for name in self._model.inputs:
            given = self._recorded.fed.get(name, self._model.values[name].shape)
            shapes[name] = counted(given, self._batch)
        for change in changes:
            if isinstance(change, OnInput):
                shapes[change.name] = stepped(shapes[change.name], change.steps)
        return shapes

    def _unfed(self, name: str, run: _Run) -> Failure | None:
        """Compare what is fed with what the model declares."""
        declared, fed = self._model.values[name].shape, run.shapes[name]
        if declared is None or fed is None or name not in self._recorded.fed or not self._recorded.refuses:
            return None
        differs = self._recorded.refuses == "shape" and any(map(unlike, declared, fed))
        if len(declared) == len(fed) and not differs:
            return None
        layer = Layer(name, "input", "input")
        failure = self._failure(layer, Call(name, (name,), ()), (fed,), run, "")
        model = replace(failure.model, calls=self._model.calls)
        fact = UndeclaredShape(declared)
        return replace(failure, model=model, fact=fact, declares=Frozen())

    def _given(
        self, index: int, layer: Layer, call: Call, run: _Run, changes: tuple[Change, ...]
    ) -> tuple[Shape | None, ...]:
        given = list(inputs_of(layer, call, run.shapes))
        for change in changes:
            if isinstance(change, OnOperand) and index == (
                self._failed if change.call is None else change.call
            ):
                given[change.operand] = stepped(given[change.operand], change.steps)
        return tuple(given)

    def _outputs(
        self,
        layer: Layer,
        call: Call,
        given: tuple[Shape | None, ...],
        changes: tuple[Change, ...],
        run: _Run,
    ) -> tuple[Shape | None, ...]:
        attributes: Mapping[str, Any] = attributes_of(layer, call, self._read(layer, call, run))
        for change in changes:
            if isinstance(change, OnCall) and self._model.calls.index(call) == self._failed:
                attributes = {**attributes, **change.attributes}
        if is_loss(layer):
            loss_fits(replace(layer, attributes=Frozen(attributes)), given)
            return ((),)
        if self._recorded.batched:
            check_batch(layer, given)
        check_kernel(layer)
        if not has_rule(layer.kind):
            return (None,)
        if len(call.outputs) == 1:
            read = tuple([run.numbers.get(name) for name in input_names(layer, call)])
            value = self._model.values.get(call.outputs[0])
            numbers = contents(layer.kind, attributes, given, read, None if value is None else value.dtype)
            if numbers is not None:
                run.numbers[call.outputs[0]] = numbers
        outputs = output_shapes(layer.kind, attributes, given)
        if layer.kind == "split" and call.inputs:
            run.numbers.update(zip(call.outputs, cut(run.numbers.get(call.inputs[0]), outputs), strict=False))
        return outputs

    def _read(self, layer: Layer, call: Call, run: _Run) -> Mapping[str, Value]:
        """Return the values that a call reads, with the numbers that were computed so far."""
        values = self._model.values
        if layer.kind not in TARGETS or not any(name in run.numbers for name in call.inputs):
            return values
        return {
            name: replace(values[name], shape=run.shapes.get(name), constant=run.numbers.get(name))
            for name in call.inputs
            if name in values
        }

    def _declared(
        self,
        layer: Layer,
        call: Call,
        outputs: tuple[Shape | None, ...],
        run: _Run,
        changes: tuple[Change, ...],
    ) -> Failure | None:
        """Compare what the model declares for a value with what its layer produces."""
        if not self._recorded.contract:
            return None
        moved = any(not isinstance(change, OnCall | OnDeclaration) for change in changes)
        agreed = [change.shape for change in changes if isinstance(change, OnDeclaration)]
        for name, shape in zip(call.outputs, outputs, strict=False):
            value = self._model.values.get(name)
            if value is None or value.shape is None or shape is None or shape in agreed:
                continue
            if name not in self._recorded.contract or (moved and name not in self._model.outputs):
                continue  # between the layers, what is declared may only have been computed before
            if not contradicts(value.shape, shape):
                continue
            failure = self._failure(layer, call, inputs_of(layer, call, run.shapes), run, "")
            fact = Contradiction(name, value.shape, shape)
            return replace(failure, fact=fact, declares=Frozen())
        return None

    def _fill(self, call: Call, outputs: tuple[Shape | None, ...], run: _Run, changed: bool) -> None:
        for index, name in enumerate(call.outputs):
            if not name:
                continue
            shape = outputs[index] if index < len(outputs) else None
            value = self._model.values.get(name)
            if value is not None and not changed and not self._recorded.fed:
                shape = self._or_stated(call, value, shape, run)
            run.shapes[name] = shape

    def _or_stated(self, call: Call, value: Value, shape: Shape | None, run: _Run) -> Shape | None:
        """Take what is said of a value that no rule knows, unless an inference was wrong before."""
        if value.shape is None or (shape is None and value.inferred_by is None):
            return value.shape if shape is None else shape
        if shape is None:
            return value.shape if run.inferred else None
        if value.inferred_by is not None and contradicts(value.shape, shape):
            self._overruled.contradicted(value, opened(shape, self._batch) or (), self._layers[call.layer])
            run.inferred = False
        return shape

    def _failure(
        self, layer: Layer, call: Call, given: tuple[Shape | None, ...], run: _Run, message: str
    ) -> Failure:
        names = input_names(layer, call)
        extra = [weight.name for weight in layer.weights]
        inputs = (*names, *extra)[: max(len(given), len(names))]
        values = {
            name: replace(self._model.values.get(name) or Value(name), shape=marked(shape, self._batch))
            for name, shape in run.shapes.items()
        }
        for name, shape in zip(inputs, given, strict=False):
            values[name] = replace(values.get(name) or Value(name), shape=marked(shape, self._batch))
        model = replace(self._model, calls=tuple(run.done), values=Frozen(values))
        attributes = attributes_of(layer, call, self._read(layer, call, run))
        return Failure(
            model,
            replace(layer, attributes=Frozen(attributes)),
            tuple(inputs),
            self._recorded.message or message,
            self._recorded.where or layer.origin,
            declares=self._declares(run),
            claim=self._recorded.claim,
            transposable=self._recorded.transposable,
            position=len(run.done),
        )

    def _declares(self, run: _Run) -> Frozen[Shape]:
        """Return the shapes that the model declares for its inputs, where others are fed."""
        declares: dict[str, Shape] = {}
        for name in self._model.inputs:
            declared, fed = self._model.values[name].shape, run.shapes.get(name)
            if declared is None or fed is None or len(declared) != len(fed) or not known(fed):
                continue
            if any(map(unlike, declared, fed)):
                declares[name] = tuple(
                    new if isinstance(new, int) else old for old, new in zip(fed, declared, strict=True)
                )
        return Frozen(declares)


def _with_weights(model: Model) -> Model:
    """Give every input of a call a value, so that each has a shape."""
    values = dict(model.values)
    for name in model.inputs:
        values.setdefault(name, Value(name))
    return replace(model, values=Frozen(values))
