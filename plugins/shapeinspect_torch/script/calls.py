"""The calls of a forward that is followed, as they are recorded."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

from shapeinspect.dims import UNKNOWN
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Weight
from shapeinspect_torch.script.budget import Budget
from shapeinspect_torch.script.constants import with_weights
from shapeinspect_torch.script.contents import Contents
from shapeinspect_torch.script.dictionaries import CHANGING, DICTIONARIES
from shapeinspect_torch.script.dtypes import dtypes_of, indexed
from shapeinspect_torch.script.lengths import Known, shapes_of
from shapeinspect_torch.script.list_lengths import ListLengths
from shapeinspect_torch.script.ops import NO_TENSORS, describe_script
from shapeinspect_torch.script.plain_values import NUMBERS, compute, counted, identical
from shapeinspect_torch.script.signatures.rows import LISTED, ROWS
from shapeinspect_torch.script.tensors import Tensors
from shapeinspect_torch.script.values import (
    EXTENDING,
    LISTS,
    Draft,
    Outputs,
    Scope,
    Tensor,
)
from shapeinspect_torch.vocabulary.aten import Argument, Described
from shapeinspect_torch.vocabulary.functions import plain_name
from shapeinspect_torch.vocabulary.work import work_of


class Calls:
    """Records calls, and computes what needs none.

    Args:
        constants: the constant tensors of the code, by name.
        known: what is known of the tensors.
        tensors: the tensors.
        lists: which lists have a length that is not known.
        budget: the limit on what is visited.
        taken: the paths of the modules, which no function gets.
    """

    def __init__(
        self,
        constants: Mapping[str, Weight],
        known: Known,
        tensors: Tensors,
        lists: ListLengths,
        budget: Budget,
        taken: Container[str],
    ) -> None:
        self._constants = constants
        self._known = known
        self._tensors = tensors
        self._lists = lists
        self._budget = budget
        self._taken = taken
        #: The numbers of small tensors.
        self.contents = Contents()
        self._probe: list[tuple[Described, Outputs]] = []
        #: The calls so far.
        self.drafts: list[Draft] = []
        #: The paths that are called, in the order of their first calls.
        self.order: dict[str, None] = {}
        #: The functions that are called, by path.
        self.added: dict[str, Layer] = {}
        #: In how many branches that depend on the input the code stands that is followed.
        self.undecided = 0
        #: How many calls refuse the shapes of their inputs.
        self.refused = 0

    def begin_probe(self) -> None:
        """Begin the code of a layer, whose calls are not recorded."""
        self._probe = []
        self._tensors.probing = True

    def end_probe(self) -> list[tuple[Described, Outputs]]:
        """End that code, and return what it called."""
        self._tensors.probing = False
        return self._probe

    def op(
        self, type_: str, name: str, args: list[Any], kwargs: dict[str, Any], scope: Scope, *, python: bool
    ) -> Any:
        """Return the result of a function that the code calls, and record the call if it returns a tensor.

        Args:
            type_: the function's full name.
            name: its own name.
            args: its arguments.
            kwargs: its named arguments.
            scope: where the call stands.
            python: whether it is a function of ``torch.nn.functional``.
        """
        tensors = [*self._tensors.flat(args), *self._tensors.flat(kwargs.values())]
        if name in ("__is__", "__isnot__") and len(args) == 2:
            same = identical(args[0], args[1])
            return same if same is UNKNOWN or name == "__is__" else not same
        if args and (isinstance(args[0], dict) or (isinstance(args[0], list) and name in LISTS)):
            return self._of_dictionary(name, args) if isinstance(args[0], dict) else self._of_list(name, args)
        if not self._tensors.probing:
            result = self._decided(name, [self._tensors.plain(arg) for arg in args], kwargs)
            if result is not UNKNOWN:
                return result
        if name in NO_TENSORS:
            return counted(self._tensors.plain(args[0])) if name == "len" and len(args) == 1 else UNKNOWN
        if not tensors and name in NUMBERS:
            return compute(name, args)
        plain = [self._tensors.plain(arg) for arg in args]
        named = {key: self._tensors.plain(value) for key, value in kwargs.items()}
        first = next((self._known.of(part) for part in tensors), None)
        described = describe_script(name, plain, named, python, None if first is None else len(first))
        if name == "index" and not indexed(plain[1] if len(plain) > 1 else UNKNOWN):
            # Truth values would pick as many entries as are true.
            described = described._replace(kind="unknown", attributes={})
        if not all(map(self._whole, (*args, *kwargs.values()))):
            # Of how many parts it works is not known, so that no rule holds for it.
            described = described._replace(kind="unknown", attributes={})
        if self._tensors.probing:
            self._probe.append((described, Outputs([])))
            return self._probe[-1][1]
        weights = {value.name for value in described.weights.values() if isinstance(value, Argument)}
        params = {part.name for part in tensors if isinstance(part, Argument)}
        skipped = params & weights | (params if described.kind in ("lstm", "gru", "rnn") else set())
        # A weight that the code computes is an input behind what it is applied to.
        computed = [value.name for value in described.weights.values() if isinstance(value, Tensor)]
        inputs = [part.name for part in tensors if part.name not in skipped]
        if described.kind in ("embedding", "embedding_bag"):
            inputs.sort(key=lambda name: name in computed)
        if described.kind == "elementwise" and inputs and any(arg is UNKNOWN for arg in plain[:2]):
            inputs.append(self._tensors.fresh("unknown"))
        path = self._path(name.strip("_") or name, described, type_, scope)
        if not self.added[path].weights:
            self.added[path] = with_weights(self.added[path], described, plain, self._constants)
        own = self.added[path].attributes
        differing = {k: v for k, v in described.attributes.items() if own.get(k) != v}
        outputs = self.call(path, inputs, Frozen(differing))
        outputs.dtypes = dtypes_of(name, plain, named, tensors)
        self.fill(outputs, described.kind, described.attributes, inputs)
        self._count_work(name, described.kind, inputs, outputs)
        self._compute(name, plain, named, outputs)
        return self._returned(name, outputs, plain)

    def _decided(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Return the result of a function that needs no call; else UNKNOWN."""
        result = self._known.result(name, args, kwargs)
        return self.contents.number(name, args) if result is UNKNOWN else result

    def _compute(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], outputs: Outputs) -> None:
        """Keep the numbers of the last call's output, where its inputs have few that are known."""
        self.contents.forget(name, args)
        numbers = self.contents.computed(name, args, kwargs)
        if numbers is not None:
            self.contents.keep(self._tensors.nth(outputs, 0).name, numbers)

    def _count_work(self, name: str, kind: str, inputs: Sequence[str], outputs: Outputs) -> None:
        """Note the work of the last call, where its kind does not tell."""
        if kind in ("unknown", "operation"):
            read = [self._known.shape(part) for part in inputs]
            work = work_of(plain_name(name), read, outputs.shapes)
            self.drafts[-1].macs = work if isinstance(work, int) else None

    def _returned(self, name: str, outputs: Outputs, args: Sequence[Any]) -> Any:
        """Return what a function returns: a tensor, several, or a list of them."""
        if name in LISTED:
            sizes = args[1] if len(args) > 1 and "split" in name else None
            outputs.count = len(outputs.shapes) or (len(sizes) if isinstance(sizes, list) else None)
            if name in ("tensor_split", "hsplit", "vsplit", "dsplit") and not outputs.shapes:
                outputs.count = None  # the list says where to cut
            if outputs.count is not None:
                return [self._tensors.nth(outputs, at) for at in range(outputs.count)]
        elif name in ROWS:
            outputs.count = max(len(outputs.shapes), 1)
        return outputs

    def _whole(self, value: Any) -> bool:
        """Tell whether a value is no list, or one of known length."""
        return self._lists.known(value) and not (isinstance(value, Outputs) and value.count is None)

    def _of_list(self, name: str, args: list[Any]) -> Any:
        items, before = args[0], len(args[0])
        given = all(map(self._lists.known, args[1:]))
        known = given and self._lists.known(items)
        if name in EXTENDING:
            given = given and isinstance(args[-1], list)
        result = LISTS[name](*args)
        if result is items or len(items) != before:
            self._lists.change(items, given)
        elif isinstance(result, bool) and not known:
            return UNKNOWN
        elif isinstance(result, list) and not known:
            self._lists.change(result, known)
        if isinstance(result, list):
            self._budget.spend(max(len(result) - (before if result is items else 0), 0))
        return result

    def _of_dictionary(self, name: str, args: list[Any]) -> Any:
        table, given = args[0], all(map(self._lists.known, args[1:]))
        if name not in DICTIONARIES:
            return UNKNOWN
        if name not in CHANGING and not (given and self._lists.known(table)):
            return UNKNOWN
        self._budget.spend(len(table) + 1)
        if name in CHANGING:
            self._lists.change(table, given)
        return DICTIONARIES[name](*args)

    def fill(self, outputs: Outputs, kind: str, attributes: Mapping[str, Any], inputs: Sequence[str]) -> None:
        """Find the shapes of a call's outputs from those of its inputs.

        Args:
            outputs: the outputs.
            kind: the kind of what is called.
            attributes: its settings.
            inputs: the names of its inputs.
        """
        if not self._tensors.probing and self._known.shapes:
            try:
                outputs.shapes = shapes_of(kind, attributes, [self._known.shape(name) for name in inputs])
            except ShapeMismatchError:  # in a branch that depends on the input it proves nothing
                self.refused += not self.undecided

    def _path(self, name: str, described: Described, type_: str, scope: Scope) -> str:
        prefix = f"{scope.module}." if scope.module else ""
        while True:
            self._budget.spend()
            count = scope.used[name]
            scope.used[name] += 1
            last = f"{name}_{count}" if count else name
            path = f"{prefix}{last}"
            existing = self.added.get(path)
            if path in self._taken:
                continue
            if existing is None:
                parts = (*(scope.module.split(".") if scope.module else ()), last)
                self.added[path] = Layer(path, described.kind, type_, parts, Frozen(described.attributes))
                return path
            if (existing.kind, existing.type) == (described.kind, type_):
                return path

    def call(self, layer: str, inputs: list[str], attributes: Frozen[Any]) -> Outputs:
        """Record a call, and return its outputs, which have no shapes yet.

        Args:
            layer: the path of what is called.
            inputs: the names of its inputs.
            attributes: settings of this call alone.
        """
        outputs = Outputs([])
        if not self._tensors.probing:
            self.order.setdefault(layer, None)
            self._tensors.used.update(dict.fromkeys(inputs))
            self.drafts.append(Draft(layer, inputs, outputs, attributes, self.undecided > 0))
        return outputs
