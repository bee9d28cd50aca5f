"""What one more run of a failed script tells: where it fails, on which sizes, and what is worth changing."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from shapeinspect.plugin_api.clock import allowed
from shapeinspect.plugin_api.programs.copies import available
from shapeinspect.plugin_api.user_code.frames import traceback_frames
from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.script.candidate import Candidate, Operator, Scene
from shapeinspect_keras.debug.script.clues import Clues, clues_of
from shapeinspect_keras.debug.script.operators import (
    adapted,
    axes,
    batches,
    exact,
    feeds,
    flags,
    grouped,
    labels,
    loops,
    multiples,
    numbers,
    painted,
    pictures,
    regrouped,
    samples,
    sequences,
    settings,
    shortened,
    states,
    structure,
    symbolic,
    treatment,
    uncalled,
    weighing,
    weighted_axes,
)
from shapeinspect_keras.debug.script.program import Program, program_of
from shapeinspect_keras.debug.script.reach import Reach
from shapeinspect_keras.debug.script.running import Outcome, Shaped, numbered, run
from shapeinspect_keras.debug.statements.names import RUNS

#: Seconds of work that the run may take.
_SECONDS = 10.0
#: Where an exception keeps what its script's second run told.
_MARK = "__shapeinspect_keras_survey__"
_OPERATORS: tuple[Operator, ...] = (
    *exact.OPERATORS, *axes.OPERATORS, *feeds.OPERATORS, *numbers.OPERATORS, *flags.OPERATORS,
    *structure.OPERATORS, *treatment.OPERATORS, *multiples.OPERATORS, *samples.OPERATORS,
    *sequences.OPERATORS, *batches.OPERATORS, *shortened.OPERATORS,
    *settings.OPERATORS, *loops.OPERATORS, *states.OPERATORS, *weighing.OPERATORS, *symbolic.OPERATORS,
    *labels.OPERATORS, *regrouped.OPERATORS, *pictures.OPERATORS,
    *uncalled.OPERATORS, *adapted.OPERATORS, *weighted_axes.OPERATORS, *painted.OPERATORS,
    *grouped.OPERATORS,
)  # fmt: skip


@dataclass(frozen=True)
class Survey:
    """What the run of a script has told.

    Args:
        program: the script.
        outcome: how it failed.
        lines: its lines that were running then, the outermost first.
        messages: the framework's words, first those of this run.
        owner: the name and the class of the innermost layer that was being called; empty for none.
        known: the numbers of the failure, where they are known better than by the messages.
        weighted: the shapes of a loss's values and of the weights of the samples, where these two do not fit.
    """

    program: Program
    outcome: Outcome
    lines: tuple[int, ...]
    messages: tuple[str, ...]
    owner: tuple[str, str] = ("", "")
    known: Clues | None = None
    weighted: tuple[tuple[int | None, ...], tuple[int | None, ...]] | None = None

    @cached_property
    def operands(self) -> dict[str, tuple[int | None, ...]]:
        """The arrays that the failing statement names, and their shapes."""
        return _operands(self.program, self.outcome, self.lines)

    @cached_property
    def clues(self) -> Clues:
        """The numbers of the failure."""
        return self.known or clues_of(self.messages, [] if self.is_run else [*self.operands.values()])

    @property
    def is_run(self) -> bool:
        """Whether the failing statement runs a model on data: the arrays that it names belong together."""
        statement = self.program.covering(self.lines[-1])
        return (
            any(callee_of(node) in RUNS for node in ast.walk(statement)) if statement is not None else False
        )

    def with_clues(self, clues: Clues) -> Survey:
        """Return the same with other numbers.

        Args:
            clues: the numbers.
        """
        return replace(self, known=clues)

    @cached_property
    def scene(self) -> Scene:
        """The failed run."""
        reach = Reach(self.program, self.lines)
        message = "\n".join(self.messages)
        return Scene(self.program, self.outcome.seen, self.clues, reach, message, self.weighted)

    @cached_property
    def known_wrong(self) -> Candidate | None:
        """The likeliest edit of something that is wrong whatever becomes of the edit; None for none."""
        return next((item for item in self.candidates() if item.fact), None)

    @property
    def facts(self) -> tuple[str, ...]:
        """What is known to be wrong, a sentence."""
        said = painted.told(self.scene) if self.known_wrong is None else self.known_wrong.why
        return (said,) if said else ()

    def candidates(self) -> list[Candidate]:
        """Return the edits that are worth trying, the likeliest first."""
        listed = [item for operator in _OPERATORS for item in operator(self.scene)]
        listed.sort(key=lambda item: item.prior)
        texts = {self.program.text}
        result = []
        for candidate in listed:
            edited = self.program.edited(candidate.replacements)
            if edited.text not in texts and _parses(edited):
                texts.add(edited.text)
                result.append(candidate)
        return result


def survey(error: BaseException) -> Survey | None:
    """Run the script that an exception ended once more, and note what its expressions are.

    Args:
        error: the exception, with its traceback.

    Returns: What was found; None where there is no script, or where it does not fail in the same place again.
    """
    if not available():
        return None
    if not hasattr(error, _MARK):
        try:
            setattr(error, _MARK, _survey(error))
        except AttributeError:
            return None
    result: Survey | None = getattr(error, _MARK)
    return result


def _survey(error: BaseException) -> Survey | None:
    found = program_of(error)
    if found is None:
        return None
    program, told = found
    outcome = run(program, told[0], allowed(_SECONDS), eager=True)
    if list(outcome.lines[: len(told)]) != told:
        # what runs as a graph may fail earlier, or not at all, or too late, where it runs directly
        graph = run(program, told[0], allowed(_SECONDS), eager=False, noting=True)
        outcome = graph if graph.error is not None and list(graph.lines[: len(told)]) == told else outcome
    if outcome.error is None or outcome.lines[:1] != (told[0],):
        return None
    both = dict.fromkeys([str(outcome.error), str(error)])
    messages = tuple(sorted(both, key=lambda text: "xpected shape" not in text))  # the declared one first
    owner, weighted = owner_of(outcome.error), _weighted(outcome.error)
    item: BaseException | None = outcome.error
    while item is not None and item is not error:  # the user's own exception may be the context of this one
        item.__traceback__ = None  # its frames hold what the run has made
        item = item.__context__
    return Survey(program, outcome, outcome.lines, messages, owner, weighted=weighted)


def _weighted(error: BaseException) -> tuple[tuple[int | None, ...], tuple[int | None, ...]] | None:
    """Return the shapes of the values of a loss and of its weights, where it fails as these meet.

    Source: ``keras.src.losses.loss.reduce_weighted_values``.
    """
    for frame, _ in reversed(traceback_frames(error.__traceback__)):
        if frame.f_code.co_name == "reduce_weighted_values":
            pair = [getattr(frame.f_locals.get(name), "shape", None) for name in ("values", "sample_weight")]
            if None not in pair:
                values, weights = (tuple(shape) for shape in pair if shape is not None)
                return values, weights
    return None


def is_the_same(told: Survey, error: BaseException) -> bool:
    """Tell whether a second run ended where the first one did, as far as that tells.

    Args:
        told: the second run.
        error: the exception that ended the first one.
    """
    file = os.path.abspath(told.program.file)
    raised = [
        line
        for frame, line in traceback_frames(error.__traceback__)
        if os.path.abspath(frame.f_code.co_filename) == file
    ]
    return list(told.lines[: len(raised)]) == raised  # it may go further, into what a graph hides


def owner_of(error: BaseException) -> tuple[str, str]:
    """Return the name and the class of the innermost Keras layer that was being called; empty for none.

    Args:
        error: the exception, with its traceback.
    """
    import keras

    for frame, _ in reversed(traceback_frames(error.__traceback__)):
        owner = frame.f_locals.get("self")
        handled = frame.f_locals.get("args", ())[:1] if frame.f_code.co_name == "error_handler" else ()
        for item in (owner, *handled):
            if isinstance(item, keras.Layer):
                return str(item.name), "" if isinstance(item, keras.Model) else type(item).__name__
    return "", ""


def _parses(program: Program) -> bool:
    try:
        compile(program.text, program.file, "exec")
    except (SyntaxError, ValueError):
        return False
    return True


def _operands(program: Program, outcome: Outcome, lines: Sequence[int]) -> dict[str, tuple[int | None, ...]]:
    statement = program.covering(lines[-1]) if lines else None
    if statement is None or outcome.error is None:
        return {}
    found: dict[str, tuple[int | None, ...]] = {}
    table, when = numbered(program), outcome.seen.when
    nodes = [node for node in ast.walk(statement) if node in table]
    whole = when.get(table[nodes[0]], 0) if nodes else 0  # an earlier run of the statement ended then
    for node in nodes:
        if not isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call):
            continue
        if when.get(table[node], 0) <= whole:
            continue
        shapes = [item.shape for item in outcome.seen.values.get(table[node], []) if isinstance(item, Shaped)]
        text = program.line(node)
        if shapes and len(text) <= 40:
            found.setdefault(re.sub(r"\s+", " ", text), shapes[-1])
    return found
