"""Repairs of a whole script: changes of its source with which it was run to its end."""

from __future__ import annotations

import ast
import functools
import linecache
import operator
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise

from shapeinspect import registry
from shapeinspect.api import script_progress
from shapeinspect.api.own_edits import making_lines, own_edits
from shapeinspect.api.script_files import files_of, folder_of, started_in
from shapeinspect.api.script_frames import classes_of, modules_of, running_in, settings_of, shapes_of
from shapeinspect.mismatch import Diagnosis
from shapeinspect.mismatch.diagnosis import Tried
from shapeinspect.mismatch.reasons.headlines import headline
from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.plugin_api.changes import OnInput
from shapeinspect.plugin_api.claims import Claim, Level
from shapeinspect.plugin_api.clock import allowed
from shapeinspect.plugin_api.edit_words import EditWords
from shapeinspect.plugin_api.evidence.edit_causes import causes
from shapeinspect.plugin_api.evidence.evidence import weight
from shapeinspect.plugin_api.facts import KeyedLoad
from shapeinspect.plugin_api.isolation.limits import memory_of_a_run
from shapeinspect.plugin_api.rerun import Debugger
from shapeinspect.plugin_api.suggestions import Suggestion
from shapeinspect.plugin_api.user_code.frames import is_installed, traceback_frames
from shapeinspect.trials.candidates import Candidate, suggested
from shapeinspect.trials.client import Script, available, started
from shapeinspect.trials.coincidences import given_warnings
from shapeinspect.trials.copy_of_process import Copy
from shapeinspect.trials.keys import other_keys
from shapeinspect.trials.rows import other_rows
from shapeinspect.trials.search import Search
from shapeinspect.trials.sizes import sizes_of
from shapeinspect.trials.source_file import File
from shapeinspect.trials.task import Hints, Means, Repair, Searched, Wrong
from shapeinspect.trials.written import shown

#: A script that takes longer up to its failure is not run again, in seconds of processor time.
_LONGEST = 12.0
#: A trial may take so many times what the script took, and at least so many seconds.
_TIMES, _LEAST = 3.0, 1.0
#: So many pairs of lengths tell how stored weights differ.
_PAIRS = 3
_SHOWN = 3
#: What a message about shapes, sizes, dtypes or indices says, and one about a call of Python's.
_OF_SHAPES = re.compile(
    r"shape|size|dimension|\bdims?\b|rank|channel|index|indices|broadcast|axis|dtype|scalar type|elements"
    r"|length",
    re.IGNORECASE,
)
_CALLS = re.compile(
    r"required positional|unexpected keyword|positional argument|not callable|required keyword"
)
#: So few changes are tried where a fix ran already to the end of the program.
_FEW = 6
#: Sentences on what is wrong, and how many of them are about other places than the first fix.
_REASONS, _OTHERS = 5, 2
#: The rank below which there is evidence for a change.
_SURE = -0.1
#: A change that stands further behind comes after a fix that the debugger has run.
_NEAR = 5


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a search for changes of a script has found.

    Args:
        fixes: the fixes, the likeliest first.
        ended: what ended the search before it was through, a sentence; empty for nothing.
        interrupted: whether that was the person who waits.
    """

    fixes: tuple[Tried, ...] = ()
    ended: str = ""
    interrupted: bool = False


def server(error: BaseException, script: str, used: float) -> subprocess.Popen[bytes] | None:
    """Start what runs trials while the failure is still being explained, where that takes long to start.

    Args:
        error: what ended the script.
        script: the script's path.
        used: how much processor time it took, in seconds.

    Returns:
        The process, which the caller ends; None where trials need no process of their own, or are unlikely.
    """
    if used > _LONGEST or not available() or not _may_be_of_shapes(error) or _prepared() is not None:
        return None
    return started(folder_of(os.path.abspath(script)))


def early_copy(script: str) -> Copy | None:
    """Make the server of trials as a copy of this process, while that can still be copied.

    Args:
        script: the script's path.

    Returns:
        The copy, which the caller ends; None where trials do not run on this system.
    """
    if not available():
        return None
    with suppress(OSError):
        return Copy(folder_of(os.path.abspath(script)), _prepare, amid=True)
    return None


def _prepare() -> None:
    for debugger in registry.debuggers():
        debugger.prepare_copy()


def repaired(
    error: BaseException,
    diagnosis: Diagnosis | None,
    script: str,
    argv: Sequence[str],
    began: float,
    used: float,
    begun: subprocess.Popen[bytes] | Copy | None = None,
) -> Repaired:
    """Look for changes of a script's source with which it runs to its end.

    Args:
        error: what ended the script.
        diagnosis: what is known of it; None for nothing.
        script: the script's path.
        argv: its arguments.
        began: when it began, in seconds since 1970.
        used: how much processor time it took, in seconds.
        begun: what :func:`server` has started, or :func:`early_copy` has made.

    Returns:
        The fixes; none where nothing was found or the script cannot be run again.
    """
    if used > _LONGEST or not available() or (diagnosis is None and not _may_be_of_shapes(error)):
        return Repaired()
    path = os.path.abspath(script)
    folder = folder_of(path)
    frames = [
        (frame, line)
        for frame, line in traceback_frames(error.__traceback__)
        if os.path.abspath(frame.f_code.co_filename).startswith(folder + os.sep)
        and not is_installed(frame.f_code.co_filename)
        and not frame.f_code.co_filename.startswith("<")  # code without a file
    ]
    files = [*files_of(path, folder)]
    if not frames or not files:
        return Repaired()
    places = tuple((os.path.relpath(frame.f_code.co_filename, folder), line) for frame, line in frames)
    name = os.path.relpath(path, folder)
    order = Script(
        folder,
        name,
        started_in(folder),
        tuple(argv),
        began,
        memory_of_a_run(),
        any("../" in file.text or '".."' in file.text or ".parent" in file.text for file in files),
    )
    known, likely, others = _known(diagnosis)
    sizes = sizes_of(str(error), known, likely, others)
    wrong = Wrong(
        places,
        type(error).__name__,
        str(error),
        sizes,
        classes_of(frames),
        modules_of(frames),
        _in_data(diagnosis),
        running_in(frames, folder),
        given_warnings([frame for frame, _ in frames]),
        shapes_of(frames),
    )
    own = [*own_edits(diagnosis, files, places)]
    held = [*other_rows(files, sizes.pairs), *other_keys(files, settings_of(frames), sizes.pairs)]
    suggested = [*own, *held, *_suggested(error, files, folder)]
    settled = diagnosis is not None and not own and _is_settled(diagnosis)
    if settled:  # only what is known to make the sizes equal may be better
        suggested = sorted((one for one in suggested if one.rank < 1), key=lambda one: one.rank)[:_FEW]
    limit = allowed(max(_LEAST, _TIMES * used))
    words = functools.reduce(operator.or_, (debugger.words for debugger in registry.debuggers()), EditWords())
    hurried = any(debugger.hurries for debugger in registry.debuggers())

    def later(changed: Sequence[File], message: str) -> list[Candidate]:
        return [*_suggested_later(error, changed, message, folder)]

    means = Means(limit, _prepared(), begun, hurried)
    hints = Hints(words, suggested, settled, later, _weights(error, folder))
    search = Search(order, files, wrong, means, hints, script_progress.trial)
    searched = search.run()
    found, said = searched.repairs, [repair.why for repair in searched.repairs]
    if not found and not settled and (left := search.untried()) is not None:
        return Repaired((_not_tried(left, files),), _ended(searched), searched.interrupted)
    script_progress.line("finding out why it runs then" if found else "")
    if found and not searched.interrupted:
        said[0] = (*_causes(error, found[0], folder, words), *_other_places(error, found, folder, words))
    fixes = tuple(_tried(repair, why) for repair, why in zip(found, said, strict=True))
    return Repaired(fixes, _ended(searched), searched.interrupted)


def _ended(searched: Searched) -> str:
    """Say what ended a search before it was through."""
    changes = "1 change" if searched.trials == 1 else f"{searched.trials} changes"
    return f"{changes} of the script; {searched.ended}" if searched.ended else ""


def placed(diagnosis: Diagnosis, script: str) -> Diagnosis:
    """Return a diagnosis that says where the layers are made whose settings its first fix changes.

    Args:
        diagnosis: the diagnosis.
        script: the script's path.
    """
    path = os.path.abspath(script)
    said = making_lines(diagnosis, [*files_of(path, folder_of(path))])
    return replace(diagnosis, because=(*said, *diagnosis.because)[:_REASONS]) if said else diagnosis


def merged(diagnosis: Diagnosis, found: Sequence[Tried]) -> Diagnosis:
    """Return a diagnosis with the fixes of the whole script among its own.

    Args:
        diagnosis: the diagnosis.
        found: the fixes with which the script was run.
    """
    own = diagnosis.fixes
    first = bool(own) and own[0].claim.level is Level.WHOLE and not own[0].fix.alters
    first = first and _is_code(own[0].text) and all(one.fix.rank > _NEAR or one.fix.alters for one in found)
    kept = [one for one in found if not one.fix.alters] or [*found]
    own = tuple(one for place, one in enumerate(own) if (first and not place) or one.text not in _texts(kept))
    kept = [one for one in kept if not first or one.text != own[0].text]
    fixes = [*own[:1], *kept, *own[1:]] if first else [*kept, *own]
    told = replace(diagnosis, fixes=tuple(fixes[:_SHOWN]))
    if not kept or fixes[0] is not kept[0]:
        return told
    fix = kept[0].fix
    because = tuple(dict.fromkeys([*diagnosis.sure, *fix.why, *diagnosis.because]))[:_REASONS]
    cause = headline(fix.cause, diagnosis.failure, diagnosis.problem) if fix.cause else diagnosis.cause
    return replace(told, cause=cause, because=because)


def _is_settled(diagnosis: Diagnosis) -> bool:
    """Tell whether the first fix ran to the program's end, alters nothing and says where it is written."""
    if not diagnosis.fixes:
        return False
    first = diagnosis.fixes[0]
    placed = " instead of " in first.text or re.fullmatch(r'\w+=[^ ]+ in "[^"]+"', first.text) is not None
    ran = first.claim.level is Level.WHOLE and first.claim.to_end
    return ran and placed and not first.fix.alters and _is_code(first.text)


def _texts(fixes: Sequence[Tried]) -> set[str]:
    return {one.text for one in fixes}


def _is_code(text: str) -> bool:
    """Tell whether a fix is code that can be pasted, and not a size or a sentence.

    Args:
        text: the fix.

    Example:
        >>> _is_code('in_channels=12 in "conv"'), _is_code("feed x.unsqueeze(0)"), _is_code("feed 96×96")
        (True, True, False)
    """
    written = re.sub(r"^(?:feed|pass|set) ", "", text)
    written = re.split(r" instead of | in \"| before ", written, maxsplit=1)[0]
    try:
        return bool(ast.parse(written).body)
    except SyntaxError:
        return False


def _may_be_of_shapes(error: BaseException) -> bool:
    """Tell whether a framework, and not the user's own code, refused something of shapes."""
    if not isinstance(error, RuntimeError | ValueError | IndexError | TypeError) or _CALLS.search(str(error)):
        return False
    frame, line = traceback_frames(error.__traceback__)[-1]
    source = linecache.getline(frame.f_code.co_filename, line, frame.f_globals).strip()
    own = not is_installed(frame.f_code.co_filename) and source.startswith(("raise", "assert"))
    return not own and bool(registry.debuggers()) and bool(_OF_SHAPES.search(str(error)))


def _failed(debugger: Debugger, problem: Exception) -> None:
    """Say that a plug-in did not answer; the search goes on with less."""
    script_progress.line("")
    name = type(debugger).__name__
    sys.stderr.write(f"shapeinspect: {name} suggests nothing ({type(problem).__name__}: {problem})\n")


def _prepared() -> Callable[[], object] | None:
    """Return what the frameworks need in a copy of this process; None where one of them cannot run in it."""
    return _prepare if all(debugger.runs_in_copies() for debugger in registry.debuggers()) else None


def _suggested(error: BaseException, files: Sequence[File], folder: str) -> Iterator[Candidate]:
    """Return what the plug-ins suggest, as changes of the files that may be changed."""
    return _placed(files, folder, lambda debugger: debugger.suggestions(error))


def _weights(error: BaseException, folder: str) -> Callable[[Candidate], float] | None:
    """Return what tells how the source speaks for or against a change; None where it says nothing."""
    found = []
    for debugger in registry.debuggers():
        with suppress(Exception):  # without it the search has less to go by
            found += [*debugger.evidence(error)]
    if not found:
        return None
    said = [
        replace(
            one,
            wrong=tuple(replace(span, file=os.path.abspath(span.file)) for span in one.wrong),
            right=tuple(replace(span, file=os.path.abspath(span.file)) for span in one.right),
        )
        for one in found
    ]

    def weigh(one: Candidate) -> float:
        edits = [(edit.first, edit.last, edit.new) for edit in one.edits]
        return weight(said, os.path.join(folder, one.file), edits)

    return weigh


def _suggested_later(
    error: BaseException, files: Sequence[File], message: str, folder: str
) -> Iterator[Candidate]:
    """Return what the plug-ins suggest for files that are changed already, and fail with another message."""
    texts = {os.path.join(folder, file.path): file.text for file in files}
    return _placed(files, folder, lambda debugger: debugger.later_suggestions(error, texts, message))


def _placed(
    files: Sequence[File], folder: str, ask: Callable[[Debugger], Iterable[Suggestion]]
) -> Iterator[Candidate]:
    by_path = {os.path.join(folder, file.path): file for file in files}
    for debugger in registry.debuggers():
        try:
            suggestions = [*ask(debugger)]
        except Exception as problem:  # noqa: BLE001  # without it the search has less to go by
            _failed(debugger, problem)
            continue
        for one in suggestions:
            file = by_path.get(os.path.abspath(one.file))
            if file is not None:
                yield suggested(file, one)


def _known(
    diagnosis: Diagnosis | None,
) -> tuple[list[tuple[int, int]], list[tuple[int, int]], list[int]]:
    """Return the pair of sizes that should be equal, such pairs as may be meant, and all sizes in sight."""
    if diagnosis is None:
        return [], [], []
    demand, shapes = diagnosis.problem.demand, diagnosis.problem.shapes
    known = [(demand.had, demand.wanted)] if demand is not None and isinstance(demand.had, int) else []
    known += [*_stored(diagnosis), *_resized(diagnosis)]
    sizes = [[size for size in shape if isinstance(size, int)] for shape in shapes if shape]
    likely = [
        (a, b)
        for one, other in pairwise(sizes)
        for a, b in [*zip(one[::-1], other[::-1], strict=False), *zip(one[-1:], other[-2:-1], strict=False)]
        if a != b and 1 not in (a, b)
    ]
    return known, likely, [size for shape in sizes for size in shape]


def _stored(diagnosis: Diagnosis) -> list[tuple[int, int]]:
    """Return the lengths that are stored otherwise, those of the model first, the most frequent ones."""
    fact = diagnosis.failure.fact
    pairs = Counter(
        (own, stored)
        for _, had, wanted in (fact.reshaped if isinstance(fact, KeyedLoad) else ())
        for stored, own in zip(had, wanted, strict=False)
        if len(had) == len(wanted) and own != stored
    )
    return [pair for pair, _ in pairs.most_common(_PAIRS)]


def _resized(diagnosis: Diagnosis) -> list[tuple[int, int]]:
    """Return the lengths that the first fix changes of what is fed, and those that it feeds instead."""
    pairs: list[tuple[int, int]] = []
    for change in diagnosis.fixes[0].fix.changes if diagnosis.fixes else ():
        value = diagnosis.model.values.get(change.name) if isinstance(change, OnInput) else None
        for step in change.steps if isinstance(change, OnInput) else ():
            if step[0] == "resize" and value is not None and value.shape is not None:
                rows = zip(value.shape, step[1], strict=False)
                pairs += [(a, b) for a, b in rows if isinstance(a, int) and a != b]
    return list(dict.fromkeys(pairs))


def _in_data(diagnosis: Diagnosis | None) -> bool | None:
    if diagnosis is None or not diagnosis.fixes:
        return None
    changes = diagnosis.fixes[0].fix.changes
    return None if not changes else all(isinstance(change, OnInput) for change in changes)


def _causes(
    error: BaseException, repair: Repair, folder: str, words: EditWords, again: bool = True
) -> tuple[str, ...]:
    """Return what was wrong if a repair is right: as it says itself, else by the values of the second run.

    Args:
        error: what ended the script.
        repair: the repair.
        folder: the folder of its files.
        words: how the frameworks in use are written.
        again: whether the repaired script is run once more for its values.
    """
    if repair.why or repair.alters:
        return repair.why
    for debugger in registry.debuggers():
        try:
            trace = debugger.trace(error, {})
            if trace is not None:
                paths = {os.path.relpath(os.path.abspath(file), folder): file for file in trace.texts}
                texts = {paths[path]: text for path, text in repair.texts.items() if path in paths}
                after = debugger.trace(error, texts) if again else None
                return causes(trace, texts, words, after, repair.result.status == "passed")
        except Exception:  # noqa: BLE001, S112  # the fix stands without it
            continue
    return ()


def _other_places(
    error: BaseException, found: Sequence[Repair], folder: str, words: EditWords
) -> tuple[str, ...]:
    """Say what is written at other places that may as well be the wrong one; nothing where there is none."""
    if found[0].why or found[0].rank < _SURE:  # there is evidence for the first
        return ()
    said, seen = [], {(one.file, one.line) for one in found[0].written}
    for other in found[1:]:
        places = {(one.file, one.line) for one in other.written}
        if not other.alters and not seen & places:
            seen |= places
            said += [f"or {one}" for one in _causes(error, other, folder, words, again=False)[:1]]
    return tuple(said[:_OTHERS])


def _tried(repair: Repair, why: tuple[str, ...]) -> Tried:
    text = ", ".join(
        f"{one.new} instead of {one.old}" if one.new.strip() else f"nothing instead of {one.old}"
        for one in repair.written
    )
    places = " and ".join(dict.fromkeys(f"{os.path.basename(one.file)}:{one.line}" for one in repair.written))
    rest = f"the change is in {places}"
    if repair.note:
        rest += f"; it changes {repair.note}"
    if repair.result.refused:
        rest += f"; what it does outside was refused: {' and '.join(repair.result.refused[:2])}"
    if repair.result.status == "passed":
        claim = Claim(Level.WHOLE, "the whole script", rest)
    else:
        seconds = max(round(repair.result.seconds), 1)
        claim = Claim(
            Level.WHOLE, "the failing statement", f"the script was stopped after {seconds} s; {rest}"
        )
    fix = Fix(repair.cause, (), round(repair.rank), text, alters=repair.alters, why=why)
    return Tried(fix, text, claim)


def _not_tried(one: Candidate, files: Sequence[File]) -> Tried:
    """Return a change that says what is wrong, where there was no time to run the script with it."""
    written = shown(next(file for file in files if file.path == one.file), one)
    text = ", ".join(f"{part.new} instead of {part.old}" for part in written)
    places = " and ".join(dict.fromkeys(f"{os.path.basename(part.file)}:{part.line}" for part in written))
    claim = Claim(Level.UNTRIED, rest=f"the trials ended before it; the change is in {places}")
    return Tried(Fix(one.cause, (), round(one.rank), text, why=(one.why,)), text, claim)
