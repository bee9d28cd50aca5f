"""The low-rank updates that Keras makes anew when it loads a file.

A saved weight holds its update already added in; the settings keep the rank, by which loading makes a new
update of zeros beside the weight, which is no longer trained.

Source: ``build``, ``enable_lora`` and ``save_own_variables`` of keras/src/layers/core/dense.py,
einsum_dense.py, embedding.py and keras/src/layers/convolutional/base_conv.py, 3.15.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from shapeinspect.ir import Weight
from shapeinspect_keras.vocabulary.parts import Part, bind, parts

#: The weights that can have an update.
_UPDATED = ("kernel", "embeddings")


def ranks(class_name: str, config: Mapping[str, Any]) -> dict[str, int]:
    """Return the rank of each weight's update, by its role.

    Args:
        class_name: the layer's class.
        config: its settings.

    Example:
        >>> ranks("Dense", {"units": 5, "lora_rank": 2})
        {'kernel': 2, 'embeddings': 2}
    """
    return {
        f"{part.prefix}{role}": part.config["lora_rank"]
        for part in parts(class_name, config)
        if _is_updated(part)
        for role in _UPDATED
    }


def _is_updated(part: Part) -> bool:
    rank = part.config.get("lora_rank")
    return type(rank) is int and rank > 0


def updated(weights: Sequence[Weight], class_name: str, config: Mapping[str, Any]) -> tuple[Weight, ...]:
    """Add the updates that loading makes, and say that the weights beside them are not trained.

    Args:
        weights: the weights that the file holds.
        class_name: the layer's class.
        config: its settings.
    """
    found = ranks(class_name, config)
    result: list[Weight] = []
    for weight in weights:
        rank = found.get(weight.role)
        if rank is None or len(weight.shape) < 2 or not all(isinstance(n, int) for n in weight.shape):
            result.append(weight)
            continue
        result += [replace(weight, trainable=False), *_update(weight, rank, class_name, config)]
    return tuple(result)


def _update(weight: Weight, rank: int, class_name: str, config: Mapping[str, Any]) -> Iterator[Weight]:
    """Yield both factors of an update: they take no bytes in the file, and have no values yet."""
    front, slash, name = weight.role.rpartition("/")
    for factor, shape in (("a", (*weight.shape[:-1], rank)), ("b", (rank, weight.shape[-1]))):
        role = f"{front}{slash}lora_{name}_{factor}"
        yield Weight(
            f"{weight.name.removesuffix(weight.role)}{role}",
            role,
            shape,
            "float32",
            0,
            None if weight.trainable is None else weight.trainable,
            bind(class_name, config, role, shape),
            where="made when Keras loads the file",
        )
