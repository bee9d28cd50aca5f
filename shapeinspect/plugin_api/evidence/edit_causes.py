"""What was wrong with a script: told by the edit with which it runs, and by what its expressions were."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

from shapeinspect.plugin_api.edit_words import AXIS_ARGUMENTS, EditWords, Effect
from shapeinspect.plugin_api.evidence.differences import differences
from shapeinspect.plugin_api.evidence.edit import Edit, given_to, holds, number_of, place_of, shown, spelled
from shapeinspect.plugin_api.evidence.edit_choices import choice, follows, switch
from shapeinspect.plugin_api.evidence.edit_effects import effect, new_code
from shapeinspect.plugin_api.evidence.edit_sizes import naming, placed, size
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.user_code.source import callee_of, defaults_of

#: At most so many sentences.
_SENTENCES = 2
#: How sentences on an edit begin that say what it makes possible.
_RUNS = "the script runs with"


def causes(
    trace: Trace,
    texts: Mapping[str, str],
    words: EditWords,
    after: Trace | None = None,
    ended: bool = True,
) -> tuple[str, ...]:
    """Return what was wrong with a script, a sentence for each part of it that was edited.

    Args:
        trace: the script, as it failed.
        texts: the files with which it runs, by path.
        words: how the frameworks in use are written.
        after: what the expressions of the edited script are worth; None where it is not known.
        ended: whether the edited script ran to its end; else no more than the failing statement is known to.
    """
    found: list[str] = []
    for file, text in texts.items():
        if trace.texts.get(file, text) == text:
            continue
        edits = [
            Edit(trace, old, new, words, after)
            for old, new in differences(trace.texts[file], text)
            if None not in place_of(old)
        ]
        turned = _turned(*edits) if len(edits) == 2 else ""
        alone = len(edits) == 1 and len([one for one in texts if trace.texts.get(one) != texts[one]]) == 1
        said = [turned] if turned else [*chain.from_iterable(_told(edit, alone) for edit in edits)]
        found += said if alone or turned else [_together(one) for one in said]
    told = found if ended else [one.replace(_RUNS, "the failing statement runs with") for one in found]
    return tuple(dict.fromkeys(told))[:_SENTENCES]


def _turned(first: Edit, second: Edit) -> str:
    """Say that two expressions stand in each other's place; empty where they do not."""
    texts = [(ast.unparse(one.old), ast.unparse(one.new)) for one in (first, second)]
    if texts[0] != texts[1][::-1]:
        return ""
    around = first.trace.parents.get(first.old)
    around = first.trace.parents.get(around) if isinstance(around, ast.keyword) else around
    place = f" in {first.code(around.func)}(…)" if isinstance(around, ast.Call) else ""
    worth = [first.worth(one.old) for one in (first, second)]
    held = (
        f": {texts[0][0]} is {spelled(worth[0])}, {texts[1][0]} is {spelled(worth[1])}"
        if None not in worth
        else ""
    )
    return f"{_RUNS} {texts[0][0]} and {texts[1][0]} exchanged{place}, {first.line}" + (
        held if not texts[0][0].isdigit() else ""
    )


def _together(sentence: str) -> str:
    """Say that it takes all changes, where the script runs with none of them alone."""
    return sentence.replace(_RUNS, f"with all changes, {_RUNS}")


def _told(edit: Edit, alone: bool) -> Iterator[str]:
    said = next(filter(None, (rule(edit) for rule in _RULES)), "")
    made = effect(edit) if alone and "; " not in said else ""
    if not said and alone and edit.trace.ended.status == "error":
        said = _written(edit)
        made = made or (f"{_RUNS} {new_code(edit)}" if said else "")
    if said:
        yield f"{said}; {made}" if made else said


def _written(edit: Edit) -> str:
    """Say what is written where nothing else is known of it."""
    number = number_of(edit.old)
    if number is not None:
        return f"{placed(edit)} is {number}"
    plain = isinstance(edit.old, ast.expr) and isinstance(edit.new, ast.expr)
    return f"{edit.code(edit.old)} is written at {edit.line}" if plain else ""


def _argument_added(edit: Edit) -> str:
    """Name an argument that a call lacks."""
    old, new = edit.old, edit.new
    if not (isinstance(old, ast.Call) and isinstance(new, ast.Call)):
        return ""
    given = {one.arg for one in old.keywords}
    added = [one for one in new.keywords if one.arg not in given]
    same = ast.unparse(old.func) == ast.unparse(new.func) and len(old.args) == len(new.args)
    if len(added) != 1 or not same or added[0].arg is None or len(new.keywords) != len(old.keywords) + 1:
        return ""
    name, value = added[0].arg, added[0].value
    text = f"{name} is not passed to {edit.code(old.func)}(…), {edit.line}"
    default = _default(edit, old, name)
    text += f": it is {default} by default" if default else ""
    worth = edit.worth(value)
    if not isinstance(value, ast.Constant) and worth is not None and not isinstance(worth, tuple):
        return f"{text}, and {ast.unparse(value)} is {worth}"
    passed = [word.value for one in _calls_like(edit, old) for word in one.keywords if word.arg == name]
    if passed:
        return f"{text}; {edit.trace.line(passed[0])} passes {ast.unparse(passed[0])}"
    return text + (naming(edit, value) or follows(edit, value))


def _calls_like(edit: Edit, call: ast.Call) -> Iterator[ast.Call]:
    """Yield the other calls of one of the script's own functions."""
    if edit.trace.definition(call)[0] is not None:
        for one in ast.walk(edit.trace.tree(edit.trace.homes[call])):
            if isinstance(one, ast.Call) and one is not call and callee_of(one) == callee_of(call):
                yield one


def _default(edit: Edit, call: ast.Call, name: str) -> str:
    """Return the default of an argument of one of the script's own functions; empty for none."""
    function, _ = edit.trace.definition(call)
    named = {} if function is None else defaults_of(function.args)
    text = ast.unparse(named[name]) if name in named else ""
    return f'"{text[1:-1]}"' if text[:1] == "'" and '"' not in text else text


def _argument_left_out(edit: Edit) -> str:
    """Name an argument that a call has and should not have."""
    old, new = edit.old, edit.new
    if not (isinstance(old, ast.Call) and isinstance(new, ast.Call)):
        return ""
    if ast.unparse(old.func) != ast.unparse(new.func):
        return ""
    given, left = ([*one.args, *(word.value for word in one.keywords)] for one in (old, new))
    texts = {ast.unparse(one) for one in left}
    gone = [one for one in given if ast.unparse(one) not in texts]
    fewer = len(new.args) + len(new.keywords) < len(old.args) + len(old.keywords)
    if len(gone) != 1 or not fewer:
        return ""
    shape = edit.trace.shape(gone[0])
    held = f", {shown(shape)}," if shape is not None else ""
    return f"{edit.code(gone[0])}{held} is passed to {edit.code(old.func)}(…), {edit.line}"


def _axis(edit: Edit) -> str:
    """Say along which axis a function works, and what it makes."""
    old, new = edit.old, edit.new
    numbers = [number_of(one) for one in (old, new)]
    call = edit.trace.parents.get(old)
    word = call.arg if isinstance(call, ast.keyword) else None
    if isinstance(call, ast.keyword):
        call = edit.trace.parents.get(call)
    if None in numbers or not isinstance(call, ast.Call):
        return ""
    if word not in AXIS_ARGUMENTS and (word is not None or callee_of(call) not in edit.words.axes):
        return ""
    shape = edit.trace.shape(call)
    makes = f" and makes {shown(shape)}" if shape is not None else ""
    of = _operands(edit, call) if makes else ""
    name = callee_of(call)
    after = edit.makes()
    return f"{name} at {edit.line} works along axis {numbers[0]}{makes}{of}" + (f"; {after}" if after else "")


def _operands(edit: Edit, call: ast.Call) -> str:
    """Write what the arrays are that a call joins or reads."""
    given: list[Any] = [call.func.value] if isinstance(call.func, ast.Attribute) else []
    for one in call.args:
        given += one.elts if isinstance(one, ast.Tuple | ast.List) else [one]
    shapes = [shape for shape in map(edit.trace.shape, given) if shape is not None]
    if not shapes:
        return ""
    if len(shapes) > 2 and len(set(shapes)) == 1:
        return f" of {len(shapes)} times {shown(shapes[0])}"
    return " of " + " and ".join(shown(shape) for shape in shapes[:3])


def _wrapped(edit: Edit) -> str:
    """Say what an expression lacks that has to be put into something."""
    old, new = edit.old, edit.new
    inner = ast.unparse(old)
    if inner == ast.unparse(new) or not isinstance(old, ast.expr):
        return ""
    holds = [one for one in ast.walk(new) if ast.unparse(one) == inner and isinstance(one, ast.expr)]
    shape = edit.trace.shape(old)
    if not holds or shape is None:
        return ""
    got = f"{edit.code(old)} is {shown(shape)}, {edit.line}"
    if isinstance(new, ast.Subscript):
        return f"{got}: {_part(shape, ast.unparse(new.slice))}"
    word = new.attr if isinstance(new, ast.Attribute) else callee_of(new)
    effect = edit.words.effects.get(word)
    if effect is Effect.DTYPE:
        got = f"{edit.code(old)} is of {edit.trace.dtype(old)}, {edit.line}"
    return f"{got}: {_RUNS} {effect.value}" if effect is not None else ""


def _part(shape: tuple[int, ...], index: str) -> str:
    if "None" in index or "newaxis" in index:
        return "with one more axis"
    if index in (":-1", "1:"):
        which = "last" if index == ":-1" else "first"
        return f"the {which} of the {shape[0]} does not belong to it"
    return f"[{index}] of it is what fits"


def _unwrapped(edit: Edit) -> str:
    """Say what a call makes that is left out."""
    old, new = edit.old, edit.new
    inner = [one for one in ast.walk(old) if one is not old and ast.unparse(one) == ast.unparse(new)]
    if not inner or not isinstance(old, ast.Call | ast.Attribute | ast.Subscript):
        return ""
    shapes = [edit.trace.shape(one) for one in (inner[0], old)]
    if None in shapes or shapes[0] == shapes[1]:
        return ""
    made = " ".join((callee_of(old) or edit.code(old)).split())
    return f"{made} at {edit.line} makes {shown(shapes[1])} of {shown(shapes[0])}"


def _exchanged(edit: Edit) -> str:
    """Say what an expression was, and what the one in its place is."""
    old, new = edit.old, edit.new
    if not isinstance(old, ast.expr) or not isinstance(new, ast.expr):
        return ""
    if number_of(old) is not None or holds(old, new) or holds(new, old):
        return ""
    before, after = edit.worth(old), edit.worth(new)
    if before is None or before == after:
        return ""
    text = f"{edit.code(old)}{given_to(edit)}, {edit.line}, is {spelled(before)}"
    if isinstance(new, ast.Constant):
        return f"{text}; {_RUNS} {ast.unparse(new)}"
    if after is not None and after != -1:
        return f"{text}; {edit.code(new)} is {spelled(after)}"
    makes = edit.makes()
    return f"{text}; {makes}" if makes else text


_RULES: tuple[Callable[[Edit], str], ...] = (
    _argument_added,
    _argument_left_out,
    _axis,
    choice,
    size,
    switch,
    _wrapped,
    _unwrapped,
    _exchanged,
)
