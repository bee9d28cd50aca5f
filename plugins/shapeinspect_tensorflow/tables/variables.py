"""Groups variables into layers by their names, with a kind where names and shapes prove it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from shapeinspect.dims import Shape, known
from shapeinspect.ir import Layer, Weight
from shapeinspect_tensorflow.tables.evidence import Proof, prove, role
from shapeinspect_tensorflow.vocabulary import dtypes
from shapeinspect_tensorflow.vocabulary.layouts import TABLE

#: Roles that are never trained.
_FROZEN = frozenset({"moving_mean", "moving_variance"})
#: The state of a random number generator, a variable that Keras does not count.
_STATE = "seed_generator_state"
_NUMBER = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of a model.

    Args:
        name: its name in the file.
        path: the layer that owns it, outermost part first; may be empty.
        role: its own name in that layer.
        dtype: the code of its element type.
        shape: its lengths.
        nbytes: its size in bytes, or None if unknown.
        trainable: whether it is trained, or None if unknown.
        where: its file.
        storage: the key that tied variables share.
        values: reads its values.
    """

    name: str
    path: tuple[str, ...]
    role: str
    dtype: int
    shape: Shape
    nbytes: int | None = None
    trainable: bool | None = None
    where: str | None = None
    storage: str | None = None
    values: Callable[[], Any] | None = None


def natural(text: str) -> str:
    """Return a key that sorts numbers in names by value.

    Args:
        text: a name.

    Example:
        >>> sorted(["layer-10", "layer-9"], key=natural)
        ['layer-9', 'layer-10']
    """
    return _NUMBER.sub(_by_value, text)


def _by_value(found: re.Match[str]) -> str:
    # Before every other character, and by its length first: shorter ones are smaller.
    digits = found[0].lstrip("0")
    return f"\0{chr(len(digits))}{digits}"


def layers(variables: Iterable[Variable]) -> tuple[Layer, ...]:
    """Group variables into layers.

    Args:
        variables: the variables, in the order of the layers to be returned.
    """
    groups: dict[tuple[str, ...], list[Variable]] = {}
    for variable in variables:
        groups.setdefault(variable.path, []).append(variable)
    proofs: dict[object, Proof] = {}
    return tuple([_layer(path, group, proofs) for path, group in groups.items()])


def _layer(path: tuple[str, ...], group: Sequence[Variable], proofs: dict[object, Proof]) -> Layer:
    alike = tuple([(variable.role, variable.shape) for variable in group])
    proof = proofs.get(alike)
    if proof is None:
        proof = proofs[alike] = _proof(group)
    weights = tuple([_weight(variable, proof.type) for variable in group])
    text = "/".join(path)
    return Layer(text or "(root)", proof.kind, proof.type, path or ("(root)",), proof.attributes, weights,
                 proof.candidates)  # fmt: skip


def _proof(group: Sequence[Variable]) -> Proof:
    shapes = {role(variable.role): _whole(variable.shape) for variable in group}
    if len(shapes) < len(group) or not all(known(variable.shape) for variable in group):
        return Proof()
    return prove(shapes)


def _whole(shape: Shape) -> tuple[int, ...]:
    return tuple(dim for dim in shape if isinstance(dim, int))


def _weight(variable: Variable, kind: str) -> Weight:
    named = role(variable.role)
    layout = TABLE.bind(kind, named, len(variable.shape)) if kind else None
    trainable = False if named in _FROZEN and kind == "BatchNormalization" else variable.trainable
    return Weight(
        variable.name, named, variable.shape, dtypes.name(variable.dtype), variable.nbytes, trainable, layout,
        storage=variable.storage, where=variable.where, buffer=named.startswith(_STATE),
        values=variable.values,
    )  # fmt: skip
