"""What sets the network of a checkpoint apart from the module: its settings, its blocks, its sizes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shapeinspect.plugin_api.user_code.build_search import counts, rule
from shapeinspect.plugin_api.user_code.constructions import Construction
from shapeinspect_torch.debug.loading.keys import Shapes, match

#: At most so many lists of blocks are named.
_LISTS = 3


def blocks(have: Shapes, want: Shapes) -> dict[str, str]:
    """Say which numbered lists of layers are longer on one side, a clause each, by the list's name.

    Args:
        have: the shapes of the state_dict.
        want: those of the module.

    Example:
        >>> blocks({"h.0.w": (2,), "h.1.w": (2,)}, {"h.0.w": (2,)})
        {'h': 'h: 2 in the checkpoint, 1 in the model'}
    """
    stored, own = counts(have), counts(want)
    both = [name for name in own if name in stored and stored[name] != own[name]]
    # a list inside another says nothing more than that one
    outer = [name for name in both if not any(name.startswith(f"{other}.") for other in both)]
    said = {name: f"{name}: {stored[name]} in the checkpoint, {own[name]} in the model" for name in outer}
    return dict(list(said.items())[:_LISTS])


def is_in(key: str, lists: Iterable[str]) -> bool:
    """Tell whether a key belongs to a layer of a numbered list, or of a recurrent stack.

    Args:
        key: the key.
        lists: the names of the lists, as ``blocks`` returns them.
    """
    return any(key.startswith((f"{name}.", f"{name}_l")) for name in lists)


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings with which a module has the checkpoint's shapes.

    Args:
        construction: the call that built the module.
        changes: the settings that differ.
        have: the shapes of the state_dict, under the module's keys.
        want: those of the module.
    """

    construction: Construction
    changes: Mapping[tuple[str, ...], Any]
    have: Shapes
    want: Shapes

    @property
    def why(self) -> tuple[str, ...]:
        """What is known of each, and how a length follows from it, a clause each."""
        return tuple(self._said(path) for path in self.changes)

    @property
    def rooted(self) -> bool:
        """Whether a length that differs is a multiple of a square, as a number of classes never is."""
        return any("²" in self._written(path) for path in self.changes)

    def _said(self, path: tuple[str, ...]) -> str:
        now, new = self.construction.settings()[path], self.changes[path]
        name = path[-1] if path[0] == "kwargs" else ".".join(path)
        said = f"every weight has its place with {name}={new!r}; the model was built with {name}={now!r}"
        written = self._written(path)
        return said + (f": {written}" if written else "")

    def _written(self, path: tuple[str, ...]) -> str:
        """Write the first length that follows from a setting by a rule, in words; empty where none does."""
        now, new = self.construction.settings()[path], self.changes[path]
        if type(now) is not int or type(new) is not int:
            return ""
        for key in match(self.have, self.want).reshaped:
            for stored, own in zip(self.have[key], self.want[key], strict=False):
                sides = rule(now, new, own, stored) if own != stored else None
                if sides is not None and all(sides):
                    return f"{key} has {sides[1]} in the checkpoint, and {sides[0]} in the model"
        return ""
