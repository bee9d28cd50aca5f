"""What the layers of one framework are called in the files that its models were converted from."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shapeinspect.dims import Shape
from shapeinspect.ir import Layer, Layout, Model

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """What a conversion does to the numbers of a weight.

    Args:
        text: how the numbers are stored, as a clause behind "stores its weights".
        into: returns the numbers of the converted file, from those of the model that was converted.
        back: the other way round.
        shape_into: returns the lengths there.
        shape_back: the other way round.
    """

    text: str
    into: Callable[[Array], Array]
    back: Callable[[Array], Array]
    shape_into: Callable[[Shape], Shape] = lambda shape: shape
    shape_back: Callable[[Shape], Shape] = lambda shape: shape


@dataclass(frozen=True, slots=True)
class NameTable:
    """The names of layers in two conventions; a plug-in owns the rows.

    Args:
        framework: whose names the rows lead to.
        blocks: for the containers of numbered blocks elsewhere, by the last words before the number, what the
            block is called here; ``*`` for any other container.
        inside: for each name inside of a block here, the names there, the most common one first.
        outside: for each name outside of all blocks here, the names there, the most common one first.
        changed: what the conversion does to the numbers of a layer: from either model and the layer's name
            here; None where it moves them alone.
        words: what ``normalize --to`` calls the names here, and those there.
        first: the last parts of names here that count first where a layer could have several.
        stored: how the conversion stores a weight: from the model that is converted, the layer, its name
            here, the role and the rank; None where its axes keep their order, a clause where that is open.
        unknown: why it is not known what the conversion does to a layer's numbers: from either model and the
            layer's name here; an empty text where it is known.
        own: what the checkpoints of a converted model's architecture call a layer: from the model and the
            layer's name here; None where its names are the most common ones, an empty text where it has none.
        stored_there: how these store a weight whose axes stand in another order than elsewhere: from either
            model, the layer's name here, the role and the rank.

    Example:
        >>> table = NameTable("f", {"*": "blk"}, {"attn_q": ("self_attn.q_proj",)}, {"output": ("lm_head",)})
        >>> table.here("model.layers.3.self_attn.q_proj"), table.here("lm_head")
        (('blk.3.attn_q',), ('output',))
        >>> table.there("blk.3.attn_q"), table.there("output"), table.there("blk.3.rope")
        ('model.layers.3.self_attn.q_proj', 'lm_head', '')
    """

    framework: str
    blocks: Mapping[str, str]
    inside: Mapping[str, tuple[str, ...]]
    outside: Mapping[str, tuple[str, ...]]
    changed: Callable[[Model, str], Change | None] = lambda *_: None
    words: tuple[str, str] = ("", "")
    first: tuple[str, ...] = ()
    stored: Callable[[Model, Layer, str, str, int], Layout | str | None] = lambda *_: None
    unknown: Callable[[Model, str], str] = lambda *_: ""
    own: Callable[[Model, str], str | None] = lambda *_: None
    stored_there: Callable[[Model, str, str, int], Layout | None] = lambda *_: None

    def here(self, name: str, known: Container[str] | None = None) -> tuple[str, ...]:
        """Return what a layer of a converted model may be called here; nothing where no row says it.

        Args:
            name: its name in the model that was converted, without the role of a weight.
            known: the names in the converted file, of which only one may be meant.
        """
        parts = name.split(".")
        numbers = [index for index, part in enumerate(parts) if part.isdecimal()]
        found: list[str] = []
        for at in numbers[:1]:
            block = self._block(parts[:at])
            ending = ".".join(parts[at + 1 :])
            found = [f"{block}.{parts[at]}.{row}" for row, names in self.inside.items() if ending in names]
        # A model may be the part of a larger one: "model.language_model.embed_tokens".
        for start in range(len(parts)):
            rows = [row for row, names in self.outside.items() if ".".join(parts[start:]) in names]
            if rows:
                found += rows
                break
        return tuple(row for row in found if known is None or row in known)

    def there(self, name: str) -> str:
        """Return what the most common convention calls a layer; an empty text where no row says it.

        Args:
            name: its name here, without the role of a weight.
        """
        block, _, rest = name.partition(".")
        number, _, ending = rest.partition(".")
        if block == self.blocks.get("*") and number.isdecimal():
            names = self.inside.get(ending, ())
            return f"model.layers.{number}.{names[0]}" if names else ""
        return next(iter(self.outside.get(name, ())), "")

    def _block(self, container: list[str]) -> str:
        words = ".".join(container)
        ends = (name for end, name in self.blocks.items() if words == end or words.endswith(f".{end}"))
        inside = (name for end, name in self.blocks.items() if f"{end}." in f"{words}.")
        return next(ends, next(inside, self.blocks["*"]))
