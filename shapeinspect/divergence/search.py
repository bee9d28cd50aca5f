"""Runs two models side by side, finds the first layers that part, and tries the likeliest reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from shapeinspect.compare import Options, compare
from shapeinspect.compare.folding import find_folds
from shapeinspect.compare.pairing import matched
from shapeinspect.compare.result import LayerPair
from shapeinspect.compare.sides import ModelSide
from shapeinspect.divergence.activations import aligned, with_activation
from shapeinspect.divergence.candidates import Candidate, exchanged, guessed, of_calls, of_pair
from shapeinspect.divergence.flow import Flow, Meeting, Twins, meetings, same_axes
from shapeinspect.divergence.result import Found, Step, Suspect, Verdict
from shapeinspect.errors import ModelCodeError
from shapeinspect.ir import Layer, Model
from shapeinspect.plugin_api.loading_script import Setting
from shapeinspect.plugin_api.native import NativeTable
from shapeinspect.plugin_api.runner import Recording, Session
from shapeinspect.progress import counted, report

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

#: So many reasons are tried for one place, and so many places are looked for.
_MOST_TRIED, _MOST_PLACES = 8, 6
OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two models.

    Args:
        model: what was read of it.
        session: what runs it.
        inputs: its inputs, in its own order of axes.
        table: what its framework stores, and how it means its settings.
    """

    model: Model
    session: Session
    inputs: Sequence[Array]
    table: NativeTable | None

    def layers(self) -> Mapping[str, Layer]:
        """Return its layers by path."""
        return {layer.path: layer for layer in self.model.layers}


@dataclass(frozen=True, slots=True)
class _Trial:
    """A suspect; if it helps, what takes its change back, and the pairs as they are with it."""

    suspect: Suspect
    back: Callable[[], None] = lambda: None
    steps: Sequence[Step] = ()


class Search:
    """The pairs of two models' layers in the first one's order of execution.

    Args:
        a: the first model.
        b: the second one.
        rtol: the difference that counts as none, as a part of the largest value.
    """

    def __init__(self, a: Side, b: Side, rtol: float) -> None:
        self._sides, self._rtol = (a, b), rtol
        self._seen: list[Recording | None] = [None, None]
        self._layers = a.layers(), b.layers()
        self._model_sides = ModelSide(a.model, a.table), ModelSide(b.model, b.table)
        pairs = compare(a.model, b.model, None, (a.table, b.table)).layers
        order = {call.layer: index for index, call in reversed(list(enumerate(a.model.calls)))}
        self.pairs = sorted(
            (pair for pair in pairs if pair.a is not None and pair.b is not None),
            key=lambda pair: _place(str(pair.a), order),
        )
        self._shown = _shown(a.model, b.model)
        #: The activations inside of layers that a trial has changed.
        self._functions: tuple[dict[str, str], dict[str, str]] = ({}, {})
        self._axes = [
            {call.layer: side.model.values.get(call.outputs[0]) for call in side.model.calls if call.outputs}
            for side in (a, b)
        ]

    def steps(self) -> list[Step]:
        """Run what has not been run as it is, and compare every pair, and the outputs at the end."""
        a, b = (self._recorded(at) for at in (0, 1))
        return [
            *(self._step(pair, a, b) for pair in counted(self.pairs, "comparing layers")),
            *self._outputs(a, b),
        ]

    def _steps_with(self, changed: int) -> list[Step]:
        self._seen[changed] = None
        return self.steps()

    def _recorded(self, at: int) -> Recording:
        known = self._seen[at]
        if known is None:
            side = self._sides[at]
            known = self._seen[at] = side.session.run(side.inputs)
        return known

    def _step(self, pair: LayerPair, a: Recording, b: Recording) -> Step:
        path_a, path_b = str(pair.a), str(pair.b)
        whole_a, whole_b = self._whole(path_a, 0, a), self._whole(path_b, 1, b)
        left, right = a.layers.get(whole_a, ()), b.layers.get(whole_b, ())
        if not left or not right:
            side = "A" if not left else "B"
            return Step(path_a, path_b, pair.kind, "unseen", why=f"{side} does not show what it returns")
        if len(left) != len(right):
            return Step(path_a, path_b, pair.kind, "unseen", why=f"called {len(left)} and {len(right)} times")
        values = [axes.get(path) for axes, path in zip(self._axes, (whole_a, whole_b), strict=True)]
        axes_a, axes_b = (value.axes if value is not None else None for value in values)
        worst: Step | None = None
        for x, y in zip(left, right, strict=True):
            step = self._compared((path_a, path_b, pair.kind), x, y, (axes_a, axes_b))
            worse = worst is None or (step.relative or 0.0) > (worst.relative or 0.0)
            worst = step if worse or step.verdict == "unseen" else worst
        return worst if worst is not None else Step(path_a, path_b, pair.kind, "unseen")

    def _whole(self, path: str, side: int, seen: Recording) -> str:
        """Return the layer whose output is that of a pair: the last part's, or that of an op behind it."""
        path = self._shown[side].get(path, path)
        above = path.rpartition(".")[0]
        if path in seen.layers or above not in self._layers[side]:
            return path
        parts = [str((pair.a, pair.b)[side]) for pair in self.pairs]
        last = max((one for one in parts if one.startswith(f"{above}.")), key=parts.index, default="")
        return above if path == last else path

    def _compared(self, names: tuple[str, str, str], x: Array, y: Array, axes: Any) -> Step:
        activated = self._activated(names, x, y)
        if isinstance(activated, str):
            return Step(*names, "unseen", why=activated)
        x, y, why = activated
        orders = aligned(x, y, *axes)
        shape = tuple(int(length) for length in x.shape)
        letters = tuple(axes[0]) if axes[0] and len(axes[0]) == x.ndim else ()
        if not orders:
            return Step(*names, "unseen", shape, letters, why=f"{x.shape} in A, {y.shape} in B")
        import numpy as np

        if x.dtype.kind not in "fiub" or y.dtype.kind not in "fiub":
            return Step(*names, "unseen", shape, letters, why="no numbers to subtract")
        left = x.astype(np.float64)
        # Where no letters tell the order, the one in which they are nearest is meant.
        right = min((one.astype(np.float64) for one in orders), key=lambda one: _apart(left, one))
        if np.isnan(left).any() != np.isnan(right).any():
            return Step(*names, "parts", shape, letters, float("nan"), _largest(left), "one of them is NaN")
        apart = _apart(left, right)
        verdict: Verdict = "same" if apart <= self._rtol * max(_largest(left), _largest(right)) else "parts"
        return Step(*names, verdict, shape, letters, apart, max(_largest(left), _largest(right)), why)

    def _activated(self, names: tuple[str, str, str], x: Array, y: Array) -> tuple[Array, Array, str] | str:
        """Apply the activation that only one of two layers has inside to what the other one returns.

        Returns:
            both arrays and what was done; a clause where it is not known what the activation does.
        """
        path_a, path_b, kind = names
        if kind not in ("conv", "linear", "conv_transpose", "separable_conv"):
            return x, y, ""
        first, second = (self._inside(at, path) for at, path in enumerate((path_a, path_b)))
        if bool(first) == bool(second):
            return x, y, ""
        letter, (name, settings) = ("A", first) if first else ("B", second or ("", {}))
        applied = with_activation(y if first else x, name, settings)
        if applied is None:
            return f"what the {name} inside of {letter} computes is not known here"
        why = f"with the {name} that {letter} has inside"
        return (x, applied, why) if first else (applied, y, why)

    def _inside(self, side: int, path: str) -> tuple[str, Mapping[str, Any]] | None:
        """Return the activation inside of a layer, with its settings; None if there is none."""
        layer, changed = self._layers[side].get(path), self._functions[side].get(path)
        settings = layer.attributes if layer is not None else {}
        name = settings.get("activation") if changed is None and layer is not None else changed
        if name in (None, "linear"):
            return None
        return str(name), settings.get("activation_settings") or {} if changed is None else {}

    def _outputs(self, a: Recording, b: Recording) -> Iterator[Step]:
        names_a, names_b = self._sides[0].model.outputs, self._sides[1].model.outputs
        if len(a.outputs) != len(b.outputs):
            why = f"{len(a.outputs)} outputs in A, {len(b.outputs)} in B"
            yield Step(OUTPUT, OUTPUT, "", "unseen", why=why)
        for index, other in self._outputs_of(a, b):
            values = [
                side.model.values.get(names[at]) if at < len(names) else None
                for side, names, at in zip(self._sides, (names_a, names_b), (index, other), strict=True)
            ]
            axes = tuple(value.axes if value is not None else None for value in values)
            name = OUTPUT if len(a.outputs) == 1 else f"{OUTPUT} {index}"
            yield self._compared((name, name, ""), a.outputs[index], b.outputs[other], axes)

    @staticmethod
    def _outputs_of(a: Recording, b: Recording) -> list[tuple[int, int]]:
        """Pair the outputs: by their names where both have the same, else by their places."""
        if a.keys and len(set(a.keys)) == len(a.keys) and sorted(a.keys) == sorted(b.keys):
            return [(index, list(b.keys).index(key)) for index, key in enumerate(a.keys)]
        return [(index, index) for index in range(min(len(a.outputs), len(b.outputs)))]

    def found(self, steps: Sequence[Step]) -> list[Found]:
        """Name each place where the models part, and change the reason to find the next one.

        Args:
            steps: the pairs as they were at first.
        """
        places: list[Found] = []
        undo: list[Callable[[], None]] = []
        try:
            while len(places) < _MOST_PLACES:
                seen = next((step for step in steps if step.verdict == "parts"), None)
                if seen is None:
                    break
                met = self._met(seen)
                first = self._meeting_step(met) if met is not None else seen
                if any((place.step.a, place.step.b) == (first.a, first.b) for place in places):
                    break
                trials = list(self._trials(steps, seen, first, met))
                suspects = sorted((trial.suspect for trial in trials), key=lambda one: not one.helps)
                places.append(Found(first, tuple(suspects), None if first is seen else seen))
                helping = trials[-1] if trials and trials[-1].suspect.helps else None
                if helping is None:
                    break
                undo.append(helping.back)
                steps = helping.steps
        finally:
            for back in reversed(undo):
                back()
        return places

    def _met(self, seen: Step) -> Meeting | None:
        """Return the calls above a pair at which the runs began to part; None for the pair itself."""
        a, b = (self._recorded(at) for at in (0, 1))
        flows = Flow(a, self._layers[0]), Flow(b, self._layers[1])
        if not flows[0].calls or not flows[1].calls:
            return None
        twins = Twins(*flows, self._rtol)
        ends = self._ends(seen, flows)
        if not all(ends):
            return None
        self._settle(flows)
        met = [one for one in meetings(*flows, twins, ends) if not (one.reordered and self._moved(seen))]
        if not met:
            return None
        own = {seen.a, self._whole(seen.a, 0, a)}, {seen.b, self._whole(seen.b, 1, b)}
        parts = met[0].a.layer == seen.a.rpartition(".")[0] or met[0].b.layer == seen.b.rpartition(".")[0]
        return None if parts or (met[0].a.layer in own[0] and met[0].b.layer in own[1]) else met[0]

    def _ends(self, seen: Step, flows: tuple[Flow, Flow]) -> tuple[list[str], list[str]]:
        """Return what the calls of a pair received that part, or the outputs."""
        found: tuple[list[str], list[str]] = ([], [])
        if seen.is_output:
            index = int(seen.a.removeprefix(OUTPUT) or 0)
            chosen = [list(flow.returned) for flow in flows]
            chosen[1] = [chosen[1][other] for _, other in self._outputs_of(*map(self._recorded, (0, 1)))]
            for at in (0, 1):
                found[at].extend(chosen[at][index : index + 1])
            return found
        paths = [self._whole(path, at, self._recorded(at)) for at, path in enumerate((seen.a, seen.b))]
        calls = [
            [call for call in flow.calls if call.layer == path]
            for flow, path in zip(flows, paths, strict=True)
        ]
        for first, second in zip(*calls, strict=False):
            for at, call in enumerate((first, second)):
                found[at].extend(name for name in call.outputs[:1] if name in flows[at].values)
        return found

    def _settle(self, flows: tuple[Flow, Flow]) -> None:
        """Note which calls agree but for the activation that only one of them has inside."""
        for step in self.steps():
            if step.verdict != "same" or "has inside" not in step.why:
                continue
            at = 1 if step.why.endswith("A has inside") else 0
            for side, path in enumerate((step.a, step.b)):
                whole = self._whole(path, side, self._recorded(side))
                calls = [call for call in flows[side].calls if call.layer == whole]
                if side == at:
                    flows[side].settled |= {name for call in calls for name in call.outputs}
                else:
                    flows[side].fused |= {call.layer for call in calls}

    def _moved(self, seen: Step) -> bool:
        """Tell whether the weights of a pair differ: they may be the reason, not the order of its input."""
        pair = next((pair for pair in self.pairs if (pair.a, pair.b) == (seen.a, seen.b)), None)
        return pair is not None and any(True for _ in self._weights(pair))

    def _meeting_step(self, met: Meeting) -> Step:
        """Compare what two calls returned that are not a pair."""
        values = [self._recorded(at).values.get(call.outputs[0]) for at, call in enumerate((met.a, met.b))]
        layers = [self._layers[at].get(call.layer) for at, call in enumerate((met.a, met.b))]
        fused = any(layer is not None and layer.kind != "activation" and layer.attributes.get("activation")
                    for layer in layers)  # fmt: skip
        kinds = [layer.kind if layer is not None else "unknown" for layer in layers]
        kind = "activation" if fused and "activation" in kinds else kinds[0]
        names = (met.a.layer, met.b.layer, kind)
        why = "the same numbers in another order" if met.reordered else "what goes in agrees"
        alike = kind == "activation" or kinds[0] == kinds[1]
        if alike and values[0] is not None and values[1] is not None:
            axes = [axes.get(path) for axes, path in zip(self._axes, names[:2], strict=True)]
            step = self._compared(
                names,
                values[0],
                values[1],
                tuple(value.axes if value is not None else None for value in axes),
            )
            if met.reordered:
                return replace(step, verdict="parts", apart=None, why=why)
            if step.verdict != "unseen":
                return replace(step, why=why)
        shape = tuple(int(length) for length in values[0].shape) if values[0] is not None else ()
        return Step(*names, "parts", shape, why=why)

    def _trials(
        self, steps: Sequence[Step], seen: Step, first: Step, met: Meeting | None
    ) -> Iterator[_Trial]:
        """Try the settings that differ between the last pair that agrees and the first that parts.

        The last trial may help; its change is not taken back.
        """
        tried = 0
        for candidate in (*self._of_meeting(met, first), *self._near(steps, seen)):
            if isinstance(candidate, Suspect):
                yield _Trial(candidate)
                continue
            if tried == _MOST_TRIED:
                return
            report(tried, _MOST_TRIED, "trying settings")
            tried += 1
            trial = self._try(candidate, seen, first, met)
            if trial is None:
                continue
            yield trial
            if trial.suspect.helps:
                return

    def _of_meeting(self, met: Meeting | None, first: Step) -> Iterator[Candidate | Suspect]:
        if met is None:
            return
        a, b = (self._layers[at].get(call.layer) for at, call in enumerate((met.a, met.b)))
        if a is None or b is None:
            return
        if (a.kind, a.attributes.get("op")) != (
            b.kind,
            b.attributes.get("op"),
        ) and first.kind != "activation":
            yield Suspect(first.a, f"A has {a.type or a.kind} where B has {b.type or b.kind}")
        values = [self._recorded(at).values.get(name) for at, name in enumerate(met.inputs)]
        order: Sequence[int] = ()
        if values[0] is not None and values[1] is not None:
            order = same_axes(values[0], values[1], self._rtol)
        yield from of_calls(a, b, self._model_sides, order)

    def _near(self, steps: Sequence[Step], seen: Step) -> Iterator[Candidate | Suspect]:
        position = next(index for index, step in enumerate(steps) if step is seen)
        agreed = [index for index, step in enumerate(steps[:position]) if step.verdict == "same"]
        last = max(agreed, default=-1)
        # The activation behind the last pair that agrees is not seen by itself.
        near = self.pairs[max(last, 0) : position + 1]
        for pair in reversed(near):
            if last < 0 or pair is not self.pairs[last]:
                weights = list(self._weights(pair))
                statistics = {one.text.partition(":")[0] for one in weights}
                if pair.kind == "batch_norm" and {"mean", "variance"} <= statistics:
                    yield exchanged(pair)
                yield from weights
            yield from of_pair(pair)
            yield from self._guessed(pair)

    def _guessed(self, pair: LayerPair) -> Iterator[Candidate]:
        a, b = self._layers[0].get(str(pair.a)), self._layers[1].get(str(pair.b))
        known = {setting.name for setting in pair.settings}
        if a is not None and b is not None and a.kind == b.kind:
            yield from (one for one in guessed(a, b) if one.name not in known)

    def _weights(self, pair: LayerPair) -> Iterator[Suspect]:
        """Say that the stored weights of a pair differ, and in which order they would not."""
        options = Options(values=True, rtol=self._rtol, atol=1e-7)
        whole = _only(self._sides[0].model, str(pair.a)), _only(self._sides[1].model, str(pair.b))
        for found in compare(*whole, options, (self._sides[0].table, self._sides[1].table)).layers:
            for weight in found.weights:
                if weight.status != "same" and weight.why:
                    yield Suspect(str(pair.a), f"{weight.slot}: {weight.why[0]}")

    def _try(self, one: Candidate, seen: Step, first: Step, met: Meeting | None) -> _Trial | None:
        """Give one side the other's value, the second side first, and run it again.

        Returns:
            None for a guess that does not help: what nothing states is worth a word only if it is the reason.
        """
        guess = None in one.values and one.values != (None, None)
        theirs, ours = one.values
        for at, path, value, shown in ((1, one.b, theirs, one.shown[0]), (0, one.a, ours, one.shown[1])):
            if value is None:
                continue
            back = self._changed(at, path, one, value)
            if back is None:
                continue
            try:
                steps = self._steps_with(at)
            except ModelCodeError:  # the value does not fit the model: it is not the reason
                back()
                self._seen[at] = None
                continue
            after = next((step for step in steps if step.verdict == "parts"), None)
            tried = f"with {one.name} {shown} in {'AB'[at]}"
            helps = self._agrees(steps, seen, first, met)
            suspect = Suspect(one.a, one.text, tried, after.a if after is not None else None, helps)
            if helps:
                return _Trial(suspect, back, steps)
            back()
            self._seen[at] = None
            return None if guess else _Trial(suspect)
        return None if guess else _Trial(Suspect(one.a, one.text))

    def _changed(self, at: int, path: str, one: Candidate, value: Any) -> Callable[[], None] | None:
        """Change a setting of one side until the returned function is called."""
        back = self._sides[at].session.change(Setting(path, one.kind, one.name, value, one.text))
        if back is None or one.name != "function":
            return back
        self._functions[at][path] = str(value)

        def all_back() -> None:
            self._functions[at].pop(path, None)
            back()

        return all_back

    def _agrees(self, steps: Sequence[Step], seen: Step, first: Step, met: Meeting | None) -> bool:
        now = next((step for step in steps if step.a == seen.a and step.b == seen.b), None)
        if now is not None and now.verdict == "same":
            return True
        if met is None or first.apart is None:
            return False
        again = self._meeting_again(met)
        return again is not None and self._meeting_step(again).verdict == "same"

    def _meeting_again(self, met: Meeting) -> Meeting | None:
        """Return the same two calls in the runs as they are now: by their layers and their number."""
        calls = []
        for at, call in enumerate((met.a, met.b)):
            now = [one for one in self._recorded(at).calls if one.layer == call.layer and one.outputs]
            if not now:
                return None
            calls.append(now[0])
        return Meeting(calls[0], calls[1])


def _place(path: str, order: Mapping[str, int]) -> int:
    """Return when a layer runs; a part of one runs when the whole does."""
    return order.get(path, order.get(path.rpartition(".")[0], len(order)))


def _shown(a: Model, b: Model) -> tuple[dict[str, str], dict[str, str]]:
    """Return the layers whose output another one shows: what adds its bias, or a folded batch norm."""
    matching = matched(a, b)
    folds = find_folds(matching, a, b)
    shown: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for side, units, model in ((0, matching.a, a), (1, matching.b, b)):
        owners = {weight.name: layer.path for layer in model.layers for weight in layer.weights}
        own = {layer.path: {weight.name for weight in layer.weights} for layer in model.layers}
        for unit in units:
            held = own.get(unit.layer.path)
            names = [name for slot in unit.slots.values() for name in slot.names]
            other = [
                owners[name] for name in names if held is not None and name in owners and name not in held
            ]
            if other and not unit.paths:
                shown[side][unit.layer.path] = other[-1]
    for index, norm in folds.merged.items():
        shown[0][matching.a[index].layer.path] = norm.layer.path
    for index in folds.identities:
        (before,) = matching.b[index].sources
        if isinstance(before, int):
            shown[1][matching.b[before].layer.path] = matching.b[index].layer.path
    return shown


def _apart(x: Array, y: Array) -> float:
    import numpy as np

    return float(np.abs(np.nan_to_num(x) - np.nan_to_num(y)).max(initial=0.0))


def _largest(x: Array) -> float:
    import numpy as np

    return float(np.abs(np.nan_to_num(x)).max(initial=0.0))


def _only(model: Model, path: str) -> Model:
    from dataclasses import replace

    return replace(model, layers=tuple(layer for layer in model.layers if layer.path == path), calls=())
