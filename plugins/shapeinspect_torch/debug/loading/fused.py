"""Projections that one side stores as one matrix and the other apart, such as query, key and value."""

from __future__ import annotations

from dataclasses import dataclass

from shapeinspect_torch.debug.loading.keys import Match, Shapes

#: What the parts are called, in the order in which they stand in the one matrix.
_PARTS = (
    ("q", "k", "v"), ("query", "key", "value"), ("q_proj", "k_proj", "v_proj"), ("to_q", "to_k", "to_v"),
    ("wq", "wk", "wv"), ("q_lin", "k_lin", "v_lin"), ("gate_proj", "up_proj"), ("w1", "w3"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fusion:
    """How the matrices of one side become those of the other.

    Args:
        entries: the entries that are put in, as a comprehension; ``<STATE>`` is the state_dict, ``<TORCH>``
            the package.
        kept: the condition on ``k`` under which an entry is taken over as it is.
        made: the module's keys that it gives.
        used: the keys of the state_dict that it takes.
        why: what is known, a clause.
        cause: what is wrong, a key of the core's causes.
    """

    entries: str
    kept: str
    made: frozenset[str]
    used: frozenset[str]
    why: str
    cause: str = "fused"


def fusion(found: Match, have: Shapes, want: Shapes) -> Fusion | None:
    """Find matrices that are joined on one side.

    Args:
        found: what fits by key.
        have: the shapes of the state_dict, under the module's keys.
        want: those of the module.
    """
    if not found.missing or not found.unexpected:
        return None
    for parts in _PARTS:
        joined = _groups(parts, found.unexpected, have, found.missing, want)
        if joined is not None:
            names, whole, rows = joined
            cat = ", ".join(["v", *(f'<STATE>[k.replace("{names[0]}", "{name}")]' for name in names[1:])])
            entries = (
                f'{{k.replace("{names[0]}", "{whole}"): <TORCH>.cat([{cat}]) for k, v in <STATE>.items() '
                f'if "{names[0]}" in k}}'
            )
            listed = ", ".join(f'"{name}"' for name in names)
            return Fusion(
                entries,
                f"not any(part in k for part in ({listed}))",
                frozenset(made for made, _ in rows),
                frozenset(key for _, keys in rows for key in keys),
                f"{', '.join(parts)} of the checkpoint are one matrix in the model, taken in this order",
            )
        split = _groups(parts, found.missing, want, found.unexpected, have)
        if split is not None:
            names, whole, rows = split
            if len({want[key] for _, keys in rows[:1] for key in keys}) > 1:
                continue  # parts of other sizes are no equal chunks
            listed = ", ".join(f'"{name}"' for name in names)
            entries = (
                f'{{k.replace("{whole}", part): rows for k, v in <STATE>.items() if "{whole}" in k '
                f"for part, rows in zip(({listed}), v.chunk({len(names)}))}}"
            )
            return Fusion(
                entries,
                f'"{whole}" not in k',
                frozenset(key for _, keys in rows for key in keys),
                frozenset(made for made, _ in rows),
                f"the checkpoint stores {', '.join(parts)} as one matrix, taken in this order",
            )
    return None


_Rows = list[tuple[str, tuple[str, ...]]]


def _groups(
    parts: tuple[str, ...],
    single: tuple[str, ...],
    sizes: Shapes,
    whole: tuple[str, ...],
    whole_sizes: Shapes,
) -> tuple[tuple[str, ...], str, _Rows] | None:
    """Return the parts of names, that of the one matrix, and each key of it with those of its parts."""
    for dot in (".", ""):
        names = tuple(f"{dot}{part}." for part in parts)
        rows: _Rows = []
        middles: set[str] = set()
        for key in single:
            at = key.find(names[0]) if dot else (0 if key.startswith(names[0]) else -1)
            if at < 0:
                continue
            keys = tuple(key[:at] + name + key[at + len(names[0]) :] for name in names)
            tail = key[at + len(names[0]) :]
            made = [
                other
                for other in whole
                if other.startswith(key[:at])
                and other.endswith(tail)
                and _is_sum(other, whole_sizes, keys, sizes)
            ]
            if len(made) != 1:
                return None
            rows.append((made[0], keys))
            middles.add(made[0][at : len(made[0]) - len(tail)])
        if rows and len(middles) == 1:
            return names, middles.pop(), rows
    return None


def _is_sum(whole: str, whole_sizes: Shapes, keys: tuple[str, ...], sizes: Shapes) -> bool:
    if any(key not in sizes or not sizes[key] for key in keys) or not whole_sizes[whole]:
        return False
    rows = sum(sizes[key][0] for key in keys)
    return whole_sizes[whole] == (rows, *sizes[keys[0]][1:])
