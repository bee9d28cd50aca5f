"""Stored tensors of another shape that become the module's: transposed, resized, cut or filled up."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

from shapeinspect_torch.debug.loading.keys import Shapes

Lengths = tuple[int, ...]

_POSITIONS = re.compile(r"pos(ition)?s?(_|$|\.|e)|\bwpe\b|relative_position|positional", re.IGNORECASE)
_HEADS = re.compile(
    r"(^|[._])(head|heads|fc|classifier|classification|cls|predictions?|predictor|out|output|logits|linear|score|"
    r"final|top|last_linear|cls_preds?|class_embed|fc_out|decoder)([._\d]|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Turn:
    """A change of stored values.

    Args:
        cause: a key of the core's causes.
        expression: the new value of ``v``; ``<TORCH>`` is the package, ``<MODEL>`` the module, ``k`` the old
            key.
        keys: the module's keys that get it.
        why: in what the two sides differ, a clause.
        drops: what of the stored numbers it leaves out, a clause; empty for nothing.
        makes: where numbers come from that are not stored, a clause; empty for nothing.
    """

    cause: str
    expression: str
    keys: tuple[str, ...]
    why: str
    drops: str = ""
    makes: str = ""


def turns(reshaped: Sequence[str], have: Shapes, want: Shapes, module: Any) -> list[Turn]:
    """Find changes of values for keys with other shapes.

    Args:
        reshaped: the keys of both sides with different shapes.
        have: the shapes of the state_dict, under the module's keys.
        want: those of the module.
        module: the module.
    """
    found: dict[str, Turn] = {}
    for key in reshaped:
        for rule in (_positions, _transposed, _ones, _vocabulary, _colors):
            turn = rule(key, have[key], want[key], module)
            if turn is not None:
                known = found.get(turn.expression)
                keys = (*known.keys, key) if known is not None else (key,)
                found[turn.expression] = replace(turn, keys=keys)
                break
    return [_with_squares(turn, have, want) for turn in found.values()]


def gates(keys: Sequence[str], have: Shapes, want: Shapes) -> tuple[str, ...]:
    """Say that a recurrent layer of another kind was stored, by the number of its gates.

    Args:
        keys: the keys with other shapes.
        have: the shapes of the state_dict, under the module's keys.
        want: those of the module.
    """
    kinds = {1: "a plain RNN", 3: "a GRU", 4: "an LSTM"}
    for key in keys:
        old, new = have[key], want[key]
        if ".weight_hh_l" not in key and not key.startswith("weight_hh_l"):
            continue
        if len(old) != 2 or old[1] != new[1] or old[0] % old[1] or new[0] % new[1]:
            continue
        stored, own = old[0] // old[1], new[0] // new[1]
        if stored in kinds and own in kinds:
            return (
                f"{key}: {stored} gates stored, as {kinds[stored]} has, {own} in the model, as {kinds[own]}",
            )
    return ()


def is_computed(key: str, module: Any) -> bool:
    """Tell whether a key is a buffer of indices or flags, which a constructor computes.

    Args:
        key: the key.
        module: the module.
    """
    buffers = dict(module.named_buffers())
    return key in buffers and not buffers[key].is_floating_point()


def boxes(old: int, new: int) -> str:
    """Write rows as those of a head that predicts boxes of three anchors; empty where they are none.

    Args:
        old: the rows of the checkpoint.
        new: those of the module.

    Example:
        >>> boxes(18, 255), boxes(10, 20)
        (': 3·(5 + 1) and 3·(5 + 80), if 3 boxes are predicted at each place', '')
    """
    counts = [rows // 3 - 5 for rows in (old, new)]
    if old % 3 or new % 3 or min(counts) < 1:
        return ""
    a, b = counts
    return f": 3·(5 + {a}) and 3·(5 + {b}), if 3 boxes are predicted at each place"


def is_head(keys: Sequence[str], reshaped: Sequence[str], have: Shapes, want: Shapes) -> bool:
    """Tell whether keys belong to output layers whose number of classes alone differs.

    Args:
        keys: the keys in question.
        reshaped: all keys with other shapes.
        have: the shapes of the state_dict, under the module's keys.
        want: those of the module.
    """
    changed = set(reshaped)
    if all(len(want[key]) < 2 for key in keys):
        return False  # a normalization has no outputs of its own
    order = [key.rpartition(".")[0] for key in want]
    for key in keys:
        old, new = have[key], want[key]
        if len(old) != len(new) or not old or old[0] == new[0] or old[1:] != new[1:]:
            return False
        layer = key.rpartition(".")[0]
        if not layer and key not in {"weight", "bias"}:
            return False
        last = order[-1] == layer or all(other == layer for other in order[order.index(layer) :])
        behind = [other for other in want if order.index(layer) < order.index(other.rpartition(".")[0])]
        named = _HEADS.search(layer) is not None and not any(other in changed - set(keys) for other in behind)
        if not last and not named:
            return False
    return bool(keys)


def _with_squares(turn: Turn, have: Shapes, want: Shapes) -> Turn:
    """Transpose square matrices, too, that stand in layers of the same name; their shapes do not tell."""
    if turn.cause != "stored-transposed":
        return turn
    roles = {_role(key) for key in turn.keys}
    square = [
        key
        for key in want
        if key in have and key not in turn.keys and _role(key) in roles and len(have[key]) == 2
        and have[key] == want[key] and have[key][0] == have[key][1]
    ]  # fmt: skip
    if not square:
        return turn
    names = ", ".join(square[:3]) + (" …" if len(square) > 3 else "")
    why = f"{turn.why}; whether {names}, too, no shape says: the matrix is square"
    return replace(turn, keys=(*turn.keys, *square), why=why)


def _role(key: str) -> str:
    return ".".join(part for part in key.split(".")[-2:] if not part.isdigit())


def _transposed(_key: str, old: Lengths, new: Lengths, _module: Any) -> Turn | None:
    """A matrix or a kernel whose axes stand in another order, and in one order only."""
    if len(old) != len(new) or len(old) < 2 or sorted(old) != sorted(new):
        return None
    if len(old) == 2:
        return Turn("stored-transposed", "v.t()", (), "matrices are stored transposed")
    orders = [axes for axes in permutations(range(len(old))) if tuple(old[axis] for axis in axes) == new]
    native = (len(old) - 1, len(old) - 2, *range(len(old) - 2))  # *k i o, as TensorFlow stores them
    axes = native if native in orders else orders[0] if len(orders) == 1 else None
    if axes is None:
        return None
    return Turn(
        "stored-transposed", f"v.permute{axes}", (), "kernels are stored with their axes in another order"
    )


def _ones(_key: str, old: Lengths, new: Lengths, _module: Any) -> Turn | None:
    """A linear layer for a convolution over one place, or the other way round; a scale with more axes."""
    if [n for n in old if n != 1] != [n for n in new if n != 1]:
        return None
    shape = f"({', '.join(map(str, new))}{',' if len(new) == 1 else ''})"
    return Turn("stored", f"v.reshape{shape}", (), "it has as many elements, and axes of length 1")


def _positions(key: str, old: Lengths, new: Lengths, module: Any) -> Turn | None:
    """A table of positions for another number of them."""
    if not _POSITIONS.search(key) or len(old) != len(new):
        return None
    differing = [axis for axis in range(len(old)) if old[axis] != new[axis]]
    if len(old) == 4 and set(differing) <= {2, 3}:
        text = f'<TORCH>.nn.functional.interpolate(v, size={new[2:]}, mode="bicubic")'
        grids = [f"{one[2]}×{one[3]}" for one in (old, new)]
        why = f"the stored grid of positions is {grids[0]}, and the model's is {grids[1]}"
        return Turn("position-table", text, (), why, makes=f"the grid is interpolated to {grids[1]}")
    if (len(old), differing) not in ((2, [0]), (3, [1])):
        return None
    a, b, width = old[-2], new[-2], new[-1]
    grid = _grid(key, a, b, module) if not _is_embedding(key, module) else None
    batched = len(old) == 3
    if grid is not None:
        return _gridded(a, b, width, grid, batched)
    why = f"{a} positions are stored, and the model has {b}"
    if b < a:
        cut = f"v[:, :{b}]" if batched else f"v[:{b}]"
        return Turn("position-table", cut, (), why, makes=f"the first {b} of {a} positions are kept")
    rows = "v.transpose(1, 2)" if batched else "v.t()[None]"
    back = ".transpose(1, 2)" if batched else "[0].t()"
    text = f'<TORCH>.nn.functional.interpolate({rows}, size={b}, mode="linear"){back}'
    return Turn("position-table", text, (), why, makes=f"the {b} positions are interpolated from {a}")


def _is_embedding(key: str, module: Any) -> bool:
    import torch

    try:
        return isinstance(module.get_submodule(key.rpartition(".")[0]), torch.nn.Embedding)
    except AttributeError:
        return False


def _grid(key: str, a: int, b: int, module: Any) -> tuple[int, tuple[int, int], tuple[int, int]] | None:
    """Return how many positions stand before the grid, and the old and the new grid."""
    for before in (0, 1, 2):
        old, new = _square(a - before), _square(b - before)
        if old and new and min(old, new) > 1:
            return before, (old, old), (new, new)
    owner = key.rpartition(".")[0]
    for name, part in module.named_modules():
        shape = getattr(part, "grid_size", None)
        if not isinstance(shape, tuple) or len(shape) != 2 or not name.startswith(owner):
            continue
        before = b - math.prod(shape)
        old = _square(a - before)
        if 0 <= before <= 2 and old:
            return before, (old, old), (int(shape[0]), int(shape[1]))
    return None


def _square(count: int) -> int:
    side = math.isqrt(max(count, 0))
    return side if side * side == count else 0


def _gridded(
    a: int, b: int, width: int, grid: tuple[int, tuple[int, int], tuple[int, int]], batched: bool
) -> Turn:
    before, old, new = grid
    rest = f"v[:, {before}:]" if batched and before else f"v[{before}:]" if before else "v"
    image = f"{rest}.reshape(1, {old[0]}, {old[1]}, {width}).permute(0, 3, 1, 2)"
    image = (
        f'<TORCH>.nn.functional.interpolate({image}, size={new}, mode="bicubic").flatten(2).transpose(1, 2)'
    )
    image = image if batched else f"{image}[0]"
    if before:
        first, axis = (f"v[:, :{before}]", 1) if batched else (f"v[:{before}]", 0)
        image = f"<TORCH>.cat([{first}, {image}], {axis})"
    shown = f"{before} + " if before else ""
    stored, own = f"{a} = {shown}{old[0]}·{old[1]}", f"{b} = {shown}{new[0]}·{new[1]}"
    why = f"{stored} positions are stored, and the model has {own}"
    return Turn("position-table", image, (), why, makes=f"the {b} positions are interpolated from {a}")


def _vocabulary(key: str, old: Lengths, new: Lengths, module: Any) -> Turn | None:
    """A table of tokens, or the matrix that scores them, with another number of rows."""
    import torch

    if not old or len(old) != len(new) or old[0] == new[0] or old[1:] != new[1:]:
        return None
    tables = {
        (part.num_embeddings, part.embedding_dim)
        for name, part in module.named_modules()
        if isinstance(part, torch.nn.Embedding) and not _POSITIONS.search(f"{name}.")
    }
    rows = {count for count, _ in tables}
    if not (new in tables or (len(new) == 1 and new[0] in rows)) or min(old[0], new[0]) * 2 < max(
        old[0], new[0]
    ):
        return None
    why = f"the checkpoint's table has {old[0]} rows, and the model's has {new[0]}"
    if old[0] > new[0]:
        drops = f"{old[0] - new[0]} of {old[0]} rows are left out"
        return Turn("vocabulary", f"v[:{new[0]}]", (), why, drops)
    text = f"<TORCH>.cat([v, <MODEL>.state_dict()[<NEW>][{old[0]}:]])"
    makes = f"the last {new[0] - old[0]} of {new[0]} rows stay as initialized"
    return Turn("vocabulary", text, (), why, makes=makes)


def _colors(key: str, old: Lengths, new: Lengths, _module: Any) -> Turn | None:
    """A first convolution for gray pictures, or for colored ones."""
    if len(old) != 4 or old[0] != new[0] or old[2:] != new[2:] or {old[1], new[1]} not in ({1, 3}, {3, 4}):
        return None
    why = f"the stored kernels are of {old[1]} channels, and the model's of {new[1]}"
    if new[1] == 1:
        makes = "the weights of the three colors are added for gray pictures"
        return Turn("channels", "v.sum(1, keepdim=True)", (), why, makes=makes)
    if old[1] == 1:
        makes = "the weights for gray pictures are spread over three colors"
        return Turn("channels", "v.repeat(1, 3, 1, 1) / 3", (), why, makes=makes)
    return None


def conditions(
    found: Sequence[Turn], old_key: Mapping[str, str], all_keys: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Write the condition on the old key ``k`` under which each change is made, and its expression.

    Args:
        found: the changes.
        old_key: the old key of each of the module's keys.
        all_keys: every old key.
    """
    for turn in found:
        olds = [old_key[key] for key in turn.keys]
        yield condition(olds, all_keys), turn.expression


def condition(keys: Sequence[str], all_keys: Sequence[str]) -> str:
    """Write a condition on ``k`` that holds for these keys and for no others.

    Args:
        keys: the keys.
        all_keys: every key.

    Example:
        >>> condition(["a.weight"], ["a.weight", "a.bias"])
        'k == "a.weight"'
        >>> condition(["h.0.c.weight", "h.1.c.weight"], ["h.0.c.weight", "h.1.c.weight", "h.0.d.weight"])
        'k.endswith(".c.weight")'
    """
    if len(keys) == 1:
        return f'k == "{keys[0]}"'
    chosen = set(keys)
    writers: tuple[tuple[Callable[[str], str], str], ...] = (
        (lambda key: key.rpartition(".")[0] + ".", "startswith"),
        (lambda key: key.partition(".")[0] + ".", "startswith"),
        (lambda key: "." + ".".join(key.rsplit(".", 2)[-2:]), "endswith"),
        (lambda key: "." + key.rpartition(".")[2], "endswith"),
    )
    found: list[tuple[list[str], str]] = []
    for part, method in writers:
        parts = list(dict.fromkeys(part(key) for key in keys))
        test = str.startswith if method == "startswith" else str.endswith
        if len(parts) <= 3 and {key for key in all_keys if test(key, tuple(parts))} == chosen:
            found.append((parts, method))
    if found:
        parts, method = min(found, key=lambda one: len(one[0]))
        inner = f'"{parts[0]}"' if len(parts) == 1 else "(" + ", ".join(f'"{one}"' for one in parts) + ")"
        return f"k.{method}({inner})"
    return "k in {" + ", ".join(f'"{key}"' for key in keys) + "}"
