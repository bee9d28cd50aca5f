"""Reads whole pickled modules: their tree, class names, settings and weights; no class is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from shapeinspect.binary.pickles.records import Global, Node, Persistent, Reduce, key_name, spelled
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Weight
from shapeinspect_torch.pickles.collect import Budget, Named, Values, to_weight
from shapeinspect_torch.pickles.collect import settings as of_hqq
from shapeinspect_torch.pickles.contents import TRACED, attributes, is_module, is_script
from shapeinspect_torch.pickles.rebuild import Rebuilder
from shapeinspect_torch.pickles.tensors import Tensor
from shapeinspect_torch.quantized.declared import Declared
from shapeinspect_torch.quantized.fold import fold
from shapeinspect_torch.recognition.signatures import recognize
from shapeinspect_torch.script.code.source import Source as Code
from shapeinspect_torch.vocabulary.layouts import bind

_MAX_TUPLE = 64
#: What makes a tuple or a list of numbers in a pickle; the others are TorchScript's.
_LISTS = frozenset(("torch.Size", *(f"torch.jit._pickle.build_{of}list" for of in ("int", "double", "bool"))))

#: HQQ's linear layer, and the attributes with which quantizers' layers describe their weights.
_HQQ, _SIZES = ".HQQLinear", frozenset({"bits", "nbits", "w_bit", "group_size"})

#: The class of the modules that torch.fx traces.
_TRACED_CLASS = "torch.fx.graph_module.GraphModule"
#: What makes a dictionary in TorchScript's pickle: it, and its type.
_TAGGED = "torch.jit._pickle.restore_type_tag"


@dataclass(frozen=True, slots=True)
class Module:
    """One module of the tree.

    Args:
        path: its path; empty for the outermost one.
        name: its class, with the module that defines it.
        attributes: its plain settings.
        weights: its own tensors by role, and whether each is a buffer (None if unknown).
        scalars: the integers among its attributes that tell how its weight is quantized.
    """

    path: str
    name: str
    attributes: Mapping[str, object]
    weights: tuple[tuple[str, Tensor, bool | None], ...]
    scalars: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def walk(path: str, top: Node, tensors: Rebuilder, budget: Budget, code: Code) -> list[Module]:
    """List a module and all modules inside it, parents before children.

    Args:
        path: its path.
        top: its record.
        tensors: rebuilds tensors from records.
        budget: the limit on rows.
        code: the TorchScript code of its classes.

    Raises:
        UnreadableFileError: for a cycle, or too many rows.
    """
    modules: list[Module] = []
    # A module that occurs several times is read once.
    seen: dict[int, tuple[Module, list[tuple[str, Node]]]] = {}
    waiting = [(path, top, 0)]
    while waiting:
        current, node, depth = waiting.pop()
        budget.spend(current, depth)
        if id(node) not in seen:
            seen[id(node)] = _module(current, node, tensors, code)
        module, inner = seen[id(node)]
        modules.append(module if module.path == current else replace(module, path=current))
        prefix = f"{current}." if current else ""
        waiting.extend((f"{prefix}{key}", child, depth + 1) for key, child in reversed(inner))
        for role, _, _ in module.weights:
            budget.spend(role, depth)
    return modules


def _module(path: str, node: Reduce, tensors: Rebuilder, code: Code) -> tuple[Module, list[tuple[str, Node]]]:
    name = class_name(node)
    held = attributes(node)
    state = held if isinstance(held, dict) else {}
    if is_script(node):
        roles = code.roles(name)
        named = [(key_name(key), value) for key, value in state.items()]
        members = [(key, tensors.tensor(value), roles.get(key)) for key, value in named]
        inner = [(key, value) for key, value in named if is_module(value)]
        settings = {**_plain(state), **_tables(state), **code.constants(name)}
    else:
        members = [
            (key_name(key), tensors.tensor(value), group == "_buffers")
            for group in ("_parameters", "_buffers")
            for key, value in _items(state.get(group))
        ]
        inner = [(key_name(key), value) for key, value in _items(state.get("_modules")) if is_module(value)]
        settings = _plain(state)
    for key, value in state.items():
        packed = tensors.inside(value, 0) if _is_packed(value) else ()
        members += [(f"{key}.{index}", tensor, False) for index, tensor in enumerate(packed)]
    described: dict[str, tuple[int, ...]] = {}
    if name.endswith(_HQQ):
        # Its bias, scales and settings are attributes that torch does not know of.
        members += [("bias", tensors.tensor(state.get("bias")), False)]
        members += [
            (f"meta.{key}", tensor, True) for key, tensor in tensors.members(state.get("meta"), 0).items()
        ]
        described = {f"meta.{key}": value for key, value in of_hqq(state.get("meta"))}
    weights = tuple((role, tensor, buffer) for role, tensor, buffer in members if tensor is not None)
    return Module(path, name, settings, weights, described), inner


def _is_packed(node: Node) -> bool:
    """Tell whether an object holds a weight and its bias, packed for a quantized kernel."""
    # The name in a pickle of modules, and that in TorchScript.
    named = spelled(node.func) if type(node) is Reduce else ""
    return named.startswith(("torch.ScriptObject", "__torch__.torch.classes."))


def _items(node: Node) -> list[tuple[Node, Node]]:
    if type(node) is Reduce:
        node = node.pairs
    return list(node.items()) if isinstance(node, dict) else []


def class_name(node: Reduce) -> str:
    """Return the class of a pickled object, with its module, as the file names it.

    Args:
        node: its record.
    """
    cls = node.func
    if spelled(cls) in TRACED:
        return _TRACED_CLASS
    if spelled(cls) in ("copyreg._reconstructor", "copy_reg._reconstructor"):
        cls = node.args[0] if type(node.args) is tuple and node.args else None
    if type(cls) is Persistent and type(cls.pid) is tuple and len(cls.pid) > 1:
        # ("module", class, file, source) in the legacy format; its tar omits "module".
        cls = cls.pid[0] if type(cls.pid[0]) is Global else cls.pid[1]
    return str(cls).removeprefix("__torch__.") if type(cls) is Global else "?"


def _plain(state: Mapping[Node, Node]) -> dict[str, object]:
    """Return the settings among a module's attributes: numbers, texts, and tuples of them."""
    settings = {}
    for key, value in state.items():
        if type(value) is Reduce and spelled(value.func) in _LISTS and type(value.args) is tuple:
            value = value.args[0] if value.args else ()  # noqa: PLW2901  # it is the numbers in it
        plain = type(value) in (int, float, bool, str, type(None)) or (
            type(value) in (tuple, list)
            and len(value) <= _MAX_TUPLE
            and all(type(part) in (int, float, str, type(None)) for part in value)
        )
        if type(key) is str and plain:
            settings[key] = value
    return settings


def _tables(state: Mapping[Node, Node]) -> dict[str, object]:
    """Return the dictionaries of plain settings among the attributes of a module of TorchScript."""
    tables: dict[str, object] = {}
    for key, value in state.items():
        if type(value) is not Reduce or spelled(value.func) != _TAGGED or type(value.args) is not tuple:
            continue
        value = value.args[0] if value.args else None  # noqa: PLW2901  # it is the dictionary in it
        if type(key) is str and isinstance(value, dict) and len(value) <= _MAX_TUPLE:
            plain = _plain(value)
            if len(plain) == len(value):
                tables[key] = plain
    return tables


def layers(tree: Sequence[Module], values: Values, keys: dict[Tensor, str]) -> list[Layer]:
    """Turn the modules of one tree into layers.

    Args:
        tree: a module and all modules inside it, as :func:`walk` lists them.
        values: returns a reader of a tensor's values.
        keys: the key of each tensor that occurs twice.
    """
    holders = {module.path.rpartition(".")[0] for module in tree if module.path}
    return [_layer(module, values, keys, module.path in holders) for module in tree]


def _layer(module: Module, values: Values, keys: dict[Tensor, str], has_inner: bool) -> Layer:
    short = module.name.rpartition(".")[2]
    prefix = f"{module.path}." if module.path else ""
    converted = {}
    for role, tensor, buffer in module.weights:
        weight = to_weight(Named(f"{prefix}{role}", tensor), values, keys, role)
        if weight is not None:
            converted[role] = _marked(weight, buffer)
    if not module.name.startswith("torch."):
        converted = _dequantized(module, prefix, converted)
    shapes = {role: weight.shape for role, weight in converted.items()}
    kind, attributes, native = recognize(module.name, module.attributes, shapes)
    if kind == "unknown" and has_inner:
        kind = "module"
    groups = attributes.get("groups")
    sizes = {"g": groups} if isinstance(groups, int) and groups > 0 else {}
    weights = [
        replace(weight, layout=bind(native, role, len(weight.shape), sizes))
        for role, weight in converted.items()
    ]
    path = module.path or short
    return Layer(
        path,
        kind,
        short,
        tuple(module.path.split(".")) if module.path else (short,),
        Frozen(attributes),
        tuple(weights),
        origin=module.name,
    )


def _dequantized(module: Module, prefix: str, weights: dict[str, Weight]) -> dict[str, Weight]:
    """Return the weights of a quantizer's own module as those that they stand for, by their roles."""
    sizes = {key: module.attributes[key] for key in _SIZES if key in module.attributes}
    scalars = {prefix + key: value for key, value in module.scalars.items()}
    folded = fold(weights.values(), Declared(sizes, scalars=scalars))
    roles = [weight.role if weight.quantization is None else "weight" for weight in folded]
    if len(set(roles)) < len(roles) or folded == tuple(weights.values()):
        return weights
    # Packed words are buffers in torch, which trains no integers; what they stand for is a parameter.
    return {
        role: replace(weight, role=role, buffer=weight.buffer and weight.quantization is None)
        for role, weight in zip(roles, folded, strict=True)
    }


def _marked(weight: Weight, buffer: bool | None) -> Weight:
    return replace(weight, buffer=True, trainable=False) if buffer else weight
