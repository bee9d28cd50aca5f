"""From a failed call to a diagnosis: what does not fit, why, and which changes make it fit."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial

from shapeinspect import infer, layout
from shapeinspect.errors import ShapeInspectError
from shapeinspect.ir import Model
from shapeinspect.mismatch.compose import Gain, composed, further, gains
from shapeinspect.mismatch.default_cause import default_cause, named_axes
from shapeinspect.mismatch.diagnosis import Diagnosis, Tried
from shapeinspect.mismatch.reasons.headlines import headline
from shapeinspect.mismatch.reasons.layers import reasons
from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.mismatch.repairs.input_sizes.fitting import known_to_fit
from shapeinspect.mismatch.repairs.input_sizes.search import search
from shapeinspect.mismatch.repairs.pools import pooled
from shapeinspect.mismatch.repairs.proposals import proposals
from shapeinspect.mismatch.repairs.ranks import SETTINGS_FROM, SIZES_FROM
from shapeinspect.mismatch.sizes.loss_shapes import is_loss
from shapeinspect.mismatch.sizes.requirements import Problem, problem_of
from shapeinspect.mismatch.words.as_html import as_html
from shapeinspect.plugin_api import clock
from shapeinspect.plugin_api.changes import Change, OnCall, OnInput, OnOperand, Wording
from shapeinspect.plugin_api.claims import Level
from shapeinspect.plugin_api.facts import Explained, NotFed
from shapeinspect.plugin_api.rerun import Failure, Rerun
from shapeinspect.plugin_api.story import Story

#: A diagnosis takes at most so many seconds of `plugin_api.clock`, and so many runs.
_SECONDS = 4.0
_RUNS = 160
#: Whatever it waits for, such as another device, no run begins after so many seconds of a user's time.
_WAIT = 30.0
#: A run that imports so many modules says nothing about how long the next one takes.
_MODULES = 100
#: The name of a value that has none of its own.
_NUMBERED = re.compile(r"v\d+")
#: At most so many fixes are shown.
_SHOWN = 3
#: Sentences on where sizes come from, of the second run and of the first one together.
_REASONS = 4


def diagnose(rerun: Rerun) -> Diagnosis:
    """Say why a call failed, and try what could fix it.

    Args:
        rerun: the failed call.
    """
    failure = rerun.failure
    named = _named(failure.model)
    axes = tuple(named.values[name].axes if name in named.values else None for name in failure.inputs)
    problem = replace(problem_of(failure), axes=axes)
    budget = _Budget()
    tried = _tried(rerun, failure, problem, budget)
    certain = tried and tried[0].claim.level is not Level.FURTHER
    about_axes = named_axes(problem, failure.layer.kind)
    own = failure.cause or (about_axes if about_axes != "rank" else "")  # a fix may know more
    cause = own or (certain and tried[0].fix.cause) or default_cause(failure, problem)
    cause = headline(cause, failure, problem)
    told = failure.fact.because if isinstance(failure.fact, Explained) else ()
    story = _second(rerun)
    said = {_rule_of(one) for one in story.because}
    seen = [one for one in reasons(replace(failure, model=named), problem) if _rule_of(one) not in said]
    because = (*failure.told, *told, *story.because, *seen[: max(_REASONS - len(story.because), 0)])
    said |= {_rule_of(one) for one in seen}
    shown = [one for one in (tried[0].fix.why if tried else ()) if _rule_of(one) not in said]
    sure = tuple(one for one in story.sure if one in because)
    return Diagnosis(
        failure, named, problem, cause, tried, budget.runs, (*because, *shown), html=as_html, sure=sure
    )


def _second(rerun: Rerun) -> Story:
    """Return what the second run of the script tells; a fault in it hides nothing else."""
    try:
        return Story() if rerun.second is None else rerun.second()
    except Exception as problem:  # noqa: BLE001  # whatever is wrong with it, the diagnosis stands without it
        fault = f"{type(problem).__name__}: {problem}".partition("\n")[0]
        return Story((f"where the sizes come from is not told: a fault of shapeinspect's own ({fault})",))


def _rule_of(sentence: str) -> str:
    """Return the length that a sentence finds to be no multiple, else the sentence."""
    head, found, _ = sentence.partition(" is no multiple of ")
    return head if found else sentence


class _SpentError(Exception):
    """The budget of runs and time is spent."""


class _Budget:
    """Counts the runs and the time that a diagnosis takes."""

    def __init__(self) -> None:
        self._end = clock.now() + clock.allowed(_SECONDS)
        self._late = clock.alone() + clock.allowed(_WAIT)
        self._longest = 0.0
        self.runs, self._runs = 0, _RUNS

    def extend(self) -> None:
        """Allow as much again from now on."""
        self._end, self._runs = clock.now() + clock.allowed(_SECONDS), self.runs + _RUNS

    def attempt(self, rerun: Rerun, changes: tuple[Change, ...]) -> Failure | None:
        """Run the call again, unless the budget is spent."""
        # The next run may take as long as the longest so far.
        late = clock.alone() > self._late
        if late or self.runs >= self._runs or clock.now() + self._longest > self._end:
            raise _SpentError
        self.runs += 1
        begin, end = clock.now(), self._end
        try:
            with self.sparing_imports():
                return rerun.attempt(changes)
        finally:
            if self._end == end:
                self._longest = max(self._longest, clock.now() - begin)

    @contextmanager
    def sparing_imports(self) -> Iterator[None]:
        """Count no time in which a framework's shape functions are imported, once a process."""
        begin, imported, end = clock.now(), len(sys.modules), self._end
        try:
            yield
        finally:
            if len(sys.modules) - imported >= _MODULES:
                self._end = end + clock.now() - begin


def _tried(rerun: Rerun, failure: Failure, problem: Problem, budget: _Budget) -> tuple[Tried, ...]:
    passed, found = _passing(rerun, failure, problem, budget)
    if passed:
        tried = (Tried(fix, _write(rerun, fix), rerun.claim(fix.changes)) for fix in passed)
        return tuple(sorted(tried, key=lambda one: one.claim.level is Level.UNTRIED))
    edits = None
    budget.extend()
    spent = False
    try:
        edits = composed(rerun, found, budget.attempt, _write)
    except _SpentError:
        spent = True
    if edits is None and found:
        edits = further(rerun, found[0], _write, spent)
    return () if edits is None else (Tried(edits.fix, edits.fix.text or "", edits.claim),)


def _passing(
    rerun: Rerun, failure: Failure, problem: Problem, budget: _Budget
) -> tuple[list[Fix], list[Gain]]:
    """Return the fixes with which the call runs to its end, and those that only get further."""
    passed: list[Fix] = []
    found: list[Gain] = []
    attempt = partial(budget.attempt, rerun)

    def sized() -> list[Fix]:
        with budget.sparing_imports():
            fix = search(rerun, problem, attempt)
        return [] if fix is None else [fix]

    with suppress(_SpentError):
        searched = False
        for fix in (*proposals(failure, problem), *pooled(failure)):
            if fix.rank >= SIZES_FROM and not searched:
                searched = True
                passed += [] if _kept(passed) else sized()
            if _kept(passed) and passed[0].rank < SIZES_FROM and fix.rank >= SETTINGS_FROM:
                break
            if (passed and fix.alone) or _feeds_the_same(failure, fix):
                continue
            ended = attempt(fix.changes)
            if ended is not None:
                found += gains(failure, fix, ended)
            elif _write(rerun, fix):
                passed.append(fix)
            if len(passed) >= _SHOWN:
                break
        if not searched and not passed:
            passed += sized()
    if not passed and not rerun.confirms and not is_loss(failure.layer):  # what is computed alone comes last
        near = known_to_fit(rerun)
        passed += [] if near is None else [near]
    # what changes the program's meaning stands below what does not
    passed.sort(key=lambda fix: (bool(fix.alters), fix.rank))
    return passed, found


def _kept(passed: list[Fix]) -> bool:
    """Tell whether one of the fixes leaves the program's meaning as it is."""
    return any(not fix.alters for fix in passed)


def _feeds_the_same(failure: Failure, fix: Fix) -> bool:
    """Tell whether a fix proposes to feed the shape that was fed."""
    values = failure.model.values
    if fix.wording or not fix.changes or isinstance(failure.fact, NotFed):
        return False
    return all(
        isinstance(change, OnInput)
        and change.name in values
        and all(step == ("resize", values[change.name].shape) for step in change.steps)
        for change in fix.changes
    )


def _write(rerun: Rerun, fix: Fix) -> str:
    return fix.text or _text(rerun, rerun.failure, fix)


def _text(rerun: Rerun, failure: Failure, fix: Fix) -> str:
    parts = [_written(rerun, failure, change) for change in fix.wording or fix.changes]
    return ", ".join(dict.fromkeys(part for part in parts if part))


def _written(rerun: Rerun, failure: Failure, change: Wording) -> str:
    """Write one change, and where it is to be made."""
    if isinstance(change, OnInput):
        text = rerun.spell(change, change.name)
        verb = "pass" if is_loss(failure.layer) else "feed"
        return text if " = " in text or " instead of " in text else f"{verb} {text}"
    if isinstance(change, OnCall):
        return f'{rerun.spell(change, "x")} in "{failure.layer.path}"'
    if not isinstance(change, OnOperand):
        return rerun.spell(change, "")
    if change.call is None:
        inputs, path, names = failure.inputs, failure.layer.path, failure.names
    else:
        call = failure.model.calls[change.call]
        inputs, path, names = call.inputs, call.layer, ()
    name = "x"
    if change.operand < len(inputs):
        name = (names and names[change.operand]) or _name_of(failure, inputs[change.operand])
    text = rerun.spell(change, name)
    return f'{text} before "{path}"' if path and " instead of " not in text else text


def _name_of(failure: Failure, value: str) -> str:
    """Call a value by its input's name, or by the layer that produced it."""
    if value in failure.model.inputs:
        return value
    if value.startswith("self.") and all(part.isidentifier() for part in value.split(".")):
        return value  # the user's own expression
    for call in reversed(failure.model.calls):
        last = call.layer.rpartition(".")[2]
        if value in call.outputs and last.isidentifier():
            return last
    last = value.rpartition("/")[2].rpartition(".")[2].rpartition(":")[2]
    return last if last.isidentifier() and not _NUMBERED.fullmatch(last) else "x"


def _named(model: Model) -> Model:
    """Name the axes as far as the calls prove them; a model that ends in the middle may prevent that."""
    try:
        inferred = infer.infer(layout.normalize(model))
    except (ShapeInspectError, ValueError, KeyError, IndexError, TypeError):
        return model
    return replace(inferred, notes=())
