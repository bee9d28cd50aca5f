"""The export of a model in the user's own program: edits with which it leaves a length open."""

from __future__ import annotations

import ast
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from shapeinspect.plugin_api.claims import Claim
from shapeinspect.plugin_api.facts import Edit
from shapeinspect.plugin_api.program.edits import SourceEdit, changed, with_argument
from shapeinspect.plugin_api.program.replay import Program, Replay
from shapeinspect_onnx.debug.programs import Found, kept, place
from shapeinspect_onnx.debug.redirected import redirected
from shapeinspect_onnx.debug.shape_code import unfixed

#: Exports are tried for so many seconds, and so many of them.
_SECONDS, _EXPORTS = 20.0, 10
#: What an axis is called by its position, for arrays of two to five axes.
_NAMES = {
    2: ("batch", "length"),
    3: ("batch", "length", "features"),
    4: ("batch", "channels", "height", "width"),
}

#: The axes of each input that are to be left open.
Open = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Export:
    """A call of ``torch.onnx.export`` in the user's program.

    Args:
        program: the program.
        call: the call.
    """

    program: Program
    call: ast.Call

    def opened(self, axes: Open, ranks: Mapping[str, int]) -> SourceEdit | None:
        """Return the edit that declares axes open; None where the call does not show how.

        Args:
            axes: the axes of each input.
            ranks: how many axes each input has.
        """
        new = {
            name: {axis: _called(axis, ranks.get(name, 0)) for axis in positions}
            for name, positions in axes.items()
        }
        declared = next((word.value for word in self.call.keywords if word.arg == "dynamic_axes"), None)
        if any(word.arg == "dynamic_shapes" for word in self.call.keywords):
            return None
        if declared is None or (isinstance(declared, ast.Constant) and declared.value is None):
            text = _written(new)
            if declared is not None:
                return changed(self.program, {declared: text})
            return with_argument(self.program, self.call, "dynamic_axes", text)
        try:
            has: dict[str, Any] = ast.literal_eval(declared)
        except ValueError:
            return None
        if not isinstance(has, dict):
            return None
        merged = {name: dict(enumerated) for name, enumerated in ((n, _axes(v)) for n, v in has.items())}
        for name, named in new.items():
            merged[name] = dict(sorted({**named, **merged.get(name, {})}.items()))
        return None if merged == has else changed(self.program, {declared: _written(merged)})


def _axes(value: Any) -> dict[int, str]:
    return value if isinstance(value, dict) else {axis: f"axis_{axis}" for axis in value}


def _called(axis: int, rank: int) -> str:
    names = _NAMES.get(rank, ("batch",))
    return names[axis] if axis < len(names) else f"axis_{axis}"


def _written(axes: Mapping[str, Mapping[int, str]]) -> str:
    parts = (
        f'"{name}": {{' + ", ".join(f'{axis}: "{word}"' for axis, word in named.items()) + "}"
        for name, named in axes.items()
    )
    return "{" + ", ".join(parts) + "}"


def exports(program: Program) -> list[Export]:
    """Return the exports of a program.

    Args:
        program: the program.
    """
    return [
        Export(program, node)
        for node in ast.walk(program.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("onnx.export")
    ]


def reexported(
    program: Program, axes: Open, ranks: Mapping[str, int], sizes: Sequence[int]
) -> Iterator[Found]:
    """Yield edits of the export, or of the module's code, with which the program runs on.

    Args:
        program: the program.
        axes: the axes of each input that the model declares as one length, and that were fed another.
        ranks: how many axes each input has.
        sizes: lengths that may be written into the module's code.
    """
    found = exports(program)
    if len(found) != 1:
        return
    replay = Replay(program, kept, redirected)
    level = replay.level(everything=True)
    if level is None:
        return
    end = time.monotonic() + _SECONDS
    opening = found[0].opened(axes, ranks) if axes else None
    if axes and opening is None:
        return
    base = program.tree if opening is None else opening.tree
    if opening is not None:
        ended = replay.run(base, level, everything=True)
        if ended.error is None:
            yield Found(Edit("baked", opening.text, _claim(ended.rest)), "")
            return
        if "while running" not in str(ended.error):
            return
    first = "" if opening is None else f"{opening.text}, and "
    for edit in islice(unfixed(replace(program, tree=base), sizes), _EXPORTS):
        if time.monotonic() > end:
            return
        ended = replay.run(edit.tree, level, everything=True)
        if ended.error is None:
            text = first + edit.text
            yield Found(Edit("baked-code", text, _claim(ended.rest)), place(program, edit))
            return


def _claim(rest: str) -> Claim:
    return Claim(what="session.run on the model exported again", rest=rest)
