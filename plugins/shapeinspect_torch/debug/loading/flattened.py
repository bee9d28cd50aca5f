"""Keys without their dots, as averages of weights are stored: ``shadow_enc_weight`` for ``enc.weight``."""

from __future__ import annotations

from collections.abc import Iterator

from shapeinspect_torch.debug.loading.keys import Shapes, fits
from shapeinspect_torch.debug.loading.renames import Renaming

#: What may stand in the place of each dot.
_SEPARATORS = ("_", "", "/", "-", "__")
#: So many of the longest names are looked for at the ends of keys.
_LONGEST = 6
#: At least this part of the model's keys has to be found.
_PART = 0.5
#: So many keys that are no weights are named one by one.
_OTHERS = 4


def flattened(have: Shapes, want: Shapes) -> Renaming | None:
    """Pair keys that are the model's but for their dots and a beginning; None where most have no such key.

    Args:
        have: the shapes of the state_dict.
        want: those of the module.
    """
    for separator in _SEPARATORS:
        names = {key.replace(".", separator): key for key in want}
        if len(names) < len(want) or all("." not in key for key in want):
            continue  # two keys of the model would be one
        for prefix in _prefixes(have, sorted(names, key=len, reverse=True)[:_LONGEST]):
            pairs = {prefix + flat: key for flat, key in names.items() if prefix + flat in have}
            same = {old: new for old, new in pairs.items() if fits(have[old], want[new])}
            if len(same) == len(pairs) and len(same) > _PART * len(want) and len(same) > 1:
                return _renaming(separator, prefix, same, have)
    return None


def _prefixes(have: Shapes, longest: list[str]) -> Iterator[str]:
    """Yield what stands before a name of the model's at the end of a key."""
    found = (key[: len(key) - len(flat)] for flat in longest for key in have if key.endswith(flat))
    yield from list(dict.fromkeys(found))[:_LONGEST]


def _renaming(separator: str, prefix: str, pairs: dict[str, str], have: Shapes) -> Renaming:
    flat = f'n.replace(".", "{separator}")'
    whole = f'"{prefix}" + {flat}' if prefix else flat
    table = f"{{{whole}: n for n in <MODEL>.state_dict()}}"
    others = [key for key in have if key not in pairs]
    kept = f"k in {table}"
    if not others:
        kept = ""
    elif prefix and not any(key.startswith(prefix) for key in others):
        kept = f'k.startswith("{prefix}")'
    elif len(others) <= _OTHERS:
        kept = f"k not in ({', '.join(map(_quoted, others))}{',' * (len(others) == 1)})"
    dots = f'with "{separator}" for each dot' if separator else "without the dots"
    behind = f', behind "{prefix}"' if prefix else ""
    why = f"{len(pairs)} keys of the checkpoint are the model's {dots}{behind}"
    return Renaming(f"{table}[k]", lambda key: pairs.get(key, key), kept, pairs.__contains__, (why,), False)


def _quoted(key: str) -> str:
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
