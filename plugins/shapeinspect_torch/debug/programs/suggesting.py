"""Edits of a script that are worth a run of it, as its values and its failing expressions suggest them."""

from __future__ import annotations

import ast
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from shapeinspect.plugin_api.evidence.brothers import brothers, settings_of_brothers
from shapeinspect.plugin_api.evidence.mixed_samples import kept_samples
from shapeinspect.plugin_api.evidence.products import products
from shapeinspect.plugin_api.evidence.shifts import shifted
from shapeinspect.plugin_api.programs.arguments import (
    arguments,
    calls_of,
    flags,
    given_by_call,
    keyword_edit,
    named_sizes,
)
from shapeinspect.plugin_api.programs.lineage import lineage
from shapeinspect.plugin_api.programs.named_rules import alike, by_names
from shapeinspect.plugin_api.programs.numbers import Pair, resized
from shapeinspect.plugin_api.programs.places import Step, operands, places_of, steps_of
from shapeinspect.plugin_api.programs.probes import Form, that_run
from shapeinspect.plugin_api.programs.source_edit import edited
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.programs.vocabulary import Vocabulary
from shapeinspect.plugin_api.suggestions import REFUSED, Suggestion
from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_torch.debug.edit_words import WORDS
from shapeinspect_torch.debug.origins.following import as_before
from shapeinspect_torch.debug.origins.second_run import message_of, second_run
from shapeinspect_torch.debug.programs.along import (
    exchanged,
    forgotten_arguments,
    forgotten_layers,
    nearby,
    parts_read,
)
from shapeinspect_torch.debug.programs.indices import outside
from shapeinspect_torch.debug.programs.tensors import (
    at_their_source,
    renamed,
    reordered,
    same_names,
    unwrapped,
    without_argument,
    wrapped,
)

_BATCHED = (("batch_first", "True"),)
#: Flags of torch's own layers that change the order or the number of axes.
_FLAGS = {
    **dict.fromkeys(
        (
            "RNN",
            "LSTM",
            "GRU",
            "MultiheadAttention",
            "TransformerEncoderLayer",
            "TransformerDecoderLayer",
            "Transformer",
        ),
        _BATCHED,
    ),
    "DataLoader": (("drop_last", "True"),),
    **dict.fromkeys(("mean", "sum", "max", "amax"), (("keepdim", "True"),)),
}
#: At most so many functions are searched for axes.
_FUNCTIONS = 8
_PAIRS = 6


def suggested(error: BaseException) -> list[Suggestion]:
    """Return the edits of the script of an error that are worth a run of it, the likeliest first.

    Args:
        error: the exception.
    """
    second = second_run(error)
    if second is None:
        return []
    trace = second.trace
    found = suggestions(trace, steps_of(trace, error.__traceback__), message_of(error))
    ordered = sorted(found, key=lambda one: one.rank)
    best: dict[tuple[str, tuple[tuple[int, int, str], ...]], Suggestion] = {}
    for one in ordered:
        best.setdefault((one.file, one.edits), one)
    return [*best.values()]


def suggested_later(error: BaseException, texts: Mapping[str, str], message: str) -> list[Suggestion]:
    """Return the edits worth a run of a script that has been changed, and fails in another way.

    Args:
        error: the exception that ended the script as the user wrote it.
        texts: the changed files, by their paths.
        message: the message of the exception that ends the changed script.
    """
    second = second_run(error)
    if second is None:
        return []
    own = {
        path: texts[os.path.abspath(path)] for path in second.program.texts if os.path.abspath(path) in texts
    }
    trace = second.changed(own)
    if trace.ended.status != "error" or trace.ended.message.partition("\n")[0] != message.partition("\n")[0]:
        return []
    return sorted(suggestions(trace, places_of(trace), message), key=lambda one: one.rank)


def suggestions(trace: Trace, steps: Sequence[Step], message: str) -> Iterator[Suggestion]:
    """Yield the edits worth trying.

    Args:
        trace: the script.
        steps: the expressions that were running, the innermost first.
        message: torch's message.
    """
    pairs = [*outside(steps, message), *pairs_of(message)]
    functions = _functions(trace, steps)
    along = lineage(trace, [step.node for step in steps])
    vocabulary = Vocabulary(trace)
    edits = [
        *wrapped(trace, steps, pairs, message, vocabulary),
        *unwrapped(trace, functions, along),
        *without_argument(trace, steps),
    ]
    running = [*_running(trace, steps, edits)]
    yield from running
    yield from at_their_source(trace, steps, [one for one in running if one.rank != REFUSED])
    yield from reordered(trace, steps)
    yield from products(trace, along, pairs)
    yield from kept_samples(trace, pairs)
    yield from shifted(trace, steps, along, pairs)
    yield from brothers(trace, along)
    yield from settings_of_brothers(trace, along, WORDS.settings)
    yield from by_names(trace, along, pairs, vocabulary)
    yield from alike(trace, along, vocabulary)
    yield from forgotten_arguments(trace, along, vocabulary)
    yield from exchanged(trace, along, pairs)
    yield from forgotten_layers(trace, along)
    yield from parts_read(trace, along)
    yield from nearby(trace, along)
    yield from flags(trace, _FLAGS)
    yield from _named(trace)
    yield from renamed(trace, functions)
    yield from named_sizes(trace, pairs)
    yield from given_by_call(trace, resized(trace, pairs, _lengths(trace, steps)))


def _running(trace: Trace, steps: Sequence[Step], edits: Sequence[Suggestion]) -> Iterator[Suggestion]:
    """Yield the edits of the failing expressions with which these run, and those of other expressions."""
    forms: list[Form] = []
    whose: list[Suggestion] = []
    others: list[Suggestion] = []
    spans = [(step, trace.span(step.node)) for step in steps]
    for one in edits:
        first, last, new = one.edits[0]
        inside = (
            (step, span)
            for step, span in spans
            if span.file == one.file and span.start <= first <= last <= span.end
        )
        step, span = next(inside, (None, None))
        if step is None or span is None or step.frame is None:
            others.append(one)
        else:
            text = edited(trace.source(step.node), [(first - span.start, last - span.start, new)])
            forms.append(Form(step.frame, text))
            whose.append(one)
    answers = that_run(forms, (as_before,)) if forms else []
    for one, runs in zip(whose, answers, strict=True):
        yield one if runs else replace(one, rank=one.rank + 1.0 if runs is None else REFUSED)
    for one in others:
        yield replace(one, rank=one.rank + 0.5)


def pairs_of(message: str) -> list[Pair]:
    """Return the sizes that are wanted, each with the one that is there.

    Args:
        message: torch's message.

    Example:
        >>> pairs_of("mat1 and mat2 shapes cannot be multiplied (8x6400 and 3136x128)")
        [(3136, 6400)]
        >>> pairs_of("Expected hidden[0] size (2, 1, 40), got [2, 16, 40]")
        [(1, 16)]
    """
    index = re.search(r"index (\d+) is out of bounds for (?:dimension|axis) -?\d+ with size (\d+)", message)
    if index:
        return [(int(index[1]) + 1, int(index[2]))]
    into = re.search(r"shape '\[([\d, ]+)\]' is invalid for input of size (\d+)", message)
    if into:
        wanted = math.prod(int(one) for one in into[1].split(","))
        return [(wanted, int(into[2]))] if wanted > 0 else []
    product = re.search(r"\((\d+)x(\d+) and (\d+)x(\d+)\)", message)
    if product:
        return [(int(product[3]), int(product[2]))]
    stated = re.search(r"to have (\d+) channels, but got (\d+)", message)
    if stated:
        return [(int(stated[1]), int(stated[2]))]
    shapes = [
        [int(one) for one in re.findall(r"\d+", text)]
        for text in re.findall(r"[\[(](-?\d+(?:, -?\d+)*)[\])]", message)
    ]
    found: list[Pair] = []
    for first, second in pairwise(shapes):
        if len(first) == len(second):
            found += [(a, b) for a, b in zip(first, second, strict=True) if a != b]
    if not found and len(shapes) > 1 and shapes[0][-1] != shapes[-1][-1]:
        found.append((shapes[0][-1], shapes[-1][-1]))  # a layer's width, and the last axis
    if not found:
        free = [
            int(one)
            for one in re.findall(r"(?<![\w.\[])\d+(?![\w.\]])", re.sub(r"dimension \d+", "", message))
        ]
        found += [(a, b) for a, b in pairwise(free) if a != b]
        if len(free) > 2:
            found.append((free[0], free[-1]))
    return [(a, b) for a, b in dict.fromkeys(found) if a > 0 and b > 0][:_PAIRS]


def _functions(trace: Trace, steps: Sequence[Step]) -> list[ast.AST]:
    """Return the functions through which an error passed, then those that they call."""
    found: dict[ast.AST, None] = {}
    for step in steps:
        function = trace.function(step.node)
        statement = trace.statement(step.node)
        near = function if function is not None else statement
        if near is not None:
            found.setdefault(near)
    for function in [*found]:
        for node in ast.walk(function):
            if isinstance(node, ast.Call):
                own, _ = trace.definition(node)
                if own is not None and own.name != "__init__":
                    found.setdefault(own)
    if steps:
        for node in trace.tree(steps[-1].file).body:
            if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
                found.setdefault(node)
                for call in ast.walk(node):
                    own = trace.definition(call)[0] if isinstance(call, ast.Call) else None
                    if own is not None and own.name != "__init__":
                        found.setdefault(own)
    return [*found][: _FUNCTIONS * 3]


def _named(trace: Trace) -> Iterator[Suggestion]:
    """Yield calls that are given what the script has under the name of an argument."""
    left = []
    for call in calls_of(trace):
        given = [*arguments(trace, call)]
        left += [
            (call, one.name)
            for one in given
            if not one.written and isinstance(one.node, ast.Constant) and one.node.value is None
        ]
        name = callee_of(call)
        if name == "DataLoader" and "collate_fn" not in [one.name for one in given]:
            left.append((call, "collate_fn"))
    for call, name, value in same_names(trace, left):
        yield Suggestion(trace.homes[call], (keyword_edit(trace, call, name, value),), 0.7)


def _lengths(trace: Trace, steps: Sequence[Step]) -> list[int]:
    """Return the lengths of the tensors that the outermost expression reads."""
    found: list[int] = []
    for step in steps[-2:]:
        for node in operands(trace, step.node):
            found += trace.shape(node) or ()
    return [*dict.fromkeys(found)]
