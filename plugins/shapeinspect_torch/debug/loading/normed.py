"""Weights that one side stores in parts, as ``weight_norm`` and ``spectral_norm`` keep them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shapeinspect_torch.debug.loading.fused import Fusion
from shapeinspect_torch.debug.loading.keys import Match, Shapes


@dataclass(frozen=True, slots=True)
class _Form:
    """How the parts of a weight are called.

    Args:
        what: the function that makes them.
        parts: what follows a weight's name, or takes its place where it begins with a dot; that with the
            weight's own shape is the first.
    """

    what: str
    parts: tuple[str, ...]

    def keys(self, weight: str) -> tuple[str, ...]:
        """Return the keys of a weight's parts, that of its own shape first.

        Args:
            weight: the key of the weight.
        """
        path, dot, name = weight.rpartition(".")
        return tuple(
            f"{path}{dot}parametrizations.{name}{part}" if part[0] == "." else weight + part
            for part in self.parts
        )


_WEIGHT_NORM = (
    _Form("weight_norm", ("_v", "_g")),
    _Form("torch.nn.utils.parametrizations.weight_norm", (".original1", ".original0")),
)
_SPECTRAL_NORM = (
    _Form("spectral_norm", ("_orig", "_u", "_v")),
    _Form("torch.nn.utils.parametrizations.spectral_norm", (".original", ".0._u", ".0._v")),
)


def normed(found: Match, have: Shapes, want: Shapes) -> Fusion | None:
    """Find weights that one side alone stores in parts, and write how the other's follow from them.

    Args:
        found: what fits by key.
        have: the shapes of the state_dict.
        want: those of the module.

    Source: ``torch.nn.utils.weight_norm``: w = g · v / ‖v‖ over all axes but the first;
        ``torch.nn.utils.spectral_norm``: w = w_orig / (u · W v), W being the weight as a matrix.
    """
    for form in (*_WEIGHT_NORM, *_SPECTRAL_NORM):
        stored = {key: form.keys(key) for key in _whole(form, found.missing, found.unexpected)}
        if stored and all(_is_plain(form, have, want[key], parts) for key, parts in stored.items()):
            used = frozenset(part for parts in stored.values() for part in parts)
            parts = f"{_count(stored)} in the parts that {form.what} makes"
            why = f"the checkpoint stores {parts}; the model has them whole"
            entries = _joined(form)
            kept = f"not k.endswith(({', '.join(_quoted(part) for part in _endings(form))}))"
            if all(not key.endswith(_endings(form)) for key in have if key not in used):
                return Fusion(
                    entries, kept, frozenset(stored), used, f"{why}; the model has them whole", _CAUSE
                )
        own = {key: form.keys(key) for key in _whole(form, found.unexpected, found.missing)}
        plain = own and all(_is_plain(form, want, have[key], parts) for key, parts in own.items())
        if plain and form in _WEIGHT_NORM:
            made = frozenset(part for parts in own.values() for part in parts)
            why = f"the model has {_count(own)} in the parts that {form.what} makes"
            return Fusion(
                _split(form),
                f"not ({_has_parts(form)})",
                made,
                frozenset(own),
                f"{why}; the checkpoint stores them whole",
                _CAUSE,
            )
    return None


_CAUSE = "reparametrized"


def _whole(form: _Form, weights: tuple[str, ...], parts: tuple[str, ...]) -> Iterator[str]:
    """Yield the weights of one side whose parts the other has."""
    there = {*parts}
    yield from (key for key in weights if there.issuperset(form.keys(key)))


def _is_plain(form: _Form, sizes: Shapes, weight: tuple[int, ...], parts: tuple[str, ...]) -> bool:
    """Tell whether the parts belong to the first axis, as they do unless another one was asked for."""
    first, *others = (sizes[part] for part in parts)
    if first != weight or not weight:
        return False
    rows = weight[0]
    return others[0] == ((rows, *(1,) * (len(weight) - 1)) if form in _WEIGHT_NORM else (rows,))


def _count(weights: dict[str, tuple[str, ...]]) -> str:
    return f"{len(weights)} {'weight' if len(weights) == 1 else 'weights'}"


def _endings(form: _Form) -> tuple[str, ...]:
    return tuple(f"weight{part}" for part in form.parts)


def _quoted(text: str) -> str:
    return f'"{text}"'


def _part(key: str, form: _Form, index: int) -> str:
    """Write the key of a part of the weight whose key an expression gives."""
    part = form.parts[index]
    if part[0] != ".":
        return f'{key} + "{part}"'
    return f'{key}.replace("weight", "parametrizations.weight{part}")'


def _has_parts(form: _Form) -> str:
    """Write the condition under which the model has the parts of the weight whose key is ``k``."""
    there = f"{_part('k', form, 0)} in <MODEL>.state_dict()"
    return f'k.endswith("weight") and {there}'


def _joined(form: _Form) -> str:
    """Write the weights that follow from their parts; ``k`` is the key of the part of their shape."""
    own, *others = _endings(form)
    held = [f'<STATE>[k.replace("{own}", "{other}")]' for other in others]
    if form in _WEIGHT_NORM:
        value = f"v * {held[0]} / v.flatten(1).norm(dim=1).view_as({held[0]})"
    else:
        value = f"v / ({held[0]} @ v.flatten(1) @ {held[1]})"
    old = f"parametrizations.{own}" if own[len("weight")] == "." else own
    return f'{{k.replace("{old}", "weight"): {value} for k, v in <STATE>.items() if k.endswith("{own}")}}'


def _split(form: _Form) -> str:
    """Write the parts of whole weights."""
    direction, size = _part("k", form, 0), _part("k", form, 1)
    norm = "v.flatten(1).norm(dim=1).view(-1, *[1] * (v.ndim - 1))"
    return (
        f"{{name: part for k, v in <STATE>.items() if {_has_parts(form)} "
        f"for name, part in (({direction}, v), ({size}, {norm}))}}"
    )
