"""Composes a fix of several edits: after one that gets further, the next failure is diagnosed as well."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.mismatch.repairs.pools import pooled
from shapeinspect.mismatch.repairs.proposals import proposals
from shapeinspect.mismatch.sizes.requirements import problem_of
from shapeinspect.plugin_api.changes import Change, OnCall, OnInput, OnLayer, OnOperand
from shapeinspect.plugin_api.claims import Claim, Level
from shapeinspect.plugin_api.rerun import Failure, Rerun
from shapeinspect.rules.rule import show

#: At most so many edits that differ; one mistake in several places is one edit.
_EDITS = 4
#: At most so many places altogether.
_PLACES = 32
#: At each failure at most so many proposals are tried, and so many of those that get further are followed.
_TRIED, _FOLLOWED = 40, 2

#: A tensor that is passed otherwise: passed so more than once, it is changed where it is made.
_GIVEN = re.compile(r"(?:feed|pass) (?P<value>(?P<name>[A-Za-z_]\w*)[.\[].*)")
#: Runs a call with changes, within the budget.
Attempt = Callable[[Rerun, tuple[Change, ...]], "Failure | None"]
#: Writes a fix in the words of the call's framework.
Write = Callable[[Rerun, Fix], str]


@dataclass(frozen=True, slots=True)
class Gain:
    """A fix that gets past the failure, and where the run ended then."""

    fix: Fix
    ended: Failure


@dataclass(frozen=True, slots=True)
class Edits:
    """Several edits that were tried together.

    Args:
        fixes: the edits, in the order in which they are needed.
        texts: each in the framework's words.
        claim: what was run with all of them.
        where: the user's line that failed first.
    """

    fixes: tuple[Fix, ...]
    texts: tuple[str, ...]
    claim: Claim
    where: str | None = None

    def more(self, fix: Fix, text: str, claim: Claim) -> Edits:
        """Return them with one more.

        Args:
            fix: the edit.
            text: what is printed of it.
            claim: what was run with all of them.
        """
        return Edits((*self.fixes, fix), (*self.texts, text), claim, self.where)

    @property
    def different(self) -> int:
        """How many there are, those of one mistake counted once."""
        return len({_place(fix, text)[0] for fix, text in zip(self.fixes, self.texts, strict=True)})

    @property
    def fix(self) -> Fix:
        """The edits as one fix."""
        changes = tuple(change for fix in self.fixes for change in fix.changes)
        alters = ", ".join(dict.fromkeys(fix.alters for fix in self.fixes if fix.alters))
        return replace(self.fixes[0], changes=changes, text=_joined(self), wording=(), alters=alters)


def gains(failure: Failure, fix: Fix, ended: Failure) -> Iterator[Gain]:
    """Yield the fix where the run gets further with it.

    Args:
        failure: where the run ended without it.
        fix: the fix.
        ended: where it ends with it.
    """
    # A reshape to another shape always gets past itself: that proves nothing.
    if ended.position > failure.position and not any(isinstance(change, OnCall) for change in fix.changes):
        yield Gain(fix, ended)


def composed(rerun: Rerun, found: Sequence[Gain], attempt: Attempt, write: Write) -> Edits | None:
    """Return edits with which the call runs to its end, each for the failure to which the last one leads.

    Args:
        rerun: the failed call.
        found: the fixes that get past its failure, the likeliest first.
        attempt: runs a call with changes; raises when no more may be spent.
        write: writes a fix.
    """
    start = Edits((), (), Claim(), rerun.failure.where)
    several = [_followed(rerun, (gain,), start, attempt, write) for gain in found[:_FOLLOWED]]
    return min(
        (edits for edits in several if edits is not None), key=lambda edits: edits.different, default=None
    )


def further(rerun: Rerun, gain: Gain, write: Write, spent: bool = False) -> Edits | None:
    """Return the fix that gets further than any other, and what fails next.

    Args:
        rerun: the failed call.
        gain: the fix.
        write: writes a fix.
        spent: whether the search for what mends that, too, has ended because its time was up.
    """
    text = write(rerun, gain.fix)
    ended = gain.ended
    shapes = [ended.model.values[name].shape for name in ended.inputs if name in ended.model.values]
    given = " and ".join(show(shape) for shape in shapes if shape is not None)
    rest = f'"{ended.layer.path}" refuses {given}' if given else f'"{ended.layer.path}" fails'
    rest += "; the time to look further was up" if spent else ""
    here = f'"{rerun.failure.layer.path}"' if rerun.failure.layer.path else "the failing call"
    return Edits((gain.fix,), (text,), Claim(Level.FURTHER, here, rest)) if text else None


def _followed(
    rerun: Rerun, found: Sequence[Gain], edits: Edits, attempt: Attempt, write: Write
) -> Edits | None:
    for gain in found[:_FOLLOWED]:
        text = write(rerun, gain.fix)
        more = edits.more(gain.fix, text, edits.claim)
        if not text or more.different > _EDITS or len(more.fixes) >= _PLACES:
            continue
        following = rerun.continued(gain.fix.changes)
        result = None if following is None else _completed(following, more, attempt, write)
        if result is not None:
            return result
    return None


def _completed(rerun: Rerun, edits: Edits, attempt: Attempt, write: Write) -> Edits | None:
    """Return the edits and one more that together let the call run to its end, or still more."""
    failure = rerun.failure
    found: list[Gain] = []
    for fix in (*_repeated(edits.fixes[-1], failure), *_proposed(failure))[:_TRIED]:
        if _undoes(fix, edits):
            continue
        ended = attempt(rerun, fix.changes)
        if ended is not None:
            found += gains(failure, fix, ended)
            if ended.position > failure.position and fix.rank == edits.fixes[-1].rank:
                break  # the same mistake again: what remains to be seen lies behind it
            continue
        text = write(rerun, fix)
        more = edits.more(fix, text, rerun.claim(fix.changes))
        if text and more.different <= _EDITS:
            return more
    return _followed(rerun, found, edits, attempt, write)


def _undoes(fix: Fix, edits: Edits) -> bool:
    """Tell whether a fix feeds an input anew that an earlier edit has changed."""
    changed = {change.name for last in edits.fixes for change in last.changes if isinstance(change, OnInput)}
    return any(
        isinstance(change, OnInput) and change.name in changed and "resize" in dict(change.steps)
        for change in fix.changes
    )


def _proposed(failure: Failure) -> tuple[Fix, ...]:
    return (*proposals(failure, problem_of(failure)), *pooled(failure))


def _repeated(last: Fix, failure: Failure) -> Iterator[Fix]:
    """Yield the last edit once more, at the layer that fails now."""
    change = last.changes[0]
    if len(last.changes) != 1 or last.text is not None:
        return
    if isinstance(change, OnLayer) and change.attributes.keys() <= failure.layer.attributes.keys():
        if change.path != failure.layer.path:
            yield replace(last, changes=(OnLayer(failure.layer.path, change.attributes),))
    elif isinstance(change, OnInput) and change.name in failure.model.inputs:
        yield last
    elif isinstance(change, OnOperand) and change.operand < len(failure.inputs):
        yield replace(last, changes=(OnOperand(None, change.operand, change.steps),))


def _place(fix: Fix, text: str) -> tuple[str, str]:
    """Take the text of an edit apart: what is to be written, and in or before which layer."""
    change = fix.changes[0]
    if isinstance(change, OnLayer) and text.endswith(f' in "{change.path}"'):
        return text.removesuffix(f' "{change.path}"'), change.path
    written, before, path = text.rpartition(' before "')
    if isinstance(change, OnOperand) and len(fix.changes) == 1 and before:
        return f"{written} before", path.removesuffix('"')
    return text, ""


def _joined(edits: Edits) -> str:
    """Write all edits: one setting once for all its layers.

    Example:
        >>> from shapeinspect.frozen import Frozen
        >>> changes = [OnLayer(path, Frozen(in_features=64)) for path in ("conv2", "conv3")]
        >>> fixes = tuple(Fix("features", (change,), 40) for change in changes)
        >>> _joined(Edits(fixes, ('in_features=64 in "conv2"', 'in_features=64 in "conv3"'), Claim()))
        'in_features=64 in "conv2", "conv3"'
    """
    layers: dict[str, list[str]] = {}
    for fix, text in zip(edits.fixes, edits.texts, strict=True):
        written, path = _place(fix, text)
        layers.setdefault(written, []).append(path)
    line = re.search(r":(\d+)  ", edits.where or "")
    parts = []
    for written, paths in layers.items():
        named = ", ".join(f'"{path}"' for path in dict.fromkeys(paths) if path)
        given = _GIVEN.fullmatch(written)
        if given is not None and line is not None and len(paths) > 1:
            parts.append(f"{given['name']} = {given['value']} before line {line[1]}")
        else:
            parts.append(f"{written} {named}" if named else written)
    return ", ".join(parts)
