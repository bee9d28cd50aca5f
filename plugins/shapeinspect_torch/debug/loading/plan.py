"""A plan to load a state_dict: one expression, which is printed and which is run."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shapeinspect.plugin_api.user_code.calls import grouped

#: The names that stand for the user's module and state_dict when a plan is run.
_MODULE, _STATE = "module_", "state_"
#: How many keys a sentence names.
_NAMED = 3
#: Cells that their names may take.
_LINE = 60


@dataclass(frozen=True, slots=True)
class Plan:
    """How a state_dict is changed before it is loaded.

    Args:
        cause: what is wrong if the plan helps, a key of the core's causes.
        inside: what follows the user's expression, such as ``["model"]``.
        key: the expression of the new key; the old one is ``k``.
        values: conditions on ``k`` and the expression of the new value ``v`` under each; ``<MODEL>`` stands
            for the user's module, ``<TORCH>`` for the package, ``<NEW>`` for the new key.
        kept: the condition on ``k`` under which an entry is kept; empty for all.
        partial: whether keys may be missing or left over.
        value: the expression of the new value where no condition holds.
        added: a comprehension of further entries; ``<STATE>`` stands for the state_dict.
    """

    cause: str = "keys-renamed"
    inside: str = ""
    key: str = "k"
    values: tuple[tuple[str, str], ...] = ()
    kept: str = ""
    partial: bool = False
    value: str = "v"
    added: str = ""

    def state(self, state: str) -> str:
        """Write the changed state_dict.

        Args:
            state: the expression of the state_dict that there is.
        """
        value = self.value
        for condition, expression in reversed(self.values):
            value = f"{expression.replace('<NEW>', self.key)} if {condition} else {value}"
        changed = self.key != "k" or value != "v" or self.kept
        if self.inside or changed:
            state = grouped(state)
        whole = state + self.inside
        if not changed:
            return whole
        kept = f" if {self.kept}" if self.kept else ""
        entries = f"{{{self.key}: {value} for k, v in {whole}.items(){kept}}}"
        return f"{{**{entries}, **{self.added.replace('<STATE>', whole)}}}" if self.added else entries


@dataclass(frozen=True, slots=True)
class Statement:
    """The user's statement that loads.

    Args:
        model: the expression of the module.
        state: the expression of the state_dict.
        assign: whether the tensors are put in the place of the module's own.
        torch: the name of the package there; empty if it is not imported.
        strict: whether the user's call is strict.
        holder_name: the variable whose item the state_dict is; empty if it is none.
        holder: that variable's value.
        opened: whether a file was opened that the user gave by its path.
        again: the user's own call without strictness, where it is not ``load_state_dict``; empty else.
    """

    model: str = "model"
    state: str = "state_dict"
    assign: bool = False
    torch: str = "torch"
    strict: bool = True
    again: str = ""
    opened: bool = False
    holder_name: str = ""
    holder: Any = None

    def code(self, plan: Plan) -> str:
        """Write the call that loads by a plan.

        Args:
            plan: the plan.
        """
        before, source = "", self.state
        if plan.added and not source.isidentifier():  # it is read several times
            before, source = f"weights = {self.state}; ", "weights"
        state = plan.state(source)
        if self.again and plan.partial and state == self.state:
            return self.again
        options = ", strict=False" if plan.partial else ""
        options += ", assign=True" if self.assign else ""
        code = f"{self.model}.load_state_dict({state}{options})".replace("<MODEL>", self.model)
        code = (before + code).replace("<TORCH>", self.torch or "torch")
        return f"import torch; {code}" if not self.torch and "torch." in code else code


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of a plan loaded.

    Args:
        total: how many keys the module has.
        missing: the keys of the module that stay as initialized.
        unused: how many entries of the state_dict are not loaded.
    """

    total: int
    missing: tuple[str, ...] = ()
    unused: int = 0

    @property
    def loaded(self) -> int:
        """How many keys are loaded."""
        return self.total - len(self.missing)

    @property
    def left_out(self) -> str:
        """What is loaded less than all, as a noun; empty where nothing is left out."""
        if not self.missing and not self.unused:
            return ""
        count = len(self.missing)
        parts = [f"{count} {'key' if count == 1 else 'keys'} of the model {self._stay()}"] if count else []
        if self.unused:
            left = "1 entry" if self.unused == 1 else f"{self.unused} entries"
            parts.append(f"{left} of the checkpoint {'is' if self.unused == 1 else 'are'} left out")
        return "what is loaded: " + ", ".join(parts)

    def text(self) -> str:
        """Say what was loaded."""
        if not self.missing:
            parts = [f"all {self.total} keys of the model load"]
        else:
            parts = [f"{self.loaded} of {self.total} keys load", f"{named(self.missing)} {self._stay()}"]
        if self.unused:
            parts.append(
                f"{self.unused} {'entry' if self.unused == 1 else 'entries'} of the checkpoint not used"
            )
        return "; ".join(parts)

    def _stay(self) -> str:
        return "stay as initialized" if len(self.missing) > 1 else "stays as initialized"


def named(keys: tuple[str, ...] | list[str]) -> str:
    """Name some keys, the others counted.

    Args:
        keys: the keys.

    Example:
        >>> named(["a", "b"]), named(["a", "b", "c", "d", "e"])
        ('a, b', 'a, b, c and 2 more')
    """
    whole = ", ".join(keys)
    if len(keys) == 1 or (len(keys) <= _NAMED + 1 and len(whole) <= _LINE):
        return whole
    shown = _NAMED
    while shown > 1 and len(", ".join(keys[:shown])) > _LINE:
        shown -= 1
    return f"{', '.join(keys[:shown])} and {len(keys) - shown} more"


def run(statement: Statement, plan: Plan, module: Any, state: Mapping[str, Any]) -> Outcome | None:
    """Run the code of a plan on a copy of the module without numbers and on the user's own state_dict.

    Args:
        statement: the user's statement.
        plan: the plan.
        module: the user's module, which stays as it is.
        state: the user's state_dict, which stays as it is, too.

    Returns: What was loaded, or None if the code fails.
    """
    import torch

    package = statement.torch or "torch"
    scope: dict[str, Any] = {_MODULE: module, _STATE: state, package: torch}
    source = plan.state(_STATE).replace("<MODEL>", _MODULE).replace("<TORCH>", package)
    try:
        copy = _copy(module)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
            warnings.simplefilter("ignore")
            changed = eval(source, scope)  # noqa: S307  # what is printed is what is run
            options = {"strict": not plan.partial} | ({"assign": True} if statement.assign else {})
            result = copy.load_state_dict(changed, **options)
    except Exception:  # noqa: BLE001  # a plan that fails in any way is no fix
        return None
    tensors = copy.state_dict(keep_vars=True)
    missing = {*getattr(result, "missing_keys", ()), *(name for name in tensors if name not in changed)}
    loaded = {id(tensor) for name, tensor in tensors.items() if name not in missing}
    left = tuple(name for name, tensor in tensors.items() if name in missing and id(tensor) not in loaded)
    return Outcome(len(tensors), left, sum(1 for key in changed if key not in tensors))


def _copy(module: Any) -> Any:
    """Copy a module without its numbers; TorchScript, which cannot be, with them."""
    import copy

    import torch

    from shapeinspect_torch.tracing.meta_copy import Shadow

    if any(isinstance(part, torch.jit.ScriptModule) for part in module.modules()):
        return copy.deepcopy(module)
    return Shadow().of(module)
