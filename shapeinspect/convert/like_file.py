"""Writes one model's weights as another model stores them, and the script that loads them there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from shapeinspect import registry
from shapeinspect.api.two_models import TwoModels
from shapeinspect.compare import compare
from shapeinspect.convert.like import Move, Plan, plan_like
from shapeinspect.convert.tensors import DTYPES, Tensor, write
from shapeinspect.convert.written import Written, listed
from shapeinspect.dims import whole
from shapeinspect.errors import UsageError
from shapeinspect.ir import Model, Weight
from shapeinspect.plugin_api.loading_script import Loading, Setting
from shapeinspect.plugin_api.native import NativeTable
from shapeinspect.sources.imports import is_factory
from shapeinspect.text import printable

Tables = tuple[NativeTable | None, NativeTable | None]


def write_like(
    models: TwoModels, output: str | os.PathLike[str], *, strict: bool = False, script: bool = False
) -> Written:
    """Write the weights of the first model in the names, layouts and dtypes of the second.

    Args:
        models: the source and the target, after every stage.
        output: the safetensors file to write.
        strict: whether to refuse if a weight of either side cannot be moved.
        script: whether the code that loads the file is wanted as well.

    Raises:
        UsageError: if nothing can be moved, if no graph shows how an image is flattened, if ``strict`` and a
            weight of either side stays, or if the file cannot be written.
    """
    a, b = models.a, models.b
    tables = registry.native_table(a.framework), registry.native_table(b.framework)
    plan = plan_like(a, b, tables, (registry.name_table(a.framework), registry.name_table(b.framework)))
    _refuse(plan, a, b, strict=strict)
    moves = [replace(move, weight=_keyed(move.weight)) for move in plan.moves]
    tensors = [_tensor(move) for move in moves]
    facts = {move.weight.name: _facts(move) for move in moves}
    metadata = {
        "convention": f"like {printable(Path(b.source).name)}",
        "source": Path(a.source).name,
        "framework": b.framework,
        "weights": json.dumps(facts, separators=(",", ":")),
    }
    settings = _settings(a, b, tables) if script or _bare(b) else []
    loading = _loading(str(output), b, plan, moves, settings) if script else None
    writer = registry.loading_script(b.framework) if script else None
    if script and writer is None:
        raise UsageError(
            f"there is no loading script for {b.framework}",
            expected=f"a model of one of: {', '.join(_with_scripts())}",
            hint="leave out --loader: the file itself is written",
        )
    text = writer.text(loading) if writer is not None and loading is not None else None
    write(output, tensors, metadata)
    return Written(
        str(output),
        {tensor.name: tensor.shape for tensor in tensors},
        sum(tensor.nbytes for tensor in tensors),
        (),
        (*(note.text for note in models.notes), *plan.notes, *_unrecorded(a, b), *_open(settings, b)),
        dict(plan.left),
        dict(plan.unused),
        text,
    )


def _with_scripts() -> list[str]:
    frameworks = sorted({row.adapter.framework for row in registry.installed() if row.adapter is not None})
    return [name for name in frameworks if registry.loading_script(name) is not None]


def _keyed(weight: Weight) -> Weight:
    return replace(weight, name=weight.key) if weight.key is not None else weight


def _refuse(plan: Plan, a: Model, b: Model, *, strict: bool) -> None:
    if plan.unordered:
        options = [option for option, model in (("--input", a), ("--input-like", b)) if not model.calls]
        raise UsageError(
            "the order of a flattened image is not known, so nothing is written",
            got=listed(plan.unordered),
            hint=f"give the shape of an input with {' and '.join(options)}, so that there is a graph"
            if options
            else None,
        )
    if not plan.moves:
        raise UsageError(
            "no weight can be moved",
            got=listed({**plan.left, **plan.unused}) or "the models share no layer",
        )
    if strict and (plan.left or plan.unused):
        raise UsageError(
            "some weights cannot be moved, and --strict asks for all",
            got=listed({**plan.left, **{f"{name} (A)": why for name, why in plan.unused.items()}}),
        )


def _unrecorded(a: Model, b: Model) -> Iterator[str]:
    """Say that weights alone record no settings, and name one that the target keeps."""
    if not _bare(a):
        return
    if _bare(b):
        yield "neither file records settings, such as the eps of norms: they have to be the same"
        return
    known = next((layer for layer in b.layers if isinstance(layer.attributes.get("eps"), float)), None)
    such = f', such as eps {known.attributes["eps"]:g} of "{known.path}"' if known is not None else ""
    yield f"A records no settings: B keeps its own{such}"


def _bare(model: Model) -> bool:
    """Tell whether a model is a file of weights, which records no settings."""
    return not model.calls and model.format != "live"


def _open(settings: Sequence[Setting], b: Model) -> Iterator[str]:
    """Say that the target's code has to have settings which its file does not record, and name one."""
    if _bare(b) and settings:
        first = settings[0]
        yield f'B records no settings, and its layers have to have A\'s: "{first.layer}": {first.text}'


def _tensor(move: Move) -> Tensor:
    weight = move.weight
    dtype = weight.dtype if weight.dtype in DTYPES else "float32"
    shape = whole(weight.shape) or ()

    def read() -> Any:
        import numpy as np

        array = move.read()
        wanted = "float32" if dtype == "bfloat16" else str(dtype)
        if array.dtype.name == wanted or wanted not in np.sctypeDict:
            return array
        with np.errstate(over="ignore"):
            cast = array.astype(wanted)
        if cast.dtype.kind == "f" and np.isfinite(cast).sum() < np.isfinite(array).sum():
            raise UsageError(
                f'the numbers of "{weight.name}" do not fit the dtype that B stores it in',
                expected=f"at most {np.finfo(cast.dtype).max:.6g}, for {wanted}",
                got=f"{np.abs(array[np.isfinite(array)]).max():.6g}",
            )
        return cast

    return Tensor(weight.name, str(dtype), shape, read)


def _facts(move: Move) -> dict[str, Any]:
    layout = move.layout
    facts: dict[str, Any] = {"kind": move.kind, "from": list(move.sources)}
    if layout is not None:
        facts.update({"native": layout.native, "common": layout.common, "slot": layout.slot})
        if layout.sizes:
            facts["sizes"] = dict(layout.sizes)
    return facts


def _loading(file: str, b: Model, plan: Plan, moves: Sequence[Move], settings: Sequence[Setting]) -> Loading:
    order = [weight for layer in b.layers for weight in layer.weights]
    named = {move.weight.name: move for move in moves}
    by_name = {weight.name: weight.key or weight.name for weight in order}
    return Loading(
        file,
        b.source,
        b.format != "live",
        {name: whole(named[name].weight.shape) or () for name in by_name.values() if name in named},
        tuple(by_name.values()),
        {by_name.get(name, name): why for name, why in plan.left.items()},
        {by_name.get(name, name): by_name.get(first, first) for name, first in plan.tied.items()},
        tuple(settings),
        is_factory(b.source),
    )


def _settings(a: Model, b: Model, tables: Tables) -> list[Setting]:
    pairs = [pair for pair in compare(a, b, None, tables).layers if pair.a is not None and pair.b is not None]
    if _bare(b):
        layers = {layer.path: layer for layer in a.layers}
        known = {pair.b: layers[pair.a].attributes.get("eps") for pair in pairs if pair.a in layers}
        return [
            Setting(
                str(path), "", "eps", None, f"eps is {eps:g} in the source, and this file does not record it"
            )
            for path, eps in known.items()
            if isinstance(eps, float)
        ]
    types = {layer.path: layer.type for layer in b.layers}
    return [
        Setting(
            str(pair.b),
            pair.kind,
            setting.name,
            setting.values[0],
            f"{setting.name} is {setting.a} in the source, {setting.b} here",
            types.get(str(pair.b), ""),
        )
        for pair in pairs
        for setting in pair.settings
    ]
