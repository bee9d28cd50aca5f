"""A checkpoint that holds the state_dict one level deeper, or holds something else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shapeinspect_torch.debug.loading.keys import Shapes, shapes_of

#: How deep a state_dict may lie.
_DEPTH = 3
#: What the best of several is called, the likeliest first.
_NAMES = ("model", "state_dict", "model_state_dict", "net", "network", "generator", "ema", "teacher")

#: Under which names checkpoints keep the settings of a network.
_SETTINGS = ("hyper_parameters", "hparams", "config", "cfg", "args", "model_args", "opt", "params")


def inside(state: Mapping[Any, Any], want: Shapes) -> tuple[str, Shapes, Mapping[Any, Any], list[str]]:
    """Find the state_dict in a checkpoint.

    Args:
        state: what was given to ``load_state_dict``.
        want: the shapes of the module.

    Returns: what follows the user's expression to reach it, its shapes, itself, and the other
        places that would do as well.
    """
    found = [("", state), *_within(state, "", 0)]
    rated = [(_common(shapes_of(part), want), -_place(path), path, part) for path, part in found]
    own = rated[0]
    best = max(rated, key=lambda row: row[:2])
    if best[2] == "" or best[0] <= own[0]:
        return "", shapes_of(state), state, []
    others = [path for rating, _, path, _ in rated if rating == best[0] and path != best[2]]
    return best[2], shapes_of(best[3]), best[3], others


def _within(state: Mapping[Any, Any], path: str, depth: int) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    import torch

    for key, value in state.items():
        if not isinstance(key, str):
            continue
        written = key.replace('"', '\\"')
        here = f'{path}["{written}"]'
        if isinstance(value, torch.nn.Module):
            yield f"{here}.state_dict()", value.state_dict()
        elif isinstance(value, Mapping):
            yield here, value
            if depth + 1 < _DEPTH:
                yield from _within(value, here, depth + 1)


def _place(path: str) -> int:
    names = [index for index, name in enumerate(_NAMES) if f'["{name}"]' in path]
    return min(names, default=len(_NAMES))


def _common(have: Shapes, want: Shapes) -> int:
    """Count the endings of keys that both sides have, whatever prefix stands before them."""
    endings = {key.rpartition(".")[2] + str(shape) for key, shape in want.items()}
    full = sum(1 for key in have if key in want)
    by_ending = sum(1 for key, shape in have.items() if key.rpartition(".")[2] + str(shape) in endings)
    return 2 * full + by_ending


def stated(changes: Mapping[tuple[str, ...], Any], *holders: object) -> tuple[str, ...]:
    """Say where a checkpoint holds the settings with which its network was built, a clause each.

    Args:
        changes: the settings that the module has to be built with.
        holders: what may hold them: the checkpoint, or the dictionary that it is an item of.
    """
    said: dict[str, None] = {}
    for holder in holders:
        if not isinstance(holder, Mapping):
            continue
        for name in _SETTINGS:
            held = holder.get(name)
            items = held if isinstance(held, Mapping) else getattr(held, "__dict__", {})
            for path, value in changes.items():
                if path[-1] in items and items[path[-1]] == value:
                    said[f'["{name}"] of the checkpoint says {path[-1]} = {value!r}'] = None
    return tuple(said)


def other_content(state: object) -> str | None:
    """Say what something is that is no state_dict of a module; None where nothing is known.

    Args:
        state: what was given to ``load_state_dict``.
    """
    if isinstance(state, Mapping) and {"state", "param_groups"} <= state.keys():
        return "it is the state_dict of an optimizer (state, param_groups): load it into the optimizer"
    return None
