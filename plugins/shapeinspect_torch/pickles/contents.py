"""Finds the model in a checkpoint by the names and contents of its entries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shapeinspect.binary.pickles.records import Node, Reduce, SetOf, key_name, spelled
from shapeinspect_torch.pickles.rebuild import Rebuilder

#: Keys under which training scripts keep the model itself.
_MODEL = ("state_dict", "model_state_dict", "model", "module")
#: Keys that may hold the model or only a part of it.
_PERHAPS = ("net", "network", "params", "weights", "params_ema", "model_ema", "ema", "student", "teacher")
#: Names of a second set of the same weights.
_AVERAGE = re.compile(r"ema|swa|avg|average|best|shadow|teacher|target|momentum")
#: What builds a traced module again, from its attributes and its code. Source: ``torch/fx/graph_module.py``.
TRACED = frozenset(
    f"torch.fx.graph_module.reduce_{kind}" for kind in ("graph_module", "package_graph_module")
)
_MOST = 2**63
#: The maximum depth of a checkpoint's entries, and the most keys that may lead to the model.
_MAX_OPEN = 200_000
MAX_DEPTH = 100


@dataclass(slots=True)
class Tally:
    """The number of tensors, and of their elements, in a node and below it."""

    tensors: int = 0
    values: int = 0

    def add(self, child: Tally) -> None:
        """Add the tally of a child; it is capped, because shared children are counted repeatedly.

        Args:
            child: the tally of the child.
        """
        self.tensors = min(self.tensors + child.tensors, _MOST)
        self.values = min(self.values + child.values, _MOST)


@dataclass(frozen=True, slots=True)
class Entry:
    """Something in the file besides the model.

    Args:
        path: its keys, outermost first.
        tally: the number of tensors and elements in it.
    """

    path: tuple[str, ...]
    tally: Tally


@dataclass(frozen=True, slots=True)
class Chosen:
    """The model in a checkpoint.

    Args:
        path: the keys that lead to it.
        node: the state dict, module, tensor or collection of these.
        rest: everything else in the file.
        skipped: the keys of ``node`` itself that are not part of the model.
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
    state = attributes(node)
    if not isinstance(state, dict):
        return False
    return ("_modules" in state and "_parameters" in state) or is_script(node)


def attributes(node: Node) -> Node:
    """Return what a pickled object's attributes are set from; None for anything else.

    Args:
        node: the record.
    """
    if type(node) is not Reduce:
        return None
    traced = spelled(node.func) in TRACED and type(node.args) is tuple and node.args
    return node.args[0] if traced else node.state


def is_script(node: Node) -> bool:
    """Tell whether a record is an object of a class that TorchScript compiled.

    Args:
        node: the record.
    """
    return type(node) is Reduce and str(getattr(node.func, "module", "")).partition(".")[0] == "__torch__"


def children(node: Node) -> Iterator[tuple[str, Node]]:
    """Yield the items of a container or object with their names.

    Args:
        node: any record or value.
    """
    if type(node) is Reduce:
        given = None if spelled(node.func) in TRACED else node.args
        for part in (node.pairs, node.items, attributes(node), given):
            if part is not None and type(part) is not Reduce:
                yield from children(part)
    elif isinstance(node, dict):
        for key, value in node.items():
            yield (key if type(key) is str else key_name(key)), value
    elif isinstance(node, SetOf):
        yield from children(node.items)
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield str(index), value


class Survey:
    """Counts the tensors below every node; a node that is reached repeatedly is counted once.

    Args:
        top: the outermost node.
        tensors: rebuilds tensors from records.
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
        """Start counting a node; return whether it can have children."""
        tensor = self._tensors.tensor(node)
        self._known[id(node)] = Tally() if tensor is None else Tally(1, tensor.numel)
        return tensor is None


_NOTHING = Tally()
_LEAVES = frozenset({str, bytes, int, float, bool, type(None)})


def choose(top: Node, tensors: Rebuilder, survey: Survey) -> Chosen:
    """Follow the keys that lead to the model.

    Args:
        top: the outermost node of the file.
        tensors: rebuilds tensors from records.
        survey: the number of tensors below each node.

    Raises:
        UnreadableFileError: if too many keys lead to it.

    Returns:
        The state dict (or module, tensor, collection of models), and everything else.
    """
    path: tuple[str, ...] = ()
    rest: list[Entry] = []
    node = top
    visited: set[int] = set()
    while id(node) not in visited and not is_module(node) and tensors.tensor(node) is None:
        if len(path) > MAX_DEPTH:
            tensors.refuse(f"its entries are nested deeper than {MAX_DEPTH}")
        visited.add(id(node))
        entries = list(children(node))
        full = [
            (key, child) for key, child in entries if type(child) not in _LEAVES and survey[child].tensors
        ]
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
        inner = _inner(models, all(survey[child].values <= 1 for _, child in single), survey)
        if inner is None:
            rest += [Entry((*path, key), survey[child]) for key, child in full if key in aside]
            return Chosen(path, node, tuple(rest), frozenset(aside))
        rest += [Entry((*path, key), survey[child]) for key, child in entries if key != inner[0]]
        path, node = (*path, inner[0]), inner[1]
    return Chosen(path, node, tuple(rest), frozenset())


def _inner(models: list[tuple[str, Node]], alone: bool, survey: Survey) -> tuple[str, Node] | None:
    """Return the entry that is the model, or None if this node is the model itself."""
    for names in (_MODEL, _PERHAPS):
        named = [(key, child) for key, child in models if key in names]
        if named and (names is _MODEL or (len(models) == 1 and alone)):
            return max(named, key=lambda entry: (survey[entry[1]].values, -names.index(entry[0])))
    # A key with dots is a weight's name in a state dict: its value is a packed weight.
    return models[0] if len(models) == 1 and alone and "." not in models[0][0] else None


def _is_optimizer(key: str, node: Node) -> bool:
    if isinstance(node, dict) and "param_groups" in node and "state" in node:
        return True
    if isinstance(node, list | tuple) and node:
        return _is_optimizer(key, node[0]) if not isinstance(node[0], list | tuple) else False
    return "optim" in key.lower()


def _copies(models: list[tuple[str, Node]]) -> set[str]:
    """Return the keys of averaged (or similar) copies: state dicts with the same names as another one."""
    if not any(_AVERAGE.search(key.lower()) for key, _ in models):
        return set()
    nodes = {id(node): node for _, node in models if isinstance(node, dict)}  # a node may have several keys
    sets = {key_id: frozenset(name for name in node if type(name) is str) for key_id, node in nodes.items()}
    names = {key: sets[id(node)] for key, node in models if isinstance(node, dict)}
    originals = {key_names for key, key_names in names.items() if not _AVERAGE.search(key.lower())}
    return {
        key for key, key_names in names.items() if _AVERAGE.search(key.lower()) and key_names in originals
    }
