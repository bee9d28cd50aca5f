"""Finds in-place writes to tensors that autograd saved for backward, without computing anything.

A copy of the model runs once on meta tensors with gradients on; a tensor that has changed its version
at the end since autograd saved it was overwritten, and ``backward`` would refuse it.
"""

from __future__ import annotations

from typing import Any

from shapeinspect.ir import Note
from shapeinspect.sources.source import Source
from shapeinspect_torch.tracing.autograd.versions import Overwritten, Saved, Site, VersionWatcher, Write
from shapeinspect_torch.tracing.guard import undisturbed
from shapeinspect_torch.tracing.inputs import prepare
from shapeinspect_torch.tracing.meta_copy import Shadow
from shapeinspect_torch.tracing.recorder import Draft, Recorder

#: The names that torch gives to ``x += y`` and the like.
_SIGNS = {"add_": "+", "sub_": "-", "mul_": "*", "div_": "/", "__iadd__": "+", "__isub__": "-"}
_SIGNS |= {"__imul__": "*", "__itruediv__": "/"}
_ASSIGNMENTS = frozenset(("__setitem__", "__ifloordiv__", "__imod__", "__ipow__", "__imatmul__")) | set(
    _SIGNS
)


def notes(source: Source, model: Any, recorder: Recorder, whole: frozenset[str]) -> list[Note]:
    """Return a note for each write of a trace that autograd would refuse in backward.

    Args:
        source: the request.
        model: the user's module.
        recorder: the trace of its forward.
        whole: the inputs that hold integers.
    """
    writes = [draft for draft in recorder.drafts.values() if _in_place(draft.type)]
    if not writes or not any(parameter.requires_grad for parameter in model.parameters()):
        return []
    try:
        results = _overwritten(source, model, whole)
    except Exception:  # noqa: BLE001  # a forward that does not run without numbers is not judged
        return []
    return list(dict.fromkeys(_note(saved, write, writes) for saved, write in results))


def _in_place(spelled: str) -> bool:
    name = spelled.rpartition(".")[2]
    return name in _ASSIGNMENTS or (name.endswith("_") and not name.endswith("__"))


def _note(saved: Overwritten, write: Write, writes: list[Draft]) -> Note:
    line, saved_at = _place_text(write.site), _place_text(saved.saved_at)
    about = next((draft.path for draft in writes if draft.origin == line), None)
    shape = ", ".join(map(str, saved.shape))
    name = write.function
    if name == "__setitem__":
        form = "x = x.clone() before the write"
    elif name in _SIGNS:
        form = f"x = x {_SIGNS[name]} y instead of x {_SIGNS[name]}= y"
    else:
        form = f"y = x.{name.rstrip('_')}(…) instead of x.{name}(…)"
    return Note(
        f"{line} writes in place ({name}) into the ({shape}) tensor that "
        f"{saved.saved_by} at {saved_at} saved for backward: backward() would fail with "
        f'"modified by an inplace operation"; out of place it works: {form}',
        about,
    )


def _place_text(site: Site | None) -> str | None:
    return None if site is None else site.place


def _overwritten(source: Source, model: Any, whole: frozenset[str]) -> list[tuple[Overwritten, Write]]:
    import torch

    kept: list[Saved] = []
    # Running statistics change too, which autograd permits.
    watcher = VersionWatcher(counts=_in_place)
    with undisturbed(grad=True):
        shadow = Shadow()
        copy = shadow.of(model)
        inputs = prepare(source, model, shadow, whole)

        def pack(tensor: Any) -> Any:
            kept.append(watcher.save(tensor))
            return tensor

        with (
            torch.device("meta"),
            torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
            watcher.mode(),
        ):
            copy(*inputs.args, **inputs.kwargs)
    results = [overwritten for saved in kept if (overwritten := watcher.overwritten(saved)) is not None]
    return [(overwritten, overwritten.write) for overwritten in results if overwritten.write is not None]
