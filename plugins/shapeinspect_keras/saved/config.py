"""A model's JSON configuration as frozen nodes; nothing in it is resolved or executed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from shapeinspect.errors import UnreadableFileError
from shapeinspect_keras.containers.jsontext import mapping, sequence, text
from shapeinspect_keras.vocabulary.parts import is_folded

#: A shape as the configuration records it: lengths, None for an open one.
Recorded: TypeAlias = "tuple[int | None, ...]"

#: Where Keras's own classes live; a class from anywhere else is the user's, whatever its name.
_KERAS = ("keras", "tf_keras", "tensorflow.keras", "tensorflow.python.keras", "keras_core")
_LARGEST = 2**63
#: The most calls of one layer, and the most outputs of one call.
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input tensor of a layer's call, named by its origin.

    Args:
        slot: the argument that it fills: a position (``"0"``) or a name (``"key"``).
        layer: the name of the layer whose output it is.
        node: which call of that layer.
        index: which output of that call.
        shape: its shape, where the file records it.
        dtype: its element type, where the file records it.
    """

    slot: str
    layer: str
    node: int
    index: int
    shape: Recorded | None = None
    dtype: str | None = None

    @property
    def source(self) -> tuple[str, int, int]:
        """The layer, its call and the output index."""
        return self.layer, self.node, self.index


@dataclass(frozen=True, slots=True)
class Inbound:
    """One call of a layer.

    Args:
        tensors: what it is called on, in order.
        args: its positional arguments as the file spells them.
        kwargs: its named arguments.
        old: whether the file counts the calls of a model inside it from 1, as Keras 2 does.
    """

    tensors: tuple[Tensor, ...]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] | None = None
    old: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """One layer, op or model of the configuration.

    Args:
        name: its name in its model.
        class_name: its class, without a package.
        module: the module that the file names for it; empty in HDF5 files.
        own: whether the class is Keras's own and not the user's.
        config: its settings.
        build: the shapes it was built for.
        inbound: its calls.
        form: ``functional`` or ``sequential`` for a model that lists its layers, ``distributed`` for a
            wrapper that runs another layer on every step, else ``layer``.
        children: the layers of such a model, or the one layer of such a wrapper.
        inputs: the inputs of a functional model, in order.
        outputs: its outputs.
    """

    name: str
    class_name: str
    module: str
    own: bool
    config: Mapping[str, Any]
    build: Mapping[str, Any]
    inbound: tuple[Inbound, ...] = ()
    form: str = "layer"
    children: tuple[Node, ...] = ()
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()

    @property
    def is_input(self) -> bool:
        """Whether it only represents an input of its model."""
        return self.own and self.class_name == "InputLayer"


def parse(value: Any, label: str) -> Node:
    """Read a whole model's configuration.

    Args:
        value: the parsed JSON.
        label: the file, for errors.

    Raises:
        UnreadableFileError: if it describes no model.

    Example:
        >>> parse({"class_name": "Sequential", "config": {"name": "s", "layers": []}}, "m").form
        'sequential'
    """
    if not isinstance(value, dict) or not isinstance(value.get("class_name"), str):
        raise UnreadableFileError(label, "the configuration does not describe a model")
    return _node(value, "model", label)


def _node(value: Mapping[str, Any], fallback: str, label: str) -> Node:
    raw = value.get("config")
    # Keras 1 and early Keras 2 wrote a Sequential's layers without a mapping around them.
    config: Mapping[str, Any] = {"layers": raw} if isinstance(raw, list) else mapping(raw)
    registered = text(value.get("registered_name"))
    spelled = text(value.get("class_name"), "?")
    class_name = spelled.rpartition(">")[2] or spelled
    module = text(value.get("module"))
    own = ">" not in spelled and ">" not in registered and _is_keras(module)
    name = text(value.get("name")) or text(config.get("name")) or fallback
    form = _form(class_name, own, config)
    children = _children(config, form, label)
    names = frozenset(child.name for child in children)
    return Node(
        name,
        class_name,
        module,
        own,
        config,
        mapping(value.get("build_config")),
        tuple(_inbound(call) for call in sequence(value.get("inbound_nodes"))),
        form,
        children,
        tuple(_ends(config.get("input_layers"), names)),
        tuple(_ends(config.get("output_layers"), names)),
    )


def _is_keras(module: str) -> bool:
    return not module or any(module == root or module.startswith(f"{root}.") for root in _KERAS)


def _form(class_name: str, own: bool, config: Mapping[str, Any]) -> str:
    if own and class_name == "TimeDistributed" and _is_layer(config.get("layer")):
        return "layer" if is_folded(class_name, config) else "distributed"
    layers = config.get("layers")
    if not isinstance(layers, list) or not all(_is_layer(layer) for layer in layers):
        return "layer"
    return "functional" if "input_layers" in config else "sequential"


def _is_layer(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("class_name"), str) and "config" in value


def _children(config: Mapping[str, Any], form: str, label: str) -> tuple[Node, ...]:
    if form == "layer":
        return ()
    listed = [config["layer"]] if form == "distributed" else config["layers"]
    result: dict[str, Node] = {}
    for index, layer in enumerate(listed):
        node = _node(layer, f"layer_{index}", label)
        if node.name in result:
            raise UnreadableFileError(label, f"two layers of the same model are named {node.name!r}")
        result[node.name] = node
    return tuple(result.values())


def recorded(value: Any) -> Recorded | None:
    """Read a recorded shape; None for anything else.

    Args:
        value: a list of lengths, with null for an open length.

    Example:
        >>> recorded([None, 32, 3]), recorded([[None, 4], [None, 8]]), recorded([True, -1])
        ((None, 32, 3), None, None)
    """
    if not isinstance(value, list) or len(value) > 32:
        return None
    if all(item is None or (type(item) is int and 0 <= item < _LARGEST) for item in value):
        return tuple(value)
    return None


def input_shape(node: Node) -> Recorded | None:
    """Return the shape that an input layer fixes, or a first layer that declares its own.

    Args:
        node: the layer.
    """
    for key in ("batch_shape", "batch_input_shape"):
        shape = recorded(node.config.get(key))
        if shape:
            return shape
    inner = recorded(node.config.get("input_shape"))
    return None if inner is None else (None, *inner)


def dtype_of(value: Any) -> str | None:
    """Read a dtype, or the variable dtype's compute side of a dtype policy.

    Args:
        value: a name, or a policy's configuration.

    Example:
        >>> dtype_of("float32"), dtype_of({"class_name": "DTypePolicy", "config": {"name": "mixed_bfloat16"}})
        ('float32', 'bfloat16')
    """
    if isinstance(value, dict):
        value = mapping(value.get("config")).get("name")
    name = text(value)
    return name.removeprefix("mixed_") if name.replace("_", "").isalnum() else None


def _inbound(call: Any) -> Inbound:
    if isinstance(call, dict) and ("args" in call or "kwargs" in call):
        args, kwargs = sequence(call.get("args")), mapping(call.get("kwargs"))
        slots = [(str(index), item) for index, item in enumerate(args)] + list(kwargs.items())
        tensors = tuple(tensor for slot, item in slots for tensor in _new_tensors(slot, item))
        return Inbound(tensors, tuple(args), kwargs)
    return _old_inbound(call)


def _new_tensors(slot: str, value: Any) -> Iterator[Tensor]:
    if isinstance(value, list):
        for item in value:
            yield from _new_tensors(slot, item)
    elif isinstance(value, dict):
        config = mapping(value.get("config"))
        if value.get("class_name") != "__keras_tensor__":
            for key, item in sorted(value.items()):
                yield from _new_tensors(key, item)
        elif is_reference(config.get("keras_history")):
            layer, node, index = config["keras_history"]
            shape, dtype = recorded(config.get("shape")), dtype_of(config.get("dtype"))
            yield Tensor(slot, layer, node, index, shape, dtype)


def is_reference(value: Any) -> bool:
    """Tell whether a value names an output of a layer's call: the layer, the call, the output.

    Args:
        value: a value of the configuration.

    Example:
        >>> is_reference(["dense", 0, 0]), is_reference(["dense", "0"])
        (True, False)
    """
    return (
        isinstance(value, list)
        and len(value) >= 3
        and isinstance(value[0], str)
        and all(type(item) is int and 0 <= item < _MOST for item in value[1:3])
    )


def _old_inbound(call: Any) -> Inbound:
    """Keras 2: ``[[layer, node, index, kwargs], ...]``, or one such entry, or a mapping of them."""
    if is_reference(call):
        kwargs = mapping(call[3]) if len(call) > 3 else {}
        named = [
            Tensor(slot, *item[:3])
            for slot, value in kwargs.items()
            for item in (value if isinstance(value, list) and not is_reference(value) else [value])
            if is_reference(item) and len(item) == 3
        ]
        return Inbound((Tensor("0", *call[:3]), *named), (), kwargs, True)
    result: list[Tensor] = []
    settings: dict[str, Any] = {}
    items = call.values() if isinstance(call, dict) else sequence(call)
    for item in items:
        part = _old_inbound(item)
        result.extend(part.tensors)
        settings.update(part.kwargs or {})
    return Inbound(tuple(result), (), settings, True)


def _ends(value: Any, names: frozenset[str]) -> Iterator[Tensor]:
    if is_reference(value) and value[0] in names:
        yield Tensor("0", *value[:3])
    elif isinstance(value, list):
        for item in value:
            yield from _ends(item, names)
    elif isinstance(value, dict):
        # Keras flattens a dict in the order of its sorted keys.
        for slot, item in sorted(value.items()):
            yield from (
                Tensor(slot, tensor.layer, tensor.node, tensor.index) for tensor in _ends(item, names)
            )
