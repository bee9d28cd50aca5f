"""Samples of a data set that do not fit one batch, read from the frames of the loader."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from shapeinspect.ir import Layer, Value
from shapeinspect.plugin_api.claims import Claim
from shapeinspect.plugin_api.facts import Edit, Explained
from shapeinspect.plugin_api.rerun import Rerun
from shapeinspect.plugin_api.rewriting import Rewriting, outside
from shapeinspect.plugin_api.user_code.frames import Place
from shapeinspect.plugin_api.user_code.source import UserSource, callee_of
from shapeinspect.rules.rule import show

#: At most so many samples are shown.
_SHOWN = 3


def ragged(frames: Sequence[Place], site: UserSource | None, message: str, where: str | None) -> Rerun | None:
    """Say which samples differ, and write a function that makes a batch of them; None for none.

    Args:
        frames: the frames of the traceback, with their lines.
        site: the user's line; None where its source is not there.
        message: torch's message.
        where: the user's source line.
    """
    found = next((frame.f_locals for frame, _ in frames if _is_fetch(frame)), None)
    samples = None if found is None else found.get("data")
    if found is None or not isinstance(samples, list) or len(samples) < 2:
        return None
    fields = samples[0] if isinstance(samples[0], tuple | list) else None
    place = next((at for at in _places(samples)), None)
    if place is None:
        return None
    tensors = [sample if fields is None else sample[place] for sample in samples]
    shapes = [tuple(one.shape) for one in tensors]
    edits = [*_edits(site, shapes, place if fields is not None else None, len(fields or ()))]
    indices = list(found.get("possibly_batched_index") or range(len(shapes)))
    dataset = type(getattr(found.get("self"), "dataset", None)).__name__
    part = "" if fields is None else f"[{place}]"
    got = [
        f"{dataset}[{index}]{part} of {show(shape)}" for index, shape in zip(indices, shapes, strict=False)
    ]
    more = [f"and {len(got) - _SHOWN} more"] if len(got) > _SHOWN else []
    other = next(shape for shape in shapes if shape != shapes[0])
    expected = f"samples of one shape, such as {show(shapes[0])}"
    fact = Explained("ragged", (expected,), (*got[:_SHOWN], *more), tuple(edit for edit, _ in edits))
    layer = Layer("stack", "stack", "torch.stack")
    values = [Value("sample", shapes[0]), Value("other", other)]
    failure = outside(layer, values, "torch", message, where, fact)
    return Rewriting(failure, lambda edit: _trial(edits[edit][1], samples))


def _is_fetch(frame: Any) -> bool:
    module = str(frame.f_globals.get("__name__"))
    return frame.f_code.co_name == "fetch" and module == "torch.utils.data._utils.fetch"


def _places(samples: list[Any]) -> Iterator[int]:
    """Yield the places in the samples whose tensors differ in shape."""
    import torch

    fields = [sample if isinstance(sample, tuple | list) else (sample,) for sample in samples]
    for place in range(min(map(len, fields))):
        column = [one[place] for one in fields]
        if all(isinstance(one, torch.Tensor) for one in column) and len({one.shape for one in column}) > 1:
            yield place


def _edits(
    site: UserSource | None, shapes: list[tuple[int, ...]], place: int | None, count: int
) -> Iterator[tuple[Edit, str]]:
    """Yield functions that make a batch, written where the loader is made."""
    loaders = [] if site is None else [
        node
        for node in ast.walk(site.tree)
        if isinstance(node, ast.Call)
        and callee_of(node) == "DataLoader"
        and "collate_fn" not in {word.arg for word in node.keywords}
    ]  # fmt: skip
    if (
        site is None
        or "torch" not in site.names
        or len(loaders) != 1
        or len({len(shape) for shape in shapes}) != 1
    ):
        return
    axes = [axis for axis in range(len(shapes[0])) if len({shape[axis] for shape in shapes}) > 1]
    one = "one" if place is None else f"one[{place}]"
    if len(axes) == 1:
        moved = one if axes[0] == 0 else f"{one}.movedim({axes[0]}, 0)"
        back = "" if axes[0] == 0 else f".movedim(1, {axes[0] + 1})"
        listed = "batch" if moved == "one" else f"[{moved} for one in batch]"
        batch = f"torch.nn.utils.rnn.pad_sequence({listed}, batch_first=True){back}"
    elif len(shapes[0]) == 3 and axes == [1, 2]:
        resized = f"torch.nn.functional.interpolate({one}[None], size={shapes[0][1:]})[0]"
        batch = f"torch.stack([{resized} for one in batch])"
    else:
        return
    rest = "torch.utils.data.default_collate([one[{}] for one in batch])"
    fields = [batch if at == place else rest.format(at) for at in range(count)]
    made = batch if place is None else f"({', '.join(fields)}{',' if count == 1 else ''})"
    function = f"lambda batch: {made}"
    old = " ".join(site.source(loaders[0]).split())
    given = old[:-1].rstrip(", ")
    yield Edit("ragged", f"{given}, collate_fn={function}) instead of {old}"), function


def _trial(function: str, samples: list[Any]) -> Claim | None:
    import torch

    try:
        eval(function, {"torch": torch})(samples)  # noqa: S307  # a text of this file
    except (RuntimeError, ValueError, TypeError, IndexError):
        return None
    return Claim(what="the batch that failed", rest="the batches behind it were not made")
