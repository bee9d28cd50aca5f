"""The module tree: each module with its path, its row, and whether its children are shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shapeinspect_torch.tracing.recorder import Draft
from shapeinspect_torch.tracing.wrappers import own_class, without_unnamed
from shapeinspect_torch.vocabulary.kinds import describe, is_known, native_name

_TORCH = ("torch.nn.", "torch.ao.nn.", "torch.ao.quantization.", "torch.nn.quantized.", "torch.jit.")


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the tree: a module at a path.

    Args:
        draft: its row.
        real: the user's module; its copy is ``shadow.of(real)``.
        native: the class of torch that it is or derives from; empty for none.
        leaf: whether it is shown as one layer.
        first: the first path of the same module.
    """

    draft: Draft
    real: Any
    native: str
    leaf: bool
    first: str


def walk(root: Any) -> list[Node]:
    """Return every node of the tree, containers before their children.

    Args:
        root: the model.
    """
    nodes: list[Node] = []
    seen: dict[int, str] = {}
    name = _type_name(root, _native(root))
    top = _node(root, name, (name,), seen)
    nodes.append(top)
    if not top.leaf:
        _children(root, (), nodes, seen, (id(root),))
    return nodes


def _children(
    module: Any, outer: tuple[str, ...], nodes: list[Node], seen: dict[int, str], above: tuple[int, ...]
) -> None:
    for name, held in module._modules.items():
        child = None if held is None else without_unnamed(held)
        # A parametrization belongs to its layer; a module that contains itself would never end.
        if child is None or name == "parametrizations" or id(child) in above:
            continue
        parts = (*outer, name)
        node = _node(child, ".".join(parts), parts, seen)
        nodes.append(node)
        if not node.leaf:
            _children(child, parts, nodes, seen, (*above, id(child)))


def _node(module: Any, path: str, parts: tuple[str, ...], seen: dict[int, str]) -> Node:
    native = _native(module)
    kind, attributes = describe(native, _plain_attributes(module)) if native else ("unknown", {})
    leaf = bool(native) and kind != "module" and _runs_as_torch_wrote_it(module)
    if leaf and not _is_script(module):
        attributes = {**attributes, **_of_weight(kind, module, attributes)}
    if not leaf:
        as_torch = kind == "module" and bool(native) and _runs_as_torch_wrote_it(module)
        kind, attributes = "module", attributes if as_torch else {}
    draft = Draft(path, kind, _type_name(module, native), parts, attributes)
    return Node(draft, module, native_name(native) if leaf else "", leaf, seen.setdefault(id(module), path))


def _of_weight(kind: str, module: Any, attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the sizes of a layer's weight, which may have been replaced since the layer was built."""
    weight = module._parameters.get("weight")
    groups = attributes.get("groups") or 1
    if weight is None or kind not in _SIZES or hasattr(weight, "materialize") or weight.dim() < 2:
        return {}
    sizes = _SIZES[kind](tuple(weight.shape), groups)
    return {name: size for name, size in sizes.items() if name in attributes}


#: The settings that follow from a weight's shape and the groups, by kind.
_SIZES: dict[str, Callable[[tuple[int, ...], int], dict[str, int]]] = {
    "linear": lambda shape, _: {"out_features": shape[0], "in_features": shape[1]},
    "embedding": lambda shape, _: {"num_embeddings": shape[0], "embedding_dim": shape[1]},
    "conv": lambda shape, groups: {"out_channels": shape[0], "in_channels": shape[1] * groups},
    "conv_transpose": lambda shape, groups: {"in_channels": shape[0], "out_channels": shape[1] * groups},
}


def _native(module: Any) -> str:
    """Return the nearest class of torch that the table knows, qualified where classes share its name."""
    if _is_script(module):
        return str(module.original_name) if is_known(str(module.original_name)) else ""
    kind = _native_class(module)
    return "" if kind is None else _prefix(str(kind.__module__)) + kind.__name__


def _native_class(module: Any) -> Any:
    known = (
        kind
        for kind in type(module).__mro__
        if str(kind.__module__).startswith(_TORCH) and is_known(kind.__name__)
    )
    return next(known, None)


def _is_script(module: Any) -> bool:
    return hasattr(module, "_c") and hasattr(module, "original_name")


def _prefix(home: str) -> str:
    if ".quantized" not in home or ".reference" in home:
        return ""
    return "quantized.dynamic." if ".dynamic" in home else "quantized."


def _type_name(module: Any, native: str) -> str:
    if _is_script(module):
        return str(module.original_name)
    own = own_class(module).__name__
    return native if native.rpartition(".")[2] == own else own


def _runs_as_torch_wrote_it(module: Any) -> bool:
    """Tell whether the forward is torch's own: neither overridden, nor patched, nor that of a fused pair."""
    if _is_script(module):
        return True
    kind = _native_class(module)
    fused = any(base.__name__ == "Sequential" for base in kind.__mro__)
    patched = "forward" in module.__dict__ and not _is_hooked(module, kind)
    return not fused and not patched and type(module).forward is kind.forward


def _is_hooked(module: Any, kind: Any) -> bool:
    """Tell whether accelerate has put a hook around a forward that is torch's own: one that moves tensors."""
    before = module.__dict__.get("_old_forward")
    return "_hf_hook" in module.__dict__ and getattr(before, "__func__", None) is kind.forward


def prepared(module: Any) -> tuple[str, ...]:
    """Return what accelerate has done to a model, in a sentence each.

    Args:
        module: the model, without wrappers.
    """
    found = []
    if any("_hf_hook" in each.__dict__ for each in module.modules()):
        found.append("shown without the hooks that accelerate has put around its layers")
    if "_original_forward" in module.__dict__:
        found.append("accelerate runs it in mixed precision: the dtypes are those of that run")
    return tuple(found)


def _plain_attributes(module: Any) -> dict[str, Any]:
    if not _is_script(module):
        return {**module.__dict__, **module._modules}
    names = (name for name in dir(module) if not name.startswith("_"))
    return {name: value for name in names if isinstance(value := _get(module, name), _PLAIN)}


_PLAIN = (int, float, str, tuple, list, type(None))


def _get(module: Any, name: str) -> Any:
    try:
        return getattr(module, name)
    except (AttributeError, RuntimeError):
        return object()
