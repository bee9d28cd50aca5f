"""What the runner of a signature refuses: a name, a shape or a dtype of its keyword arguments."""

from __future__ import annotations

from typing import Any

from shapeinspect.ir import Layer
from shapeinspect.plugin_api.arrays.edits import fits
from shapeinspect.plugin_api.arrays.feeds import FeedSource, Input, values_of, ways
from shapeinspect.plugin_api.claims import Claim, Level
from shapeinspect.plugin_api.facts import Edit, Explained
from shapeinspect.plugin_api.rerun import Rerun
from shapeinspect.plugin_api.rewriting import Rewriting, outside
from shapeinspect.plugin_api.user_code.source import UserSource, calls_of
from shapeinspect.rules.rule import show
from shapeinspect_tensorflow.debug.interpreters import another, declared


def refused(
    runner: Any, given: dict[str, Any], site: UserSource | None, message: str, where: str | None
) -> Rerun | None:
    """Say which argument does not fit, and find edits; None where all do.

    Args:
        runner: the runner.
        given: its keyword arguments.
        site: the user's line; None where its source is not there.
        message: TFLite's words.
        where: the user's source line.
    """
    import numpy as np

    # The user's runner has resized its inputs already.
    copy = another(runner._interpreter)
    fresh = runner if copy is None else copy.get_signature_runner(runner._signature_key)
    inputs = [declared(one, free=True, name=name) for name, one in fresh.get_input_details().items()]
    arrays = {name: np.asarray(value) for name, value in given.items()}
    source = _written(site, given)
    absent = [one for one in inputs if one.name not in arrays]
    foreign = [name for name in arrays if name not in {one.name for one in inputs}]
    wrong = [one for one in inputs if one.name in arrays and not one.takes(arrays[one.name])]
    found: list[tuple[Edit, dict[str, Any]]] = []
    if len(absent) == len(foreign) == 1:
        old, new = foreign[0], absent[0].name
        text = source.renamed(old, new) if source is not None else ""
        renamed = {new if name == old else name: array for name, array in arrays.items()}
        found.append((Edit("misnamed", text or f'feed "{old}" under the name "{new}"'), renamed))
    elif not absent and not foreign:
        for edits in ways(inputs, arrays):
            text = source.edited(edits) if source is not None else ""
            text = text or ", ".join(f"feed {edit.text(name)}" for name, edit in edits.items())
            alters = " and ".join(dict.fromkeys(edit.alters for edit in edits.values() if edit.alters))
            cause = next((edit.cause for edit in edits.values() if edit.cause != "dtype"), "dtype")
            edited = {name: edit.of(arrays[name]) for name, edit in edits.items()}
            found.append((Edit("" if alters else cause, text, alters=alters), arrays | edited))
    shown = absent or wrong
    if not shown:
        return None
    expected = " and ".join(f'"{one.name}" of shape {show(one.declared)}, {one.dtype}' for one in shown)
    got = [f"{name} of {show(array.shape)}, {array.dtype}" for name, array in arrays.items()]
    fact = Explained(_cause(absent, wrong, arrays), (expected,), tuple(got), tuple(edit for edit, _ in found))
    layer = Layer(shown[0].name, "input", "input")
    failure = outside(layer, values_of(inputs, arrays), "tflite", message, where, fact, fed=True)
    return Rewriting(failure, lambda edit: _trial(runner, found[edit][1]))


def _cause(absent: list[Input], wrong: list[Input], arrays: dict[str, Any]) -> str:
    if absent:
        return "not-fed"
    return "dtype" if all(fits(arrays[one.name].shape, one.shape or ()) for one in wrong) else "feed"


def _written(site: UserSource | None, given: dict[str, Any]) -> FeedSource | None:
    """Return the user's call of the runner."""
    import ast

    failed = None if site is None else site.failed
    if site is None or not isinstance(failed, ast.Call):
        calls = [] if site is None else calls_of(site, ("runner",))
        failed = calls[0] if len(calls) == 1 else None
    if site is None or failed is None or {word.arg for word in failed.keywords} != set(given):
        return None
    return FeedSource(site, failed, None, tuple(given))


def _trial(runner: Any, arrays: dict[str, Any]) -> Claim | None:
    copy = another(runner._interpreter)
    if copy is None:
        return Claim(Level.UNTRIED, rest="the interpreter was made from a file, and is not changed here")
    try:
        copy.get_signature_runner(runner._signature_key)(**arrays)
    except (ValueError, RuntimeError):
        return None
    return Claim(what="the runner of a copy of the interpreter")
