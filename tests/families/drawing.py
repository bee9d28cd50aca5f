"""Draws small configurations of a family at random, each of which its library takes."""

from __future__ import annotations

import random
import re
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any


class Draw:
    """Numbers that go together: heads divide widths, groups divide experts.

    Args:
        seed: of the draw.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.heads = self.random.choice((4, 6, 8))
        self.depth = self.random.randint(3, 5)
        self.vocabulary = self.random.randint(95, 160)
        self.width = self.heads * 2 * self.random.choice((4, 5, 6, 7, 8))

    def value(self, name: str, old: Any) -> Any:
        """Return another value of a setting, or the old one.

        Args:
            name: of the setting.
            old: its value.
        """
        last = name.rpartition(".")[2]
        if isinstance(old, bool):
            return self.random.random() < 0.5
        if isinstance(old, int) or old is None:
            for pattern, draw in _DRAWN:
                if re.search(pattern, last):
                    return draw(self, old)
            if isinstance(old, int) and old >= 16:
                return 2 * self.random.randint(6, 24)
            if isinstance(old, int) and old > 0 and not last.endswith("_id"):
                return self.random.choice((old, old, old + 1, 2 * old, max(old - 1, 1)))
        if isinstance(old, list | tuple) and old and all(type(item) is int for item in old):
            small = max(old) < 16
            return [self.random.randint(1, 3) if small else 8 * self.random.randint(1, 6) for _ in old]
        if isinstance(old, float) and re.search(r"ratio|expand|multipl", last):
            return self.random.choice((2.0, 3.0, 4.0))
        return old


#: Settings that are numbers, whatever they are by default.
_NUMBERED = re.compile(r"^(n|num|max)_|_(size|dim|groups?|rank|k)$|experts|layers|heads")
_Drawing = Callable[[Draw, Any], Any]
#: What is drawn for a setting: the first pattern that its name holds decides. A function gets the draw.
_DRAWN: tuple[tuple[str, _Drawing], ...] = (
    (
        r"(^|_)(pad|bos|eos|unk|sep|cls|mask|image|video|audio|decoder_start|token)\w*_(id|ids|index)$",
        lambda d, o: None if o is None else min(o, 5),
    ),
    (r"vocab_size", lambda d, o: d.vocabulary + d.random.randint(0, 30)),
    (r"first_k_dense|moe_layer_start", lambda d, o: d.random.randint(0, 2)),
    (r"_offset$|_pattern$", lambda d, o: o),
    (r"_(period|freq|interval|step)$", lambda d, o: d.random.randint(1, 3)),
    (
        r"(num|n)_(key_value|kv)|multi_query|num_kv|n_head_kv|kv_heads",
        lambda d, o: d.random.choice([n for n in (1, 2, 4, d.heads // 2, d.heads) if d.heads % n == 0]),
    ),
    (r"(encoder|decoder|cross)\w*heads", lambda d, o: d.random.choice((d.heads, d.heads // 2))),
    (r"heads?$|num_heads|n_head", lambda d, o: d.heads),
    (
        r"(num|n)_.*layers?$|^n_layers?$|depth$|num_.*blocks$|^layers$",
        lambda d, o: o if o is None else max(2, d.depth - d.random.randint(0, 2)),
    ),
    (
        r"head_dim|d_kv|qk_\w*dim|v_head",
        lambda d, o: None if o is None and d.random.random() < 0.5 else 4 * d.random.randint(1, 5),
    ),
    (r"lora_rank", lambda d, o: None if d.random.random() < 0.2 else 2 * d.random.randint(3, 9)),
    (r"(num|n)_(local_|routed_)?experts$", lambda d, o: o and 2 * d.random.randint(2, 4)),
    (r"per_tok|topk|top_k|n_group|shared_experts", lambda d, o: o and d.random.randint(1, 2)),
    (
        r"inner|intermediate|ffn|d_ff|mlp_dim|hidden_dim$",
        lambda d, o: None if o is None and d.random.random() < 0.5 else 2 * d.random.randint(11, 31),
    ),
    (r"^(hidden_size|d_model|n_embd|embed_dim|dim|width)$", lambda d, o: o and d.width),
    (r"hidden_size|_dim$|embedding_size", lambda d, o: o and d.heads * 2 * d.random.randint(2, 9)),
    (r"image_size", lambda d, o: 8 * d.random.randint(2, 4)),
    (r"patch_size", lambda d, o: d.random.choice((2, 4))),
    (r"position|n_ctx|seq_len|context", lambda d, o: o and d.random.randint(40, 90)),
)


def _scaled(value: Any, ratio: Fraction) -> Any:
    """Return a number, or the numbers in lists, times a ratio; None where that is no whole number."""
    if type(value) is int:
        return int(value * ratio) if value and (value * ratio).denominator == 1 else None
    if isinstance(value, list | tuple) and value:
        items = [item if isinstance(item, str) else _scaled(item, ratio) for item in value]
        if not all(isinstance(item, str) for item in value):
            return None if None in items else items
        return list(value)
    return None


def _together(
    base: Mapping[str, Any], wanted: Mapping[str, Any], key: str, takes: Callable[[Mapping[str, Any]], bool]
) -> dict[str, Any] | None:
    """Change a setting together with one that goes with it, as a width does with its heads."""
    old, part = base[key], key.rpartition(".")[0]
    if type(old) is bool and type(wanted[key]) is bool:
        for other, value in base.items():
            if other != key and other.rpartition(".")[0] == part and type(value) is bool:
                both = {**base, key: wanted[key], other: not value}
                if takes(both):
                    return both
    if type(old) is not int or type(wanted[key]) is not int or old <= 0:
        return None
    for number in (wanted[key], wanted[key] + 1, wanted[key] - 1, 2 * wanted[key], old // 2, 2 * old):
        if number in (0, old):
            continue
        for other, value in base.items():
            if other == key or other.rpartition(".")[0] != part or value in (None, True, False):
                continue
            for ratio in (Fraction(number, old), Fraction(old, number)):
                scaled = _scaled(value, ratio)
                if scaled is not None and scaled != value:
                    both = {**base, key: number, other: scaled}
                    if takes(both):
                        return both
    return None


def _complete(
    name: str, settings: Mapping[str, Any], takes: Callable[[Mapping[str, Any]], bool]
) -> dict[str, Any]:
    """Give numbers to settings that have none by default, where no model can be made without them."""
    base = dict(settings)
    if takes(base):
        return base
    draw = Draw(zlib.crc32(name.encode()))
    empty = [key for key, old in settings.items() if old is None and _NUMBERED.search(key.rpartition(".")[2])]
    whole = {**base, **{key: draw.value(key, 8) for key in empty}}
    if not takes(whole):
        return base
    for key in empty:
        if takes({**whole, key: None}):
            whole[key] = None
    return whole


def draws(
    name: str,
    settings: Mapping[str, Any],
    takes: Callable[[Mapping[str, Any]], bool],
    count: int,
    choices: Mapping[str, Sequence[str]],
) -> list[dict[str, Any]]:
    """Return configurations that a library takes, each a draw of its own.

    Args:
        name: of the family, which makes the draws the same each time.
        settings: those of the library's default.
        takes: whether a model can be made of them.
        count: how many.
        choices: the words that a setting may be.
    """
    found: list[dict[str, Any]] = []
    refused: Counter[str] = Counter()

    def as_far(base: Mapping[str, Any], wanted: Mapping[str, Any], changed: Sequence[str]) -> dict[str, Any]:
        """Take over what goes, in halves where not all does."""
        whole = {**base, **{key: wanted[key] for key in changed}}
        if not changed or takes(whole):
            return whole
        if len(changed) == 1:
            together = _together(base, wanted, changed[0], takes)
            if together is None:
                refused.update(changed)
            return together or dict(base)
        middle = len(changed) // 2
        return as_far(as_far(base, wanted, changed[:middle]), wanted, changed[middle:])

    base = _complete(name, settings, takes)
    for seed in range(count):
        random_numbers: dict[str, Draw] = {}
        wanted = {}
        for key, old in settings.items():
            part = key.rpartition(".")[0]
            draw = random_numbers.setdefault(part, Draw(zlib.crc32(f"{name} {part} {seed}".encode())))
            words = choices.get(key, ())
            wanted[key] = draw.random.choice(words) if len(words) > 1 else draw.value(key, old)
        # What was refused twice is tried only now and then, so that the others are drawn in one piece.
        changed = [key for key in wanted if wanted[key] != base[key] and (refused[key] < 2 or seed % 8 == 7)]
        base = as_far(base, wanted, changed)
        found.append(base)
    return found
