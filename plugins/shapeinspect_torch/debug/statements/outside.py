"""Statements on tensors outside of every module, with their real numbers: indices, stores, lists, writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shapeinspect.plugin_api.arrays.statement import ArrayStatement
from shapeinspect.plugin_api.rerun import Rerun
from shapeinspect.plugin_api.user_code.source import user_source
from shapeinspect.plugin_api.user_code.statement_edits import Dialect
from shapeinspect.plugin_api.user_code.statement_runs import Arrays
from shapeinspect_torch.debug.code.user_code import is_harmless
from shapeinspect_torch.tracing.recorder import PACKAGES

_KINDS = {
    **dict.fromkeys(("cat", "concat", "concatenate", "hstack", "vstack"), "concat"),
    "stack": "stack",
    **dict.fromkeys(("view", "reshape"), "reshape"),
    **dict.fromkeys(("matmul", "mm", "bmm", "mv", "dot"), "matmul"),
    "einsum": "einsum",
    **dict.fromkeys(("gather", "take_along_dim", "scatter", "scatter_add", "scatter_reduce"), "gather"),
    **dict.fromkeys(("scatter_", "scatter_add_", "index_add_", "index_copy_", "index_add"), "gather"),
    **dict.fromkeys(
        ("add", "sub", "mul", "div", "where", "maximum", "minimum", "lerp", "pow"), "elementwise"
    ),
    **dict.fromkeys(("add_", "sub_", "mul_", "div_", "copy_"), "elementwise"),
    "log_prob": "elementwise",
}
#: What a run without numbers does not mend.
_WITH_NUMBERS = {
    "stack": frozenset(("unequal", "no-channel")),
    "index": frozenset(("length", "swapped-axes")),
    "store": frozenset(("length",)),
    "elementwise": frozenset(("channels-last",)),
}
_IN_PLACE = frozenset(
    ("scatter_", "scatter_add_", "index_add_", "index_copy_", "sub_", "add_", "mul_", "div_")
)
#: Methods of tensors that do more than compute.
_OTHERWISE = frozenset(("backward", "share_memory_", "requires_grad_", "register_hook", "set_", "resize_"))


def with_numbers(error: BaseException, where: str | None) -> Rerun | None:
    """Explain a statement that a run without numbers cannot mend; None for another one.

    Args:
        error: the exception.
        where: the user's source line.
    """
    statement = _statement(error, where)
    if statement is None:
        return None
    name = getattr(getattr(statement.source.failed, "func", None), "attr", "")
    return statement.explained(None if name in _IN_PLACE else _WITH_NUMBERS)


def explained(error: BaseException, where: str | None) -> Rerun | None:
    """Explain any statement on tensors; None where the operation is not known.

    Args:
        error: the exception.
        where: the user's source line.
    """
    statement = _statement(error, where)
    return None if statement is None else statement.explained()


def _statement(error: BaseException, where: str | None) -> ArrayStatement | None:
    source = user_source(error.__traceback__, PACKAGES)
    if source is None:
        return None
    return ArrayStatement(source, _arrays(), _DIALECT, _KINDS, "torch", str(error), where)


def _arrays() -> Arrays:
    import torch

    def harmless(function: Any) -> bool:
        return not isinstance(function, torch.nn.Module) and is_harmless(function, ())

    return Arrays(
        lambda value: isinstance(value, torch.Tensor),
        lambda tensor: tensor.detach().clone(),
        harmless,
        lambda name: hasattr(torch.Tensor, name) and name not in _OTHERWISE,
        _guard,
    )


@contextmanager
def _guard() -> Iterator[None]:
    """Leave the random state and the gradients as they are."""
    import torch

    with torch.random.fork_rng(devices=[]), torch.no_grad():
        yield


def _repeated(text: str, axis: int, count: int, rank: int) -> str:
    counts = ", ".join(str(count if place == axis else 1) for place in range(rank))
    return f"{text}.repeat({counts})"


_DIALECT = Dialect(
    permuted=lambda text, axes: (
        f"{text}.T" if axes == (1, 0) else f"{text}.permute({', '.join(map(str, axes))})"
    ),
    grown=lambda text, axis: f"{text}.unsqueeze({axis})",
    squeezed=lambda text, axis: f"{text}.squeeze({axis})",
    repeated=_repeated,
    keeps="keepdim",
    joins={"stack": "cat"},
    indices=".long()",
    colored=lambda text, count: (
        f"[one if one.ndim == 3 else one.unsqueeze(-1).repeat(1, 1, {count}) for one in {text}]"
    ),
)
