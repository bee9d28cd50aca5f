"""How the keys of a state_dict become those of a module: prefixes first, then parts of names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from shapeinspect_torch.debug.loading.keys import Shapes, fits, match

#: The wrappers that put a prefix before every key, or a part into it.
WRAPPERS = {
    "module.": "DataParallel or DistributedDataParallel",
    "_orig_mod.": "torch.compile",
    "module._orig_mod.": "DataParallel around torch.compile",
    "_orig_mod.module.": "torch.compile around DataParallel",
    "_fsdp_wrapped_module.": "FullyShardedDataParallel",
    "_checkpoint_wrapped_module.": "activation checkpointing",
    "base_model.model.": "peft",
}
#: The key that an average of weights counts its updates under, and what it is called.
_AVERAGED, _AVERAGE = "n_averaged", "AveragedModel: n_averaged counts its updates"
#: At most so many parts of names are exchanged.
_MOST = 5
#: How the parts of a weight end that ``weight_norm`` and ``spectral_norm`` store; none is the weight itself.
PARTS = ("_g", "_v", "_u", "_orig", ".original", ".original0", ".original1")
#: Longer prefixes than this many parts are not looked for.
_PARTS = 6


@dataclass(frozen=True, slots=True)
class Renaming:
    """An expression of the new key and what it does.

    Args:
        key: the expression; the old key is ``k``.
        apply: the same as a function.
        kept: the condition on ``k`` under which an entry is kept; empty for all.
        keep: the same as a function.
        why: what is known, a clause each.
        prefix: whether only prefixes change.
    """

    key: str = "k"
    apply: Callable[[str], str] = str
    kept: str = ""
    keep: Callable[[str], bool] = bool
    why: tuple[str, ...] = ()
    prefix: bool = True

    def shapes(self, have: Shapes) -> dict[str, tuple[int, ...]]:
        """Return the shapes under the new keys.

        Args:
            have: those under the old ones.
        """
        return {self.apply(key): shape for key, shape in have.items() if self.keep(key)}


def renaming(have: Shapes, want: Shapes) -> Renaming:
    """Find the renaming after which the most keys are the module's.

    Args:
        have: the shapes of the state_dict.
        want: those of the module.
    """
    found = _prefixed(have, want)
    return (_renumbered(have, want) if found.key == "k" else None) or _parts(found, have, want)


def _renumbered(have: Shapes, want: Shapes) -> Renaming | None:
    """Find layers of a numbered list that stand by a constant number further on in the module's.

    It counts only where every weight of the checkpoint has a place then.
    """
    now = match(have, want)
    votes: Counter[tuple[str, str, int]] = Counter()
    for old in (*now.unexpected, *now.reshaped):
        for new in (*now.missing, *now.reshaped):
            a, b = old.split("."), new.split(".")
            parts = [place for place, (x, y) in enumerate(zip(a, b, strict=False)) if x != y]
            if len(a) != len(b) or len(parts) != 1 or not fits(have[old], want[new]):
                continue
            at = parts[0]
            if 0 < at < len(a) - 2 and a[at].isdigit() and b[at].isdigit():
                votes[".".join(a[:at]), a[at + 1], int(b[at]) - int(a[at])] += 1
    for (path, layer, by), _ in votes.most_common(_MOST):
        found = re.compile(rf"{re.escape(path)}\.(\d+)\.{re.escape(layer)}\.")
        numbers = sorted({int(one[1]) for one in map(found.match, have) if one}, reverse=by > 0)
        if len(numbers) > _MOST:
            continue
        key: str = "k"
        apply: Callable[[str], str] = str
        for number in numbers:  # the last one first, so that none is moved twice
            old, new = f"{path}.{number}.{layer}.", f"{path}.{number + by}.{layer}."
            key, apply = f'{key}.replace("{old}", "{new}")', _then(apply, old, new)
        left = match({apply(name): shape for name, shape in have.items()}, want)
        if not left.unexpected and not left.reshaped:
            why = f'"{path}.N.{layer}" in the checkpoint is "{path}.N{by:+d}.{layer}" in the model'
            return Renaming(key, apply, why=(why,), prefix=False)
    return None


def _fitting(have: Shapes, want: Shapes) -> int:
    return sum(1 for key, shape in have.items() if key in want and fits(shape, want[key]))


def _common(have: Shapes, want: Shapes) -> int:
    return sum(1 for key in have if key in want)


def _prefixed(have: Shapes, want: Shapes) -> Renaming:
    """Take a prefix away, put one before, or exchange one for another."""
    own = Renaming()
    start = _common(have, want)
    if start == len(want):
        return own
    best, gain, fitting, equal = own, start, 0, ""
    for candidate in (*_removals(have, want), *_additions(have, want)):
        shapes = candidate.shapes(have)
        count, fit = _common(shapes, want), _fitting(shapes, want)
        if count > gain or (count == gain > start and fit > fitting):
            best, gain, fitting, equal = candidate, count, fit, ""
        elif count == gain > start and fit == fitting and best.kept and candidate.kept and not equal:
            equal = candidate.kept
    if equal:
        prefix = equal.split('"')[1]
        best = replace(best, why=(*best.why, f'those that begin with "{prefix}" would do as well'))
    # A few keys alone prove no prefix: "0.weight" is found behind many.
    return best if gain - start > min(len(have), len(want)) * 0.3 or gain == len(want) else own


def _removals(have: Shapes, want: Shapes) -> Iterable[Renaming]:
    prefixes = Counter(
        ".".join(parts[:depth]) + "."
        for parts in (key.split(".") for key in have)
        for depth in range(1, min(len(parts), _PARTS))
    )
    for prefix, count in prefixes.most_common(60):
        others = [key for key in have if not key.startswith(prefix)]
        word = _AVERAGE if prefix == "module." and _AVERAGED in have else WRAPPERS.get(prefix)
        origin = f" ({word})" if word else ""
        whole = f'all {len(have)} keys of the checkpoint begin with "{prefix}"{origin}, the model\'s do not'
        if not others:
            yield Renaming(f'k.removeprefix("{prefix}")', _without(prefix), why=(whole,))
        elif not any(key in want for key in others):
            some = f'{count} of {len(have)} keys of the checkpoint begin with "{prefix}"{origin}'
            yield Renaming(
                f'k.removeprefix("{prefix}")',
                _without(prefix),
                f'k.startswith("{prefix}")',
                _with(prefix),
                (some,),
            )
        else:
            some = f'{count} of {len(have)} keys of the checkpoint begin with "{prefix}"{origin}'
            yield Renaming(f'k.removeprefix("{prefix}")', _without(prefix), why=(some,))
    for part, wrapper in WRAPPERS.items():
        if part.count(".") == 1 and any(f".{part}" in key for key in have):
            why = f'"{part}" stands inside keys of the checkpoint ({wrapper})'
            yield Renaming(f'k.replace("{part}", "")', _replaced(part, ""), why=(why,))


def _additions(have: Shapes, want: Shapes) -> Iterable[Renaming]:
    prefixes = Counter(
        ".".join(parts[:depth]) + "."
        for parts in (key.split(".") for key in want)
        for depth in range(1, min(len(parts), _PARTS))
    )
    for prefix, count in prefixes.most_common(60):
        word = WRAPPERS.get(prefix)
        origin = f" ({word})" if word else ""
        many = f"all {count}" if count == len(want) else f"{count} of {len(want)}"
        why = f'{many} keys of the model begin with "{prefix}"{origin}, the checkpoint\'s do not'
        yield Renaming(f'"{prefix}" + k', _prefixed_with(prefix), why=(why,))
    old = Counter(key.partition(".")[0] + "." for key in have if "." in key)
    new = Counter(key.partition(".")[0] + "." for key in want if "." in key)
    if len(old) == 1 and len(new) == 1 and old.keys() != new.keys():
        before, after = next(iter(old)), next(iter(new))
        why = f'the checkpoint\'s keys begin with "{before}", the model\'s with "{after}"'
        yield Renaming(
            f'"{after}" + k.removeprefix("{before}")',
            lambda key: after + key.removeprefix(before),
            why=(why,),
        )


def _prefixed_with(prefix: str) -> Callable[[str], str]:
    return lambda key: prefix + key


def _without(prefix: str) -> Callable[[str], str]:
    return lambda key: key.removeprefix(prefix)


def _with(prefix: str) -> Callable[[str], bool]:
    return lambda key: key.startswith(prefix)


def _replaced(old: str, new: str) -> Callable[[str], str]:
    return lambda key: key.replace(old, new)


def _is_a_guess(now: Shapes, renamed: Shapes, want: Shapes, gain: int) -> bool:
    """Tell whether keys fit by their new names in lengths alone, which any two layers may share.

    One such key is a guess, and so are several where other keys of these layers do not fit.
    """
    new = {name: shape for name, shape in renamed.items() if name in want and name not in now}
    fitting = [shape for name, shape in new.items() if want[name] == shape]
    return all(len(shape) < 2 for shape in fitting) and (gain == 1 or len(fitting) < len(new))


def _parts(found: Renaming, have: Shapes, want: Shapes) -> Renaming:
    """Exchange parts of names for as long as each exchange makes more keys fit.

    Between networks of other blocks some keys have equal shapes by accident: exchanges that leave most keys
    without a partner prove nothing.
    """
    key, apply, why, plain = found.key, found.apply, [*found.why], found.prefix
    first = match({apply(name): shape for name, shape in have.items() if found.keep(name)}, want)
    for _ in range(_MOST):
        now = {apply(name): shape for name, shape in have.items() if found.keep(name)}
        left = match(now, want)
        if not left.missing or not left.unexpected:
            break
        start = _fitting(now, want)
        best: tuple[int, int, str, str] = (0, 0, "", "")
        for old, new in _exchanges(left.unexpected, left.missing, now, want):
            renamed = {name.replace(old, new): shape for name, shape in now.items()}
            if len(renamed) == len(now) and not _torn(now, renamed, want):
                gain = _fitting(renamed, want) - start
                whole = "." in old.strip(".") or old.endswith(".")  # a layer, and no part of a name
                if whole and _is_a_guess(now, renamed, want, gain):
                    continue
                best = max(best, (gain, -len(old) - len(new), old, new))
        gain, _, old, new = best
        if gain < 1:
            break
        key = f'{key}.replace("{old}", "{new}")' if "+" not in key else f'({key}).replace("{old}", "{new}")'
        apply, plain = _then(apply, old, new), False
        why.append(
            f'"{old}" in the checkpoint is "{new}" in the model: {gain} {"key" if gain == 1 else "keys"}'
        )
    left = match({apply(name): shape for name, shape in have.items() if found.keep(name)}, want)
    if 2 * len(left.missing) > len(first.missing) and 2 * len(left.unexpected) > len(first.unexpected):
        return found
    return Renaming(key, apply, found.kept, found.keep, tuple(why), plain)


def _torn(have: Iterable[str], renamed: Iterable[str], want: Shapes) -> bool:
    """Tell whether a renaming takes a layer out of its block and leaves the layers beside it there."""
    pairs = [(_block(old), _block(new), old) for old, new in zip(have, renamed, strict=True)]
    stay = {block for block, other, name in pairs if block == other and name in want}
    return any(old != new and old in stay for old, new, _ in pairs)


def _block(key: str) -> str:
    """Return the path of the block that holds the layer of a weight; the key itself where there is none."""
    return key.rsplit(".", 2)[0] if key.count(".") > 1 else key


def _then(apply: Callable[[str], str], old: str, new: str) -> Callable[[str], str]:
    return lambda key: apply(key).replace(old, new)


def _exchanges(
    unexpected: Iterable[str], missing: Iterable[str], have: Shapes, want: Shapes
) -> list[tuple[str, str]]:
    """List the exchanges of parts that turn one key into another of its shape, the commonest first."""
    by_shape: dict[tuple[int, ...], list[str]] = {}
    for key in missing:
        by_shape.setdefault(want[key], []).append(key)
    votes: Counter[tuple[str, str]] = Counter()
    for old in unexpected:
        for new in by_shape.get(have[old], ())[:40]:
            pair = _difference(old, new)
            if pair is not None and old.endswith(PARTS) == new.endswith(PARTS):
                votes[pair] += 1
    return [pair for pair, _ in votes.most_common(80)]


def _difference(old: str, new: str) -> tuple[str, str] | None:
    """Return the parts in which two keys differ, with a part beside them where one side has none."""
    a, b = old.split("."), new.split(".")
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    end = 0
    while end < min(len(a), len(b)) - start and a[-1 - end] == b[-1 - end]:
        end += 1
    left, right = a[start : len(a) - end], b[start : len(b) - end]
    if not start and not end:
        return None
    if not left or not right:  # something was put in or taken out: name the part before it, or the one behind
        if start and not a[start - 1].isdigit():
            left, right = [a[start - 1], *left], [a[start - 1], *right]
        elif end:
            left, right = [*left, a[len(a) - end]], [*right, a[len(a) - end]]
        else:
            return None
    if re.fullmatch(r"[\d.]*", ".".join(left)):  # another number in a list: name the list, too
        if not start or a[start - 1].isdigit():
            return None
        left, right = [a[start - 1], *left], [a[start - 1], *right]
        start -= 1
    whole_left, whole_right = ".".join(left), ".".join(right)
    if end or a[-1] not in left:
        return f"{whole_left}.", f"{whole_right}."
    return (f".{whole_left}", f".{whole_right}") if start else (whole_left, whole_right)
