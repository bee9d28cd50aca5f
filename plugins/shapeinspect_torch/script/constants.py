"""Constant tensors of TorchScript: in a frozen model, all of its weights.

Source: ``torch/csrc/jit/serialization/export_module.cpp`` (``constants.pkl`` is a tuple, ``constants/<key>``
holds the storages) and ``python_print.cpp`` (in the code the nth is ``CONSTANTS.c<n>``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from shapeinspect.binary.pickles.reader import Pickle
from shapeinspect.ir import Layer, Note, Weight
from shapeinspect.text import many
from shapeinspect_torch.pickles.collect import Named, Values, to_weight
from shapeinspect_torch.pickles.rebuild import Rebuilder
from shapeinspect_torch.pickles.tensors import Tensor
from shapeinspect_torch.recognition.evidence import BUFFERS
from shapeinspect_torch.vocabulary.aten import Argument, Described
from shapeinspect_torch.vocabulary.layouts import bind

#: The folder of the storages of constants, next to ``data/``, and the prefix of their keys.
FOLDER = "constants/"
_CLASSES = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}
_STEMS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def constants(pickle: Pickle | None, tensors: Rebuilder) -> dict[str, Tensor]:
    """Return the tensors among the constants by their names in the code.

    Args:
        pickle: ``constants.pkl``, or None where there is none.
        tensors: rebuilds a tensor from its record.
    """
    pickled = pickle.value if pickle is not None else ()
    named = {}
    for position, node in enumerate(pickled if isinstance(pickled, tuple) else ()):
        tensor = tensors.tensor(node)
        if tensor is not None:
            storage = tensor.storage
            if storage is not None:
                tensor = tensor._replace(storage=storage._replace(key=f"{FOLDER}{storage.key}"))
            named[f"CONSTANTS.c{position}"] = tensor
    return named


def as_weights(tensors: Mapping[str, Tensor], values: Values) -> dict[str, Weight]:
    """Turn constants into weights of the layers that use them.

    Args:
        tensors: the constants by name.
        values: returns a function that reads a tensor's values.
    """
    weights = {name: to_weight(Named(name, tensor), values, {}) for name, tensor in tensors.items()}
    return {
        name: replace(weight, trainable=False, storage=name)
        for name, weight in weights.items()
        if weight is not None
    }


def argument(weight: Weight) -> Argument:
    """Return a weight as an argument of the code's calls.

    Args:
        weight: a constant, or a layer's own.
    """
    return Argument(weight.name, weight.shape, weight.dtype)


def with_weights(
    layer: Layer, described: Described, operands: Sequence[object], constants: Mapping[str, Weight]
) -> Layer:
    """Add to a layer the constants that its call takes as weights.

    Args:
        layer: the layer of a function that the code calls.
        described: the kind and settings of the call.
        operands: the arguments of the call.
        constants: the constants by name.
    """
    roles = {use: value.name for use, value in described.weights.items() if isinstance(value, Argument)}
    if described.kind in _CLASSES:
        roles = _stack(_CLASSES[described.kind], described, operands)
    weights = []
    for use, name in roles.items():
        if name not in constants:
            continue
        class_name, _, role = use.rpartition(" ")
        groups = described.attributes.get("groups")
        sizes = {"g": groups} if isinstance(groups, int) and groups > 0 else {}
        layout = bind(class_name, role, len(constants[name].shape), sizes)
        weights.append(
            replace(
                constants[name],
                name=f"{layer.path}.{role}",
                role=role,
                layout=layout,
                buffer=role in BUFFERS,
            )
        )
    return replace(layer, weights=tuple(weights)) if weights else layer


def _stack(class_name: str, described: Described, operands: Sequence[object]) -> dict[str, str]:
    """The weights of a recurrent stack, which its call takes as one list."""
    lists = (part for part in operands if isinstance(part, list) and len(part) > 1 and _all_arguments(part))
    params = next(lists, [])
    layers = described.attributes.get("num_layers")
    ends = ("", "_reverse") if described.attributes.get("bidirectional") else ("",)
    if not isinstance(layers, int) or len(params) % (layers * len(ends) or 1):
        return {}
    each = len(params) // (layers * len(ends))
    if each not in (2, 4):
        return {}
    spelled = [
        f"{stem}_l{position}{end}" for position in range(layers) for end in ends for stem in _STEMS[:each]
    ]
    return {f"{class_name} {role}": part.name for role, part in zip(spelled, params, strict=True)}


def _all_arguments(parts: Iterable[object]) -> bool:
    return all(isinstance(part, Argument) for part in parts)


def notes_of(layers: Sequence[Layer], constants: Mapping[str, Weight]) -> list[Note]:
    """Return a note about the constants of a frozen model that no layer takes as weights.

    Args:
        layers: the layers.
        constants: the constants by name.
    """
    weights = [weight for layer in layers for weight in layer.weights]
    taken = {weight.storage for weight in weights}
    if any(weight.storage not in constants for weight in weights):
        return []
    rest = [weight for name, weight in constants.items() if name not in taken and (weight.size or 0) > 1]
    if not rest:
        return []
    unused = f"{many(len(rest), 'constant')} ({many(sum(weight.size or 0 for weight in rest), 'value')})"
    return [Note(f"a frozen model: its weights are constants; no layer takes {unused} as a weight")]
