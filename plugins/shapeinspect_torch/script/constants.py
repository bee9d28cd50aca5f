"""The tensors that TorchScript keeps as constants: in a frozen model, all of its weights.

Source: ``torch/csrc/jit/serialization/export_module.cpp`` (``constants.pkl`` is a tuple, ``constants/<key>``
holds the storages) and ``python_print.cpp`` (the code calls the nth one ``CONSTANTS.c<n>``).
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

#: Where the storages of constants are, beside ``data/``; it begins their keys.
FOLDER = "constants/"
_CLASSES = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}
_STEMS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def constants(pickle: Pickle | None, tensors: Rebuilder) -> dict[str, Tensor]:
    """Return the tensors among the constants, each by the name that the code has for it.

    Args:
        pickle: ``constants.pkl``, or None where there is none.
        tensors: what knows a tensor's record.
    """
    held = pickle.value if pickle is not None else ()
    found = {}
    for at, node in enumerate(held if isinstance(held, tuple) else ()):
        tensor = tensors.tensor(node)
        if tensor is not None:
            storage = tensor.storage
            if storage is not None:
                tensor = tensor._replace(storage=storage._replace(key=f"{FOLDER}{storage.key}"))
            found[f"CONSTANTS.c{at}"] = tensor
    return found


def as_weights(held: Mapping[str, Tensor], values: Values) -> dict[str, Weight]:
    """Turn constants into weights, which layers that use them may take.

    Args:
        held: the constants by name.
        values: makes a tensor's values readable.
    """
    made = {name: to_weight(Named(name, tensor), values, {}) for name, tensor in held.items()}
    return {
        name: replace(weight, trainable=False, storage=name)
        for name, weight in made.items()
        if weight is not None
    }


def argument(weight: Weight) -> Argument:
    """Return a weight as what the code's calls are given.

    Args:
        weight: a constant, or a layer's own.
    """
    return Argument(weight.name, weight.shape, weight.dtype)


def with_weights(layer: Layer, made: Described, given: Sequence[object], held: Mapping[str, Weight]) -> Layer:
    """Give a layer the constants that its call takes as weights.

    Args:
        layer: the layer of a function that the code calls.
        made: what the call is.
        given: the arguments of the call.
        held: the constants by name.
    """
    roles = {use: value.name for use, value in made.weights.items() if isinstance(value, Argument)}
    if made.kind in _CLASSES:
        roles = _stack(_CLASSES[made.kind], made, given)
    weights = []
    for use, name in roles.items():
        if name not in held:
            continue
        class_name, _, role = use.rpartition(" ")
        groups = made.attributes.get("groups")
        sizes = {"g": groups} if isinstance(groups, int) and groups > 0 else {}
        layout = bind(class_name, role, len(held[name].shape), sizes)
        weights.append(
            replace(
                held[name],
                name=f"{layer.path}.{role}",
                role=role,
                layout=layout,
                buffer=role in BUFFERS,
            )
        )
    return replace(layer, weights=tuple(weights)) if weights else layer


def _stack(class_name: str, made: Described, given: Sequence[object]) -> dict[str, str]:
    """The weights of a recurrent stack, which its call is given as one list."""
    lists = (part for part in given if isinstance(part, list) and len(part) > 1 and _all_arguments(part))
    params = next(lists, [])
    layers = made.attributes.get("num_layers")
    ends = ("", "_reverse") if made.attributes.get("bidirectional") else ("",)
    if not isinstance(layers, int) or len(params) % (layers * len(ends) or 1):
        return {}
    each = len(params) // (layers * len(ends))
    if each not in (2, 4):
        return {}
    spelled = [f"{stem}_l{at}{end}" for at in range(layers) for end in ends for stem in _STEMS[:each]]
    return {f"{class_name} {role}": part.name for role, part in zip(spelled, params, strict=True)}


def _all_arguments(parts: Iterable[object]) -> bool:
    return all(isinstance(part, Argument) for part in parts)


def notes_of(layers: Sequence[Layer], held: Mapping[str, Weight]) -> list[Note]:
    """Say which constants of a frozen model no layer takes as weights.

    Args:
        layers: the layers.
        held: the constants by name.
    """
    weights = [weight for layer in layers for weight in layer.weights]
    taken = {weight.storage for weight in weights}
    if any(weight.storage not in held for weight in weights):
        return []
    rest = [weight for name, weight in held.items() if name not in taken and (weight.size or 0) > 1]
    if not rest:
        return []
    told = f"{many(len(rest), 'constant')} ({many(sum(weight.size or 0 for weight in rest), 'value')})"
    return [Note(f"a frozen model: its weights are constants; no layer takes {told} as a weight")]
