"""The tensors of a forward that is followed: what they are called, and what is known of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from shapeinspect.dims import UNKNOWN
from shapeinspect.ir import Weight
from shapeinspect_torch.script.budget import Budget
from shapeinspect_torch.script.lengths import Known
from shapeinspect_torch.script.list_lengths import ListLengths
from shapeinspect_torch.script.values import Module, Name, Outputs, Tensor
from shapeinspect_torch.vocabulary.aten import Argument


class Tensors:
    """Names tensors, and finds them in the values of the code.

    Args:
        stored: the stored tensors by name.
        known: what is known of the tensors.
        lists: which lists have a length that is not known.
        budget: the limit on what is visited.
    """

    def __init__(
        self, stored: Mapping[str, Weight], known: Known, lists: ListLengths, budget: Budget
    ) -> None:
        self._stored = stored
        self._known = known
        self._lists = lists
        self._budget = budget
        self._again: Counter[str] = Counter()
        #: The names of the values so far.
        self.used: dict[str, None] = {}
        #: Whether the settings of a layer are looked for, whose code leaves no values.
        self.probing = False

    def nth(self, outputs: Outputs, position: int) -> Tensor:
        """Return an output of a call.

        Args:
            outputs: the outputs of the call.
            position: which one.
        """
        while len(outputs.names) <= position:
            count = len(outputs.names)
            name = f"probed {id(outputs)} {count}" if self.probing else self.fresh(f"v{len(self.used)}")
            outputs.names.append(name)
            self._known.add(name, outputs, count)
        return self._known.tensor(outputs.names[position])

    def fresh(self, name: str) -> str:
        """Return a name that no value has.

        Args:
            name: what it begins with.
        """
        first = name
        while name in self.used or name in self._stored:
            self._again[first] += 1
            name = f"{first}_{self._again[first]}"
        if not self.probing:
            self.used[name] = None
        return name

    def flat(self, values: Iterable[Any]) -> list[Tensor | Argument]:
        """Return the tensors in values of the code, in order.

        Args:
            values: the values.
        """
        flat: list[Tensor | Argument] = []
        for value in values:
            self._budget.spend()
            if isinstance(value, Outputs):
                flat += [self.nth(value, at) for at in range(value.count or 1)]
            elif isinstance(value, Tensor | Argument):
                flat.append(value)
            elif isinstance(value, list | tuple):
                flat += self.flat(value)
            elif isinstance(value, dict):
                flat += self.flat(value.values())
        return flat

    def names(self, *values: Any) -> list[str]:
        """Return the names of the tensors in values of the code, in order.

        Args:
            values: the values.
        """
        return [part.name for part in self.flat(values)]

    def plain(self, value: Any) -> Any:
        """Return a value as a function receives it; UNKNOWN where it is none.

        Args:
            value: the value.
        """
        self._budget.spend()
        if isinstance(value, Outputs):
            return UNKNOWN if value.count is None else self.nth(value, 0)
        if isinstance(value, list | tuple):
            return type(value)(map(self.plain, value)) if self._lists.known(value) else UNKNOWN
        return UNKNOWN if isinstance(value, Name | Module | dict) else value

    def merged(self, left: Any, right: Any) -> Any:
        """Return the value that a name has behind two branches.

        Args:
            left: its value behind the one.
            right: its value behind the other.
        """
        self._budget.spend()
        if left is right:
            return left
        if isinstance(left, list | tuple) and type(left) is type(right) and len(left) == len(right):
            return type(left)(map(self.merged, left, right))
        if isinstance(left, dict) and isinstance(right, dict) and list(left) == list(right):
            return self.both(left, right)
        if isinstance(left, list | tuple | dict) or isinstance(right, list | tuple | dict):
            return UNKNOWN
        if type(left) is type(right) and left == right:
            return left
        tensors = Tensor, Outputs, Argument
        if isinstance(left, tensors) and isinstance(right, tensors):
            name = self.fresh("either")
            self._known.join(name, self.plain(left), self.plain(right))
            return self._known.tensor(name)
        return UNKNOWN

    def both(self, left: Mapping[Any, Any], right: Mapping[Any, Any]) -> dict[Any, Any]:
        """Return the values that names have behind two branches.

        Args:
            left: the values behind the one.
            right: the values behind the other.
        """
        return {
            key: self.merged(left.get(key, UNKNOWN), right.get(key, UNKNOWN)) for key in {**left, **right}
        }
