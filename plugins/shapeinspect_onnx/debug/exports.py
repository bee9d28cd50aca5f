"""The export of a model in the user's own program: edits with which it leaves a length open."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, TypeAlias

from shapeinspect.plugin_api.programs.failed import Program
from shapeinspect.plugin_api.programs.sizes import suggestion, with_argument
from shapeinspect.plugin_api.suggestions import Suggestion
from shapeinspect_onnx.debug.shape_code import unfixed

#: The rank of an export that leaves open what is open in another input already.
_FORGOTTEN = 0.05
#: So many edits of the module's code are suggested.
_EDITS = 24
#: What an axis is called by its position, for arrays of two to four axes.
_NAMES = {
    2: ("batch", "length"),
    3: ("batch", "length", "features"),
    4: ("batch", "channels", "height", "width"),
}

#: The axes of each input that are to be left open.
Open: TypeAlias = "Mapping[str, Sequence[int]]"
#: Of such an axis, an input whose axis at that place is open and was fed the same length, and its name.
Alike: TypeAlias = "Mapping[tuple[str, int], tuple[str, str]]"


def reexported(
    program: Program,
    axes: Open,
    ranks: Mapping[str, int],
    sizes: Sequence[int],
    rank: float,
    alike: Alike | None = None,
) -> Iterator[Suggestion]:
    """Suggest edits of the export, and of the module's code.

    Args:
        program: the program.
        axes: the axes of each input that the model declares as one length, and that were fed another.
        ranks: how many axes each input has.
        sizes: lengths that may be written into the module's code.
        rank: the rank of the first edit.
        alike: of these axes, those that are as long as an open one.
    """
    alike = alike or {}
    found = [
        node
        for node in ast.walk(program.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("onnx.export")
    ]
    for call in found if axes else ():
        new = _opened(program, call, axes, ranks, alike)
        if new:
            whole = all((name, axis) in alike for name, found in axes.items() for axis in found if axis)
            opened = suggestion(
                program,
                new,
                min(rank, _FORGOTTEN) if whole else rank,
                "baked",
                _why(program, call, axes, alike),
            )
            yield replace(opened, alters=_alters(axes, alike))
    if not found or axes:
        return
    for place, new in enumerate(islice(unfixed(program, sizes), _EDITS)):
        yield suggestion(program, new, rank + 0.02 * place, "baked-code")


def _alters(axes: Open, alike: Alike) -> str:
    """Say what an export with open axes means; nothing where they count samples, or are open elsewhere."""
    others = [
        f"axis {axis} of {name}"
        for name, found in axes.items()
        for axis in found
        if axis and (name, axis) not in alike
    ]
    return (
        f"what is exported: {' and '.join(others)} {'are' if len(others) > 1 else 'is'} open then"
        if others
        else ""
    )


def _why(program: Program, call: ast.Call, axes: Open, alike: Alike) -> str:
    places = [(name, axis) for name, found in axes.items() for axis in found]
    said = ", ".join(f"axis {axis} of {name}" for name, axis in places)
    text = f"{program.place(call.lineno)}  torch.onnx.export fixes {said} at the length of its example"
    open_ones = dict.fromkeys(
        f'axis {axis} of {alike[name, axis][0]} ("{alike[name, axis][1]}") is left open'
        for name, axis in places
        if (name, axis) in alike
    )
    return "; ".join((text, *open_ones))


def _opened(
    program: Program, call: ast.Call, axes: Open, ranks: Mapping[str, int], alike: Alike
) -> dict[ast.expr, str]:
    """Declare axes open; nothing where the call does not show how."""
    new = {
        name: {
            axis: alike[name, axis][1] if (name, axis) in alike else _called(axis, ranks.get(name, 0))
            for axis in positions
        }
        for name, positions in axes.items()
    }
    if any(word.arg == "dynamic_shapes" for word in call.keywords):
        return {}
    declared = next((word.value for word in call.keywords if word.arg == "dynamic_axes"), None)
    if declared is None:
        return with_argument(program, call, "dynamic_axes", _written(new))
    try:
        has: Any = ast.literal_eval(declared)
    except ValueError:
        return {}
    has = {} if has is None else has
    if not isinstance(has, dict):
        return {}
    merged = {name: _axes(value) for name, value in has.items()}
    for name, named in new.items():
        merged[name] = dict(sorted({**named, **merged.get(name, {})}.items()))
    return {} if merged == has else {declared: _written(merged)}


def _axes(value: Any) -> dict[int, str]:
    return dict(value) if isinstance(value, dict) else {axis: f"axis_{axis}" for axis in value}


def _called(axis: int, rank: int) -> str:
    names = _NAMES.get(rank, ("batch",))
    return names[axis] if axis < len(names) else f"axis_{axis}"


def _written(axes: Mapping[str, Mapping[int, str]]) -> str:
    parts = (
        f'"{name}": {{' + ", ".join(f'{axis}: "{word}"' for axis, word in named.items()) + "}"
        for name, named in axes.items()
    )
    return "{" + ", ".join(parts) + "}"
