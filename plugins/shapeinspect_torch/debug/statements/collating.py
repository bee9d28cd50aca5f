"""Samples of a data set that do not fit one batch, read from the frames of the loader."""

from __future__ import annotations

import ast
import types
from collections.abc import Iterator, Sequence
from typing import Any

from shapeinspect.ir import Layer, Value
from shapeinspect.plugin_api import clock
from shapeinspect.plugin_api.claims import Claim
from shapeinspect.plugin_api.facts import Edit, Explained
from shapeinspect.plugin_api.isolation.confined import confined
from shapeinspect.plugin_api.rerun import Rerun
from shapeinspect.plugin_api.rewriting import Rewriting, outside
from shapeinspect.plugin_api.user_code.frames import Place
from shapeinspect.plugin_api.user_code.source import UserSource, callee_of
from shapeinspect.rules.rule import show

#: At most so many samples are shown.
_SHOWN = 3
#: So many samples are read again where a worker process has failed, in so many seconds.
_READ, _SECONDS = 16, 2.0


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
    if found is None:  # a worker has failed: its samples are read here
        found, samples = _read_here(frames)
    if found is None or not isinstance(samples, list) or len(samples) < 2:
        return None
    ragged_keys = [key for key in _keys(samples) if _differ([_part(one, key) for one in samples])]
    if not ragged_keys:
        return None
    first = ragged_keys[0]
    shapes = [shape for one in samples if (shape := _shape(_part(one, first))) is not None]
    edits = [*_edits(site, samples, ragged_keys)]
    indices = list(found.get("possibly_batched_index") or range(len(shapes)))
    dataset = type(getattr(found.get("self"), "dataset", None)).__name__
    part = "" if first is None else f"[{first!r}]".replace("'", '"')
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


def _read_here(frames: Sequence[Place]) -> tuple[dict[str, Any] | None, list[Any] | None]:
    """Read a few samples of the data set whose worker process has failed."""
    loader = next((one for frame, _ in frames if _is_of_workers(one := frame.f_locals.get("self"))), None)
    dataset, samples = getattr(loader, "_dataset", None), []
    if dataset is None or not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
        return None, None
    end = clock.alone() + clock.allowed(_SECONDS)
    with confined():
        for index in range(min(len(dataset), _READ)):
            try:
                samples.append(dataset[index])
            except Exception:  # noqa: BLE001  # of the user's own code
                return None, None
            if clock.alone() > end:
                break
    return {"self": types.SimpleNamespace(dataset=dataset)}, samples


def _is_of_workers(value: Any) -> bool:
    return type(value).__name__ == "_MultiProcessingDataLoaderIter"


def _is_fetch(frame: Any) -> bool:
    module = str(frame.f_globals.get("__name__"))
    return frame.f_code.co_name == "fetch" and module == "torch.utils.data._utils.fetch"


def _keys(samples: list[Any]) -> list[Any]:
    """Return the places or the keys of a sample's parts; None alone for a sample without parts."""
    if all(isinstance(sample, dict) for sample in samples):
        return [key for key in samples[0] if isinstance(key, str) and all(key in one for one in samples)]
    if all(isinstance(sample, tuple | list) for sample in samples):
        numbers = all(isinstance(one, int | float) for sample in samples for one in sample)
        return [None] if numbers else [*range(min(map(len, samples)))]
    return [None]


def _part(sample: Any, key: Any) -> Any:
    return sample if key is None else sample[key]


def _shape(part: Any) -> tuple[int, ...] | None:
    """Return the shape of a tensor, an array or a row of numbers; None for anything else."""
    if isinstance(part, list | tuple) and part and all(isinstance(one, int | float) for one in part):
        return (len(part),)
    shape = getattr(part, "shape", None)
    return tuple(int(length) for length in shape) if isinstance(shape, tuple) else None


def _differ(parts: list[Any]) -> bool:
    shapes = [_shape(part) for part in parts]
    return None not in shapes and len(set(shapes)) > 1


def _edits(site: UserSource | None, samples: list[Any], ragged_keys: list[Any]) -> Iterator[tuple[Edit, str]]:
    """Yield functions that make a batch, written where the loader is made."""
    loader = None if site is None or "torch" not in site.names else _loader(site)
    batches = {key: _batch(samples, key) for key in ragged_keys}
    if site is None or loader is None or None in batches.values():
        return
    keys = _keys(samples)
    rest = "torch.utils.data.default_collate([one[{}] for one in batch])"
    texts = [(_quoted(key), batches.get(key) or rest.format(_quoted(key))) for key in keys]
    if keys == [None]:
        made = str(batches[None])
    elif isinstance(samples[0], dict):
        if len(keys) < len(samples[0]):
            return
        made = "{" + ", ".join(f"{key}: {text}" for key, text in texts) + "}"
    else:
        made = f"({', '.join(text for _, text in texts)}{',' if len(keys) == 1 else ''})"
    function = f"lambda batch: {made}"
    old = " ".join(site.source(loader).split())
    given = old[:-1].rstrip(", ")
    yield Edit("ragged", f"{given}, collate_fn={function}) instead of {old}"), function


def _quoted(key: Any) -> str:
    return f'"{key}"' if isinstance(key, str) else str(key)


def _batch(samples: list[Any], key: Any) -> str | None:
    """Write what makes one part of a batch of all samples; None where that is not known."""
    parts = [_part(sample, key) for sample in samples]
    shapes = [shape for part in parts if (shape := _shape(part)) is not None]
    if len({len(shape) for shape in shapes}) != 1:
        return None
    axes = [axis for axis in range(len(shapes[0])) if len({shape[axis] for shape in shapes}) > 1]
    one = "one" if key is None else f"one[{_quoted(key)}]"
    if not hasattr(parts[0], "movedim"):  # no tensor yet
        one = f"torch.as_tensor({one})"
    if len(axes) == 1:
        moved = one if axes[0] == 0 else f"{one}.movedim({axes[0]}, 0)"
        back = "" if axes[0] == 0 else f".movedim(1, {axes[0] + 1})"
        listed = "batch" if moved == "one" else f"[{moved} for one in batch]"
        return f"torch.nn.utils.rnn.pad_sequence({listed}, batch_first=True){back}"
    if len(shapes[0]) == 3 and axes == [1, 2]:
        resized = f"torch.nn.functional.interpolate({one}[None], size={shapes[0][1:]})[0]"
        return f"torch.stack([{resized} for one in batch])"
    return None


def _loader(site: UserSource) -> ast.Call | None:
    """Return where the loader is made: the only one, or that of the name which the line goes through."""
    loaders = [
        node
        for node in ast.walk(site.tree)
        if isinstance(node, ast.Call)
        and callee_of(node) == "DataLoader"
        and "collate_fn" not in {word.arg for word in node.keywords}
    ]
    read = {node.id for node in ast.walk(site.statement) if isinstance(node, ast.Name)}
    named = [
        node.value
        for node in ast.walk(site.tree)
        if isinstance(node, ast.Assign) and {ast.unparse(target) for target in node.targets} & read
    ]
    chosen = [one for one in loaders if one in named] or loaders
    return chosen[0] if len(chosen) == 1 else None


def _trial(function: str, samples: list[Any]) -> Claim | None:
    import torch

    try:
        eval(function, {"torch": torch})(samples)  # noqa: S307  # a text of this file
    except (RuntimeError, ValueError, TypeError, IndexError):
        return None
    return Claim(what="the batch that failed", rest="the batches behind it were not made")
