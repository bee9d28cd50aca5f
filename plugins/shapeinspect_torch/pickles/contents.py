"""Finds the model among everything that a checkpoint holds, by what the entries are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shapeinspect.binary.pickles.records import Node, Reduce, SetOf, key_name
from shapeinspect_torch.pickles.rebuild import Rebuilder

#: Keys under which training scripts keep the model itself.
_MODEL = ("state_dict", "model_state_dict", "model", "module")
#: Keys that may as well be a part of it.
_PERHAPS = ("net", "network", "params", "weights", "params_ema", "model_ema", "ema", "student", "teacher")
#: What a second set of the same weights is called.
_AVERAGE = re.compile(r"ema|swa|avg|average|best|shadow|teacher|target|momentum")
_MOST = 2**63
#: How deep what a checkpoint holds may be nested, and how many keys may lead to the model.
_MAX_OPEN = 200_000
MAX_DEPTH = 100


@dataclass(slots=True)
class Tally:
    """How much stands in a node and below it, in tensors and in their elements."""

    tensors: int = 0
    values: int = 0

    def add(self, other: Tally) -> None:
        """Add what stands in a child; a child that is there many times may count without end.

        Args:
            other: what stands in the child.
        """
        self.tensors = min(self.tensors + other.tensors, _MOST)
        self.values = min(self.values + other.values, _MOST)


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that stands beside the model in its file.

    Args:
        path: its keys, outermost first.
        tally: how much it holds.
    """

    path: tuple[str, ...]
    tally: Tally


@dataclass(frozen=True, slots=True)
class Chosen:
    """The model in a checkpoint.

    Args:
        path: the keys that lead to it.
        node: the state dict, module, tensor or collection of these.
        rest: what stands beside it.
        skipped: the keys of ``node`` itself that are no part of the model.
    """

    path: tuple[str, ...]
    node: Node
    rest: tuple[Entry, ...]
    skipped: frozenset[str]


def is_module(node: Node) -> bool:
    """Tell whether a record is a pickled ``nn.Module`` or TorchScript module.

    Args:
        node: the record.
    """
    if type(node) is not Reduce or not isinstance(node.state, dict):
        return False
    return ("_modules" in node.state and "_parameters" in node.state) or is_script(node)


def is_script(node: Node) -> bool:
    """Tell whether a record is an object of a class that TorchScript compiled.

    Args:
        node: the record.
    """
    return type(node) is Reduce and str(getattr(node.func, "module", "")).partition(".")[0] == "__torch__"


def children(node: Node) -> Iterator[tuple[str, Node]]:
    """List what a container or object holds, each with the name it has there.

    Args:
        node: any record or value.
    """
    if type(node) is Reduce:
        for held in (node.pairs, node.items, node.state):
            if held is not None and type(held) is not Reduce:
                yield from children(held)
    elif isinstance(node, dict):
        for key, value in node.items():
            yield (key if type(key) is str else key_name(key)), value
    elif isinstance(node, SetOf):
        yield from children(node.items)
    elif isinstance(node, list | tuple):
        for at, value in enumerate(node):
            yield str(at), value


class Survey:
    """Counts the tensors below every node, each node once however often it is reached.

    Args:
        top: the outermost node.
        tensors: what knows a tensor's record.
    """

    def __init__(self, top: Node, tensors: Rebuilder) -> None:
        self._tensors = tensors
        self._known: dict[int, Tally] = {}
        self._count(top)

    def __getitem__(self, node: Node) -> Tally:
        return self._known.get(id(node), _NOTHING)

    def _count(self, top: Node) -> None:
        if not self._open(top):
            return
        path: list[tuple[Node, Iterator[tuple[str, Node]], Tally]] = [(top, children(top), self[top])]
        while path:
            _, rest, tally = path[-1]
            for _, child in rest:
                if type(child) in _LEAVES:
                    continue
                if id(child) not in self._known and self._open(child):
                    if len(path) >= _MAX_OPEN:
                        self._tensors.refuse(f"its entries are nested deeper than {_MAX_OPEN:,}")
                    path.append((child, children(child), self[child]))
                    break
                # A child that is still open, a cycle, has counted nothing yet.
                tally.add(self[child])
            else:
                path.pop()
                if path:
                    path[-1][2].add(tally)

    def _open(self, node: Node) -> bool:
        """Begin to count a node; tells whether anything stands below it."""
        tensor = self._tensors.tensor(node)
        self._known[id(node)] = Tally() if tensor is None else Tally(1, tensor.numel)
        return tensor is None


_NOTHING = Tally()
_LEAVES = frozenset({str, bytes, int, float, bool, type(None)})


def choose(top: Node, tensors: Rebuilder, survey: Survey) -> Chosen:
    """Follow the keys that lead to the model.

    Args:
        top: what the file holds.
        tensors: what knows a tensor's record.
        survey: how much stands where.

    Raises:
        UnreadableFileError: if too many keys lead to it.

    Returns:
        The state dict (or module, tensor, collection of models), and everything else.
    """
    path: tuple[str, ...] = ()
    rest: list[Entry] = []
    node = top
    seen: set[int] = set()
    while id(node) not in seen and not is_module(node) and tensors.tensor(node) is None:
        if len(path) > MAX_DEPTH:
            tensors.refuse(f"its entries are nested deeper than {MAX_DEPTH}")
        seen.add(id(node))
        held = list(children(node))
        full = [(key, child) for key, child in held if type(child) not in _LEAVES and survey[child].tensors]
        single: list[tuple[str, Node]] = []
        nested: list[tuple[str, Node]] = []
        for key, child in full:
            (nested if tensors.tensor(child) is None else single).append((key, child))
        aside = {key for key, child in nested if _is_optimizer(key, child)}
        if len(aside) == len(full):
            aside = set()
        models = [(key, child) for key, child in nested if key not in aside]
        aside |= _copies(models)
        models = [(key, child) for key, child in models if key not in aside]
        found = _inner(models, all(survey[child].values <= 1 for _, child in single), survey)
        if found is None:
            rest += [Entry((*path, key), survey[child]) for key, child in full if key in aside]
            return Chosen(path, node, tuple(rest), frozenset(aside))
        rest += [Entry((*path, key), survey[child]) for key, child in held if key != found[0]]
        path, node = (*path, found[0]), found[1]
    return Chosen(path, node, tuple(rest), frozenset())


def _inner(models: list[tuple[str, Node]], alone: bool, survey: Survey) -> tuple[str, Node] | None:
    """The entry that is the model, if this node is not the model itself."""
    for names in (_MODEL, _PERHAPS):
        named = [(key, child) for key, child in models if key in names]
        if named and (names is _MODEL or (len(models) == 1 and alone)):
            return max(named, key=lambda entry: (survey[entry[1]].values, -names.index(entry[0])))
    # A key with dots is a weight's name in a state dict: what it holds is a packed weight.
    return models[0] if len(models) == 1 and alone and "." not in models[0][0] else None


def _is_optimizer(key: str, node: Node) -> bool:
    if isinstance(node, dict) and "param_groups" in node and "state" in node:
        return True
    if isinstance(node, list | tuple) and node:
        return _is_optimizer(key, node[0]) if not isinstance(node[0], list | tuple) else False
    return "optim" in key.lower()


def _copies(models: list[tuple[str, Node]]) -> set[str]:
    """The keys of state dicts that are called an average (or the like) of one of the same names."""
    if not any(_AVERAGE.search(key.lower()) for key, _ in models):
        return set()
    nodes = {id(node): node for _, node in models if isinstance(node, dict)}  # one may have many keys
    sets = {at: frozenset(name for name in node if type(name) is str) for at, node in nodes.items()}
    names = {key: sets[id(node)] for key, node in models if isinstance(node, dict)}
    originals = {held for key, held in names.items() if not _AVERAGE.search(key.lower())}
    return {key for key, held in names.items() if _AVERAGE.search(key.lower()) and held in originals}
