"""Tells from a second run of the program where lengths come from, and which edits of its source mend it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from shapeinspect.plugin_api.evidence.choices_made import chosen
from shapeinspect.plugin_api.evidence.comments import contradicted
from shapeinspect.plugin_api.evidence.joins import lone_joins
from shapeinspect.plugin_api.evidence.left_out import left_out
from shapeinspect.plugin_api.evidence.lengths.rules import made
from shapeinspect.plugin_api.evidence.mixed_samples import mixed_samples
from shapeinspect.plugin_api.evidence.other_entries import of_other_entries
from shapeinspect.plugin_api.evidence.unused import unused
from shapeinspect.plugin_api.origins.edits import Candidate, Sources, candidates, rescaled
from shapeinspect.plugin_api.origins.factors import hop_of_rates, rule
from shapeinspect.plugin_api.origins.literals import Literal
from shapeinspect.plugin_api.origins.numbers import Origin
from shapeinspect.plugin_api.origins.remainders import multiplied, remainder, rounded
from shapeinspect.plugin_api.origins.words import Words
from shapeinspect.plugin_api.programs.arguments import keyword_edit
from shapeinspect.plugin_api.programs.dependence import held
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.story import Story
from shapeinspect.plugin_api.suggestions import Replacement, Suggestion
from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_torch.debug.origins import indices, labels, stored
from shapeinspect_torch.debug.origins.batches import incomplete, last_batch
from shapeinspect_torch.debug.origins.following import Found
from shapeinspect_torch.debug.origins.lengths import Pair, compared, tables
from shapeinspect_torch.debug.origins.ranks import births, changed_ranks
from shapeinspect_torch.debug.origins.second_run import SecondRun, can_run, second_run

#: At most so many edits are listed, and so many sentences.
_EDITS, _SENTENCES = 12, 4
#: So many runs of the script look for a default that is to be passed.
_RUNS = 2
#: The rank of an edit that is known to help.
_CERTAIN = -0.2
#: Functions that stand for data in a program.
_DATA = ("rand", "randn", "randint", "random", "normal", "uniform", "sample")
#: Where an exception keeps what a second run has told.
_KEPT = "__shapeinspect_story__"
_RESHAPES = ("view", "reshape", "unflatten")
#: Kinds of origins of a length that somebody has chosen or computed.
_MADE = ("axis", "literal", "operation")


def story_of(error: BaseException) -> Callable[[], Story] | None:
    """Return what runs the program that an exception ended a second time; None where it cannot be run again.

    Args:
        error: the exception, with its traceback; it keeps what is told.
    """
    if not can_run(error):
        return None

    def tell() -> Story:
        story: Story | None = getattr(error, _KEPT, None)
        if story is None:
            second = second_run(error)
            story = Story() if second is None else told(second)
            with suppress(AttributeError):
                setattr(error, _KEPT, story)
        return story

    return tell


def solved(error: BaseException) -> Iterator[Suggestion]:
    """Yield the edits of one literal after which the lengths that differ are equal.

    Args:
        error: the exception, with its traceback.
    """
    tell = story_of(error)
    yield from tell().suggestions if tell is not None else ()
    for one in tell().edits if tell is not None else ():
        edits = tuple((piece.start, piece.end, piece.code) for piece in one.replacements)
        data = one.literal.owner.rpartition(".")[2] in _DATA and one.literal.role == "argument"
        yield Suggestion(one.replacements[0].file, edits, one.rank, alters="what is read" if data else "")


def told(second: SecondRun) -> Story:
    """Return what a second run of a program tells about its failure.

    Args:
        second: the second run.
    """
    found, evidence, mixed = second.found, contradicted(second.trace), mixed_samples(second.trace)
    said = [*(one.sentence for one in evidence[:1]), *[*lone_joins(second.trace)][:1]]
    if found is None or not _of_loss(found):  # that of a loss is told by its calls
        said += [one.sentence for one in mixed[:1]]
    evidence = (*evidence, *mixed)
    if found is None:
        known = (*indices.stated(second.trace, second.program.first.message), *made(second.trace, ()))
        known += (*births(second.trace),)
        said += known
        return Story(tuple(said[:_SENTENCES]), evidence=evidence, sure=known)
    pairs, literals = compared(found), [_named(one) for one in second.literals]
    words = Words(literals, second.program.path)
    forgotten = unused(second.trace, [(pair.wanted.value, pair.had.value) for pair in pairs])
    defaults = _defaults(second, pairs, literals)
    said += [*(one.sentence for one in forgotten[:1]), *(one.why for one in defaults)]
    sure = [*labels.told(found, words)]
    sure += indices.told(found, second.trace, second.program.first.message)
    words.said()  # whatever they name is what the failed call was given
    sizes = [*found.numbers, *(one for pair in pairs for one in (pair.wanted, pair.had))]
    sure += [*chosen(second.trace, sizes)][:1]
    sure += [*of_other_entries([(pair.wanted, pair.had) for pair in pairs], literals, words.line)][:1]
    several = (multiplied(pair.wanted, pair.had, words.line) for pair in pairs if not pair.batch)
    sure += [one for one in several if one][:1]
    sure += made(second.trace, [(pair.wanted.value, pair.had.value) for pair in pairs])
    said += sure
    ranks = [*changed_ranks(second.trace, found)]
    # axes that are apart are compared by no length
    said += ranks or held(_sentences(pairs, found, words), second.program, words, literals)
    said += _built_with(found, words)
    because = [one for one in dict.fromkeys(said) if not any(one != other and one in other for other in said)]
    suggestions = (*defaults, *_whole_batches(second, pairs, words))
    edits = () if ranks else tuple(_edits(found, pairs, literals))
    told_of = tuple(because[:_SENTENCES])
    return Story(told_of, edits, found, (*evidence, *forgotten), suggestions, tuple(sure))


def _of_loss(found: Found) -> bool:
    return "loss" in found.function or "cross_entropy" in found.function


def _defaults(second: SecondRun, pairs: Sequence[Pair], literals: Sequence[Literal]) -> list[Suggestion]:
    """Return the edits that pass what a call leaves out, with which the script runs to its end."""
    involved = {site for pair in pairs for one in (pair.wanted, pair.had) for site in one.literals()}
    trace, program, runs = second.trace, second.program, 0
    for one in left_out(trace, literals, involved):
        file = trace.homes[one.call]
        for value in one.values():
            start, end, new = one.edit(trace, value)
            raw = program.texts[file].encode()
            text = (raw[:start] + new.encode() + raw[end:]).decode()
            runs += 1
            if program.with_texts({file: text}).traced().status == "end":
                why = one.sentence(trace)
                return [Suggestion(file, ((start, end, new),), _CERTAIN, why=why)]
            if runs >= _RUNS:
                return []
    return []


def _whole_batches(second: SecondRun, pairs: Sequence[Pair], words: Words) -> list[Suggestion]:
    """Return the edit that leaves out a batch that has fewer samples than the others."""
    trace, short = second.trace, [pair for pair in pairs if _of_last_batch(pair)]
    rests = [incomplete(one) for pair in short for one in (pair.wanted, pair.had)]
    places = {(rest.file, rest.line) for rest in rests if rest is not None}
    for node in (one for file in trace.texts for one in ast.walk(trace.tree(file))):
        if isinstance(node, ast.Call) and callee_of(node) == "DataLoader":
            file = trace.homes[node]
            if (file, node.lineno) in places:
                why = last_batch(short[0].wanted, short[0].had, words.line)
                return [Suggestion(file, (_dropping(trace, node),), _CERTAIN, why=why)]
    return []


def _dropping(trace: Trace, call: ast.Call) -> Replacement:
    for word in call.keywords:
        if word.arg == "drop_last":
            span = trace.span(word.value)
            return span.start, span.end, "True"
    return keyword_edit(trace, call, "drop_last", "True")


def _of_last_batch(pair: Pair) -> bool:
    return bool(last_batch(pair.wanted, pair.had, lambda _file, _line: ""))


def _named(literal: Literal) -> Literal:
    """Name an argument of one of torch's own layers."""
    import torch

    home, _, name = literal.owner.rpartition(".")
    if literal.role != "argument" or literal.name or home not in ("nn", "torch.nn"):
        return literal
    kind = getattr(torch.nn, name, None)
    if not isinstance(kind, type) or literal.position < 0:
        return literal
    names = list(inspect.signature(kind).parameters)
    return replace(literal, name=names[literal.position]) if literal.position < len(names) else literal


def _sentences(pairs: Sequence[Pair], found: Found, words: Words) -> Iterator[str]:
    yield from stored.told(found.stored, words)
    for pair in pairs[:2]:
        of_last = last_batch(pair.wanted, pair.had, words.line)
        if of_last:
            yield of_last
            yield words.told(pair.had if incomplete(pair.had) is None else pair.wanted)
            continue
        ways = (pair.wanted, pair.had)
        yield remainder(*ways) or rule(*ways) or rounded(*ways)
        joined = [*_joined_samples(pair, words)]
        yield from joined
        if joined:
            continue
        shared = words.shared(pair.wanted, pair.had)
        if shared:
            yield shared
        else:
            yield words.told(pair.wanted)
            yield words.told(pair.had)
    for name, taken, given in found.idle:
        if any((taken, given) == (pair.had.value, pair.wanted.value) for pair in pairs):
            yield f'"{name}", which makes {given} of {taken}, was not called'
    for table in tables(found):
        yield words.told(table)
    if not pairs and found.function in _RESHAPES:
        yield from _reshaped(found, words)


def _built_with(found: Found, words: Words) -> Iterator[str]:
    """Say where the numbers come from with which a layer could not be made, those that are computed first."""
    numbers = found.numbers if found.building else ()
    for one in sorted(numbers, key=lambda one: one.kind != "operation"):
        if one.value > 1:
            yield words.told(one)


def _reshaped(found: Found, words: Words) -> Iterator[str]:
    """Say what a reshape asks for, and how the lengths came about that it does not ask for."""
    yield from _asked_of_a_full_batch(found, words)
    for number in found.numbers:
        if number.kind == "operation" and number.value != -1:
            yield words.told(number)
    for number in _asked_alone(found):
        yield words.told(number)
    asked = [number.value for number in found.numbers]
    for axis in (axis for one in found.operands[:1] for axis in one.axes):
        if axis is not None and axis.kind in _MADE and axis.value not in asked and axis.value > 1:
            yield words.told(axis)


def _asked_of_a_full_batch(found: Found, words: Words) -> Iterator[str]:
    """Say that a reshape asks for the samples of a full batch, and has those of the last one."""
    rests = [incomplete(axis) for one in found.operands[:1] for axis in one.axes[:1] if axis is not None]
    for rest in filter(None, rests):
        for number in found.numbers:
            yield last_batch(rest, number, words.line)


def _asked_alone(found: Found) -> Iterator[Origin]:
    """Yield the literals among the lengths that a reshape asks for that the tensor does not have."""
    has = [
        part for one in found.operands[:1] for axis in one.axes if axis is not None for part in _parts(axis)
    ]
    for number in found.numbers:
        if number.value in has:
            has.remove(number.value)
        elif number.kind == "literal" and number.value > 1:
            yield number


def _parts(axis: Origin) -> list[int]:
    """Return the lengths that were merged to one."""
    merged = axis.kind == "operation" and axis.symbol == "*"
    return [axis.value] if not merged else [part for one in axis.parts for part in _parts(one)]


def _joined_samples(pair: Pair, words: Words) -> Iterator[str]:
    """Say that arrays were joined along the axis of the samples, where samples are counted."""
    for one in (pair.wanted, pair.had):
        parts = [part.value for part in one.parts]
        if pair.batch and one.kind == "operation" and one.symbol == "+" and one.line and len(set(parts)) == 1:
            at = words.line(one.file, one.line)
            yield f"{len(parts)} times {parts[0]} samples are joined along their axis 0 to {one.value}, {at}"


def _edits(found: Found, pairs: Sequence[Pair], literals: list[Literal]) -> list[Candidate]:
    """Return the edits after which the lengths may fit."""
    sources = Sources({file: _text(file) for file in dict.fromkeys(one.file for one in literals)})
    settings = [(name, origin.value) for name, origin in found.settings]
    lengths = [(pair.wanted, pair.had) for pair in pairs if not pair.batch and not _of_last_batch(pair)]
    numbers = found.numbers if found.function in _RESHAPES else ()
    rates = [hop_of_rates(pair.wanted, pair.had) for pair in pairs]
    told = [one for known in rates if known is not None for one in rescaled(*known, literals)]
    return told + candidates(lengths, numbers, settings, literals, sources)[:_EDITS]


def _text(file: str) -> str:
    with open(file, encoding="utf-8") as source:
        return source.read()
