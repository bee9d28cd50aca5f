"""Takes off what training puts around a model: parallel wrappers, compilers, checkpointing, hooks.

A wrapper runs what it holds and changes no shape, so the model is read as if it were not there. Two kinds
differ in the names of weights: those in ``_UNNAMED`` leave no part of their own in the keys of
``state_dict()``, and are left out of paths; the others stay in the paths where they stand inside a model.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from shapeinspect.errors import UsageError


@dataclass(frozen=True, slots=True)
class Wrapper:
    """One class of wrappers.

    Args:
        packages: the packages that define a class of this name.
        holds: the attribute with the module inside.
        of: whose it is, where its name does not say; empty for none.
    """

    packages: tuple[str, ...]
    holds: str
    of: str = ""


_LIGHTNING = ("lightning", "lightning_fabric")
#: Modules that wrap another module without changing its behavior, by the name of their class.
_WRAPPERS = {
    "OptimizedModule": Wrapper(("torch",), "_orig_mod", "torch.compile"),
    "DataParallel": Wrapper(("torch",), "module"),
    "DistributedDataParallel": Wrapper(("torch", "apex"), "module"),
    "FullyShardedDataParallel": Wrapper(("torch",), "_fsdp_wrapped_module"),
    "CheckpointWrapper": Wrapper(("torch",), "_checkpoint_wrapped_module"),
    "OffloadWrapper": Wrapper(("torch",), "_checkpoint_wrapped_module"),
    "DeepSpeedEngine": Wrapper(("deepspeed",), "module"),
    "_FabricModule": Wrapper(_LIGHTNING, "_forward_module", "Lightning Fabric"),
}
#: Those whose attribute is no part of the names of weights.
#: Source: ``_post_state_dict_hook`` in torch/distributed/algorithms/_checkpoint/checkpoint_wrapper.py, and
#: ``clean_tensor_name`` in torch/distributed/fsdp/_common_utils.py.
_UNNAMED = frozenset(("_fsdp_wrapped_module", "_checkpoint_wrapped_module"))
#: The classes that torch puts in front of a module's own class, and the function that does.
#: Source: ``fully_shard`` in torch/distributed/fsdp, ``replicate`` in torch/distributed/_composable.
_MIXED_IN = {"FSDPModule": "fully_shard", "DDP": "replicate", "ReplicateModule": "replicate"}
#: At most so many places of wrappers are named.
_NAMED = 3


def wrapper_of(module: Any) -> Wrapper | None:
    """Return what kind of wrapper a module is, or None.

    Args:
        module: any module.
    """
    found = _WRAPPERS.get(type(module).__name__)
    home = str(type(module).__module__).partition(".")[0]
    return found if found is not None and home in found.packages else None


def unwrap(module: Any) -> tuple[Any, tuple[str, ...]]:
    """Take off what was put around a model.

    Args:
        module: the user's model.

    Returns:
        The model inside, and the names of the classes that were taken off, the outermost first.
    """
    taken: list[str] = []
    while (wrapper := wrapper_of(module)) is not None:
        taken.append(type(module).__name__)
        module = getattr(module, wrapper.holds)
    return module, tuple(taken)


def without_unnamed(module: Any) -> Any:
    """Return the module inside wrappers that are no part of the names of weights.

    Args:
        module: a module of a model.
    """
    while (wrapper := wrapper_of(module)) is not None and wrapper.holds in _UNNAMED:
        module = getattr(module, wrapper.holds)
    return module


def named_modules(root: Any) -> Iterator[tuple[str, Any]]:
    """Yield the modules of a model by the paths that they would have without wrappers, these left out.

    Args:
        root: the model, without wrappers around it.
    """
    for path, module in root.named_modules():
        if without_unnamed(module) is module:
            yield ".".join(part for part in path.split(".") if part not in _UNNAMED), module


def own_class(module: Any) -> type:
    """Return a module's class as it was written, without what torch derived from it.

    Args:
        module: any module.
    """
    kind = type(module)
    parametrized = kind.__name__.startswith("Parametrized") and "parametrizations" in module._modules
    return kind.__mro__[1] if parametrized else kind.__mro__[2] if _mixed_in(kind) else kind


def run_what_it_holds(module: Any, copied: Any) -> None:
    """Let the copy of a wrapper run nothing but the copy of what it holds.

    Args:
        module: the user's module; nothing is done if it is no wrapper.
        copied: its copy.
    """
    wrapper = wrapper_of(module)
    if wrapper is not None:
        copied.__dict__["forward"] = functools.partial(_through, getattr(copied, wrapper.holds))


def taken_off(module: Any) -> str | None:
    """Return a sentence on the wrappers of a model that are not shown, or None.

    Args:
        module: the model, as it was given.

    Example:
        >>> from torch import nn
        >>> taken_off(nn.DataParallel(nn.ReLU()))
        'shown without the DataParallel around it'
    """
    inner, around = unwrap(module)
    places: dict[str, list[str]] = {name: ["it"] for name in around}
    functions = dict.fromkeys(_mixed_in(type(part)) for part in inner.modules())
    for path, part in inner.named_modules():
        wrapper = wrapper_of(part)
        if wrapper is not None and wrapper.holds in _UNNAMED:
            shown = ".".join(name for name in path.split(".") if name not in _UNNAMED)
            places.setdefault(type(part).__name__, []).append(f'"{shown}"')
    grouped: dict[str, list[str]] = {}
    for name, where in places.items():
        grouped.setdefault(f"around {_listed(where)}", []).append(f"the {_spoken(name)}")
    texts = [f"{' and '.join(names)} {where}" for where, names in grouped.items()]
    texts += [f"the hooks of {function}" for function in functions if function]
    return f"shown without {' and '.join(texts)}" if texts else None


def check_whole(module: Any) -> None:
    """Refuse a model of whose weights this process holds pieces that do not tell their shapes.

    Args:
        module: the model, as it was given.

    Raises:
        UsageError: if it is one.
    """
    for part in module.modules():
        # the weights of a lazy layer have no shape at all
        if any(tuple(w.ds_shape) != tuple(w.shape) for w in _own(part) if hasattr(w, "ds_shape")):
            raise _in_pieces("DeepSpeed", "deepspeed.zero.GatheredParameters(model.parameters())")
        flat = getattr(getattr(part, "_handle", None), "flat_param", None)
        if type(part).__name__ != "FullyShardedDataParallel" or wrapper_of(part) is None or flat is None:
            continue
        whole = zip(flat._param_infos, flat._shapes, strict=True)
        if any(_shape(info.module._parameters.get(info.param_name)) != tuple(size) for info, size in whole):
            raise _in_pieces(type(part).__name__, "FullyShardedDataParallel.summon_full_params(model)")


def _in_pieces(name: str, context: str) -> UsageError:
    return UsageError(
        f"{name} keeps the weights in pieces, which do not tell their shapes",
        hint=f"inspect the model before it is wrapped, or inside `with {context}:`",
    )


def _own(module: Any) -> list[Any]:
    return [weight for weight in module._parameters.values() if weight is not None]


def _shape(weight: Any) -> tuple[int, ...] | None:
    return None if weight is None else tuple(weight.shape)


def _mixed_in(kind: type) -> str:
    """Return the function of torch that put a class in front of a module's own, or an empty text."""
    bases = kind.__mro__
    home = str(bases[1].__module__) if len(bases) > 2 else ""
    return _MIXED_IN.get(bases[1].__name__, "") if home.startswith("torch.distributed.") else ""


def _spoken(name: str) -> str:
    of = _WRAPPERS[name].of
    return f"{name} ({of})" if of else name


def _listed(places: list[str]) -> str:
    left = len(places) - _NAMED
    shown = [*places[:_NAMED], f"{left} more"] if left > 0 else places
    return f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else shown[0]


def _through(inner: Any, *args: Any, **kwargs: Any) -> Any:
    return inner(*args, **kwargs)
