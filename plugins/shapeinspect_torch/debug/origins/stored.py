"""The lengths of a module's weights that a state_dict stores otherwise, and where the module's come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shapeinspect.plugin_api.origins.numbers import Origin
from shapeinspect.plugin_api.origins.words import Words
from shapeinspect.plugin_api.user_code.frames import traceback_frames
from shapeinspect_torch.debug.origins.axes import axes_of, plain_shape

#: At most so many of them are told.
_TOLD = 2


@dataclass(frozen=True, slots=True)
class Stored:
    """A length of a weight that is stored otherwise.

    Args:
        key: the weight.
        origin: where the module's length comes from.
        length: the stored one.
    """

    key: str
    origin: Origin
    length: int


def stored_otherwise(error: BaseException) -> tuple[Stored, ...]:
    """Return the lengths that differ where a module refused a state_dict; none where none did.

    Args:
        error: the exception, with its traceback.
    """
    import torch

    for frame, _ in traceback_frames(error.__traceback__):
        module, state = frame.f_locals.get("self"), frame.f_locals.get("state_dict")
        if isinstance(module, torch.nn.Module) and isinstance(state, Mapping):
            return tuple(_compared(module.state_dict(keep_vars=True), state))
    return ()


def _compared(own: dict[str, object], state: Mapping[str, object]) -> Iterator[Stored]:
    for key, tensor in own.items():
        shapes = [tuple(getattr(one, "shape", ())) for one in (tensor, state.get(key))]
        if len(shapes[0]) != len(shapes[1]) or not shapes[0]:
            continue
        for origin, has, length in zip(axes_of(tensor), plain_shape(tensor), shapes[1], strict=True):
            if origin is not None and has != length:
                yield Stored(key, origin, int(length))


def told(found: Sequence[Stored], words: Words) -> Iterator[str]:
    """Yield where the lengths of a module are written that are stored otherwise, the most frequent first.

    Args:
        found: the lengths.
        words: writes where numbers come from.
    """
    behind: dict[tuple[int, int, int], list[Stored]] = {}
    for one in found:
        site = next(one.origin.literals(), -1)
        behind.setdefault((one.origin.value, one.length, site), []).append(one)
    for group in sorted(behind.values(), key=len, reverse=True)[:_TOLD]:
        said, keys = words.told(group[0].origin), list(dict.fromkeys(one.key for one in group))
        more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
        if said:
            yield f"{said}; the checkpoint has {group[0].length} there: {keys[0]}{more}"
