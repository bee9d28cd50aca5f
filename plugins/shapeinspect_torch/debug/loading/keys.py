"""The keys of a state_dict beside those of a module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Match:
    """What of a state_dict a module takes as it is.

    Args:
        loaded: the keys that load.
        reshaped: the keys of both sides whose shapes differ.
        missing: the keys of the module alone.
        unexpected: the keys of the state_dict alone.
    """

    loaded: tuple[str, ...]
    reshaped: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether everything loads."""
        return not (self.reshaped or self.missing or self.unexpected)

    @property
    def problems(self) -> int:
        """How many keys do not load."""
        return len(self.reshaped) + len(self.missing) + len(self.unexpected)


def match(have: Shapes, want: Shapes) -> Match:
    """Compare by key, as ``load_state_dict`` does.

    Args:
        have: the shapes of the state_dict.
        want: those of the module.
    """
    both = [key for key in want if key in have]
    return Match(
        tuple(key for key in both if fits(have[key], want[key])),
        tuple(key for key in both if not fits(have[key], want[key])),
        tuple(key for key in want if key not in have),
        tuple(key for key in have if key not in want),
    )


def fits(have: tuple[int, ...], want: tuple[int, ...]) -> bool:
    """Tell whether torch loads a tensor of one shape into another; a single number may have an axis.

    Args:
        have: the stored shape.
        want: the module's own.
    """
    return have == want or (want == () and have == (1,))


def shapes_of(state: Mapping[Any, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor of a state_dict.

    Args:
        state: the state_dict; what is no tensor is left out.
    """
    return {
        key: tuple(value.shape)
        for key, value in state.items()
        if isinstance(key, str) and hasattr(value, "shape") and not isinstance(value, Mapping)
    }


def others_of(state: Mapping[Any, Any], want: Shapes) -> tuple[str, ...]:
    """Return the entries of a state_dict that are no tensors; a strict load refuses them, too.

    Args:
        state: the state_dict.
        want: the shapes of the module.
    """
    shapes = shapes_of(state)
    return tuple(str(key) for key in state if key not in shapes and key not in want)


def shapes_of_module(module: Any) -> dict[str, tuple[int, ...]]:
    """Return the shape of each key that a module's ``state_dict`` has.

    Args:
        module: the module; its lazy weights have no shape and are left out.
    """
    import torch

    state = module.state_dict(keep_vars=True)
    lazy = torch.nn.parameter.UninitializedTensorMixin
    tensors = {k: v for k, v in state.items() if isinstance(v, torch.Tensor) and not isinstance(v, lazy)}
    return {key: tuple(tensor.shape) for key, tensor in tensors.items()}
