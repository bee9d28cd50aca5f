"""The graph of a torch.export program as layers and calls.

Every op that returns a tensor becomes a call. The only op of a ``torch.nn`` module (or its main op,
such as the convolution after a circular padding) is the call of that module; every other op is a layer
of its own inside the module that called it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, NoReturn

from shapeinspect.dims import UNKNOWN, Dim
from shapeinspect.errors import UnreadableFileError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call, Layer, Value
from shapeinspect_torch.exported.tensors import Lengths, decode
from shapeinspect_torch.vocabulary.aten import Argument, describe_op
from shapeinspect_torch.vocabulary.functions import plain_name
from shapeinspect_torch.vocabulary.kinds import describe, is_known
from shapeinspect_torch.vocabulary.work import work_of

_MAX_DEPTH = 100
_MAX_NESTED = 8
#: Ops with subgraphs whose operands are the inputs of these subgraphs.
_PASSED_ON = frozenset({"cond", "wrap_with_set_grad_enabled", "wrap_with_autocast", "strict_mode"})


class Scope(NamedTuple):
    """A module that is being executed, or an op with a subgraph.

    Args:
        key: distinguishes executions.
        path: the module's path; None for an op.
        type: its class with the module that defines it, or the op's name.
    """

    key: str
    path: str | None
    type: str


@dataclass(slots=True, eq=False)
class Op:
    """One node of the graph that returns a tensor."""

    name: str
    type: str
    kind: str
    attributes: dict[str, Any]
    inputs: list[str]
    outputs: list[str]
    node: str
    at: int


@dataclass(slots=True, eq=False)
class Run:
    """One execution of a module: its ops, and the executions of its submodules."""

    scope: Scope
    inner: list[Op | Run] = field(default_factory=list)
    given: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    end: Op | None = None


@dataclass(slots=True)
class Graph:
    """The content of a program's graph.

    Args:
        layers: its layers without weights, in the order of execution.
        types: the class of each module that is executed, with the module that defines it.
        calls: its calls.
        values: its values.
        uses: for each weight of the graph the nn class and role that its use by an op proves, and
            the lengths of parts of composite axes.
        read: the full names of all weights that an op reads.
    """

    layers: dict[str, Layer] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    values: dict[str, Value] = field(default_factory=dict)
    uses: dict[str, tuple[str, str, dict[str, int]]] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)


def read_graph(
    raw: Mapping[str, Any],
    weights: Mapping[str, str],
    modules: Iterable[str],
    ends: tuple[tuple[str, ...], tuple[str, ...]],
    lengths: Lengths,
    label: str,
) -> Graph:
    """Read a graph.

    Args:
        raw: the graph as the file has it.
        weights: the full name of each weight, by the name of its graph input.
        modules: the paths of all modules.
        ends: the names of the model's inputs and outputs.
        lengths: reads lengths.
        label: the file, for errors.

    Raises:
        UnreadableFileError: if it is malformed.
    """
    reader = _Reader(weights, lengths, label)
    root = Run(Scope("", "", ""))
    env = reader.inputs(raw)
    reader.graph(raw, env, root, (), "", 0)
    writer = _Writer(reader, root, frozenset(modules))
    writer.write(ends)
    graph = writer.graph
    graph.uses, graph.read = reader.uses, reader.read
    for name in (*ends[0], *ends[1]):
        argument = reader.seen.get(name)
        if argument is None:
            raise UnreadableFileError(label, f"the graph has no value {name!r}, which is an input or output")
        graph.values.setdefault(name, _value(argument))
    return graph


def _value(argument: Argument) -> Value:
    return Value(argument.name, argument.shape, argument.dtype)


class _Reader:
    """Reads nodes and assigns them to the executions of modules."""

    def __init__(self, weights: Mapping[str, str], lengths: Lengths, label: str) -> None:
        self.weights = weights
        self.lengths = lengths
        self.uses: dict[str, tuple[str, str, dict[str, int]]] = {}
        self.read: set[str] = set()
        self.seen: dict[str, Argument] = {}
        self.runs: dict[str, list[Run]] = {}
        self._label = label
        self.count = 0

    def inputs(self, raw: Mapping[str, Any]) -> dict[str, Argument]:
        """Return every tensor of the outermost graph by its name in it."""
        return self._tensors(raw, "")

    def graph(
        self,
        raw: Mapping[str, Any],
        env: dict[str, Argument],
        home: Run,
        stack: tuple[Scope, ...],
        prefix: str,
        depth: int,
    ) -> None:
        """Assign the nodes of one graph to the executions they belong to."""
        if depth > _MAX_NESTED:
            self.fail(f"its graphs are nested deeper than {_MAX_NESTED}")
        symbols = raw.get("sym_int_values") or {}
        open_: list[Run] = [home]

        def tensor(name: str) -> Argument | None:
            argument = env.get(name)
            if argument is None:
                self.fail(f"the graph names a tensor {name!r} that it does not describe")
            return argument

        def number(value: Any) -> Dim:
            name = value.get("as_name") if isinstance(value, dict) else None
            if name is None:
                return self.lengths.expression(value)
            return self.lengths.expression(symbols[name]) if name in symbols else UNKNOWN

        for node in raw["nodes"]:
            outputs = list(_flat(decode(entry, tensor, number) for entry in node["outputs"]))
            if not outputs:
                continue
            target = str(node["target"])
            operands = [(str(entry["name"]), entry["arg"]) for entry in node["inputs"]]
            inner = self._stack(node.get("metadata") or {}, stack)
            if len(stack) + len(inner) > _MAX_DEPTH:
                self.fail(f"its modules are nested deeper than {_MAX_DEPTH}")
            run = self._enter(open_, inner)
            graphs = [arg["as_graph"] for _, arg in operands if isinstance(arg, dict) and "as_graph" in arg]
            arguments = {
                name or str(at): decode(arg, tensor, number) for at, (name, arg) in enumerate(operands)
            }
            if graphs:
                self._nested(target, graphs, arguments, outputs, run, (*stack, *inner), prefix, depth)
            else:
                run.inner.append(self._op(target, arguments, outputs))

    def _nested(
        self,
        target: str,
        graphs: list[Any],
        arguments: dict[str, Any],
        outputs: list[Argument],
        run: Run,
        stack: tuple[Scope, ...],
        prefix: str,
        depth: int,
    ) -> None:
        operands = list(_flat(arguments.values()))
        name = _short(target)
        reads = tuple(operand.name for operand in operands if operand.name not in self.weights)
        self._remember(operands, outputs)
        here = Run(Scope(f"{prefix}{outputs[0].name}", None, name))
        here.given = (reads, tuple(out.name for out in outputs))
        run.inner.append(here)
        for nested in graphs:
            raw, called = nested["graph"], str(nested["name"])
            within = f"{prefix}{outputs[0].name}.{called}."
            env = self._tensors(raw, within)
            inputs = [_name(entry) for entry in raw["inputs"]]
            tensors = [entry for entry in inputs if entry in env]
            if name in _PASSED_ON and len(tensors) == len(operands):
                env.update(zip(tensors, operands, strict=True))
            branch = Run(Scope(within, None, called))
            here.inner.append(branch)
            self.graph(raw, env, branch, stack, within, depth + 1)
            ends = [[env[entry] for entry in map(_name, raw[side]) if entry in env]
                    for side in ("inputs", "outputs")]  # fmt: skip
            self._remember(*ends)
            branch.given = (
                tuple(end.name for end in ends[0] if end.name not in self.weights),
                tuple(end.name for end in ends[1]),
            )
        self.count += 1
        here.end = Op(
            name, name, "module", {}, list(reads), [out.name for out in outputs], outputs[0].name, self.count
        )

    def _tensors(self, raw: Mapping[str, Any], prefix: str) -> dict[str, Argument]:
        values = raw["tensor_values"]
        arguments = {name: self.lengths.argument(f"{prefix}{name}", meta) for name, meta in values.items()}
        if not prefix:
            self.seen.update(arguments)
        return arguments

    def _op(self, target: str, arguments: dict[str, Any], outputs: list[Argument]) -> Op:
        name = _short(target)
        described = describe_op(name, arguments, outputs[0])
        operands = list(_flat(arguments.values()))
        self.read.update(self.weights[part.name] for part in operands if part.name in self.weights)
        skipped = set()
        for use, weight in described.weights.items():
            if isinstance(weight, Argument) and weight.name in self.weights:
                skipped.add(weight.name)
                kind, role = use.split()
                groups = described.attributes.get("groups")
                sizes = {"g": groups} if isinstance(groups, int) else {}
                self.uses.setdefault(self.weights[weight.name], (kind, role, sizes))
        if name in _WITH_PARAMS:
            skipped |= {
                part.name for part in _flat(arguments.get("params") or ()) if part.name in self.weights
            }
        read = [part for part in operands if part.name not in skipped]
        self._remember(read, outputs)
        self.count += 1
        shown = target.removeprefix("torch.ops.")
        return Op(
            name,
            shown.rpartition(".")[0] or shown,
            described.kind,
            described.attributes,
            [part.name for part in read],
            [part.name for part in outputs],
            outputs[0].name,
            self.count,
        )

    def _remember(self, *groups: Iterable[Argument]) -> None:
        for group in groups:
            for argument in group:
                self.seen[argument.name] = argument

    def _stack(self, metadata: Mapping[str, Any], outer: tuple[Scope, ...]) -> tuple[Scope, ...]:
        """The modules around a node, below those of the op that has its graph."""
        text = metadata.get("nn_module_stack")
        if not isinstance(text, str):
            return ()
        entries = [entry.split(",", 2) for entry in text.split(";")]
        scopes = [
            Scope(entry[0], _plain_path(entry[1]), entry[2])
            for entry in entries
            if len(entry) == 3 and not entry[0].startswith("_empty_nn_module_stack")
        ]
        same = 0
        while same < min(len(outer), len(scopes)) and outer[same] == scopes[same]:
            same += 1
        return tuple(scopes[same:])

    def _enter(self, open_: list[Run], stack: tuple[Scope, ...]) -> Run:
        same = 1
        while same < len(open_) and same <= len(stack) and open_[same].scope == stack[same - 1]:
            same += 1
        del open_[same:]
        for scope in stack[same - 1 :]:
            run = Run(scope)
            open_[-1].inner.append(run)
            open_.append(run)
            self.runs.setdefault(scope.path or "", []).append(run)
        return open_[-1]

    def fail(self, reason: str) -> NoReturn:
        raise UnreadableFileError(self._label, reason)


_WITH_PARAMS = frozenset({"lstm", "gru", "rnn_tanh", "rnn_relu"})


def _flat(values: Iterable[Any]) -> Iterator[Argument]:
    for value in values:
        if isinstance(value, Argument):
            yield value
        elif isinstance(value, list):
            yield from _flat(value)


def _name(argument: Any) -> str:
    inner = argument.get("as_tensor") if isinstance(argument, dict) else None
    return str(inner.get("name")) if isinstance(inner, dict) else ""


def _short(target: str) -> str:
    # torch.ops.aten.conv2d.default, torch.ops.higher_order.cond, _operator.add
    parts = target.split(".")
    if parts[:2] == ["torch", "ops"] and len(parts) > 4:
        return parts[3]
    return parts[-1]


def _plain_path(text: str) -> str:
    # Before 2.5 a path was a Python expression: L['self'].conv
    return text.replace("L['self']", "").replace("L__self__", "").lstrip(".")


class _Writer:
    """Turns the executions into layers and calls."""

    def __init__(self, reader: _Reader, root: Run, modules: frozenset[str]) -> None:
        self.graph = Graph()
        self._reader = reader
        self._root = root
        self._taken = modules | frozenset(reader.runs)
        self._main = {path: op for path, runs in reader.runs.items() if path and (op := _main(runs))}
        self._made: dict[str, int] = {}
        self._last: dict[str, int] = {}
        # By execution and not by Run: metadata may be missing in the middle of one.
        self._used: dict[str, Counter[str]] = {}

    def write(self, ends: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
        tops = (item for item in self._root.inner if isinstance(item, Run) and item.scope.path == "")
        top = next(tops, self._root)
        main = _main_of(top) if self._root.inner == [top] else None
        for op in _ops(self._root):
            self._made.update((name, op.at) for name in op.outputs)
            self._last.update((name, op.at) for name in op.inputs)
        self._last.update((name, self._reader.count + 1) for name in ends[1])
        short = top.scope.type.rpartition(".")[2]
        path = short if short and short not in self._taken else ROOT
        if main is not None:
            layer = Layer(path, main.kind, short, (path,), Frozen(main.attributes), origin=top.scope.type)
            self._layer(layer, top.scope.type)
            self._inside(top, "", (), main, path)
            return
        self._root.given = ends
        self._module(self._root, path, (), top.scope.type)

    def _module(self, run: Run, path: str, parts: tuple[str, ...], type_: str) -> None:
        own = (path,) if run is self._root else parts
        self._layer(Layer(path, "module", type_.rpartition(".")[2], own, origin=type_ or None), type_)
        reads, makes = run.given or self._ends(run)
        self._call(path, reads, makes, Frozen())
        self._inside(run, "" if run is self._root else path, parts)

    def _inside(
        self, run: Run, prefix: str, parts: tuple[str, ...], main: Op | None = None, own: str = ""
    ) -> None:
        used = self._used.setdefault(run.scope.key if prefix else "", Counter())
        for item in run.inner:
            if isinstance(item, Op):
                if item is main:
                    shown = self.graph.layers[own].attributes
                    self._call(own, item.inputs, item.outputs, _differing(shown, item.attributes))
                else:
                    self._write_op(item, prefix, parts, used)
            elif item.scope.path is None:
                name = item.scope.type
                path, last = self._place(name, "module", name, prefix, used)
                self._module(item, path, (*parts, last), name)
            elif item.scope.path == "":
                # The outermost module, which the metadata names; or again, in a graph inside an op.
                self._inside(item, "", ())
            else:
                self._write_module(item, item.scope.path)

    def _write_module(self, run: Run, path: str) -> None:
        type_, parts = run.scope.type, tuple(path.split("."))
        main = _main_of(run) if path in self._main else None
        if main is None:
            self._module(run, path, parts, type_)
            return
        first = self._main[path]
        short = type_.rpartition(".")[2]
        self._layer(Layer(path, first.kind, short, parts, Frozen(first.attributes), origin=type_), type_)
        self._inside(run, path, parts, main, path)

    def _write_op(self, op: Op, prefix: str, parts: tuple[str, ...], used: Counter[str]) -> None:
        path, last = self._place(op.name, op.kind, op.type, prefix, used)
        layer = self.graph.layers.get(path)
        if layer is None:
            layer = Layer(path, op.kind, op.type, (*parts, last), Frozen(op.attributes), origin=op.node)
            self.graph.layers[path] = layer
        self._call(path, op.inputs, op.outputs, _differing(layer.attributes, op.attributes))
        if op.kind == "unknown":
            call = self.graph.calls[-1]
            shapes = [
                [self.graph.values[name].shape for name in side] for side in (call.inputs, call.outputs)
            ]
            self.graph.calls[-1] = replace(call, macs=work_of(plain_name(op.name), *shapes))

    def _place(self, name: str, kind: str, type_: str, prefix: str, used: Counter[str]) -> tuple[str, str]:
        while True:
            count = used[name]
            used[name] += 1
            last = f"{name}_{count}" if count else name
            path = f"{prefix}.{last}" if prefix else last
            there = self.graph.layers.get(path)
            if path not in self._taken and (there is None or (there.kind, there.type) == (kind, type_)):
                return path, last

    def _layer(self, layer: Layer, type_: str) -> None:
        self.graph.layers.setdefault(layer.path, layer)
        self.graph.types.setdefault(layer.path, type_)

    def _call(self, path: str, reads: Iterable[str], makes: Iterable[str], attributes: Frozen[Any]) -> None:
        call = Call(path, tuple(reads), tuple(makes), attributes)
        for name in (*call.inputs, *call.outputs):
            if name not in self.graph.values:
                self.graph.values[name] = _value(self._reader.seen[name])
        self.graph.calls.append(call)

    def _ends(self, run: Run) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The values that an execution reads from others, and those that others read from it."""
        ops = list(_ops(run))
        if not ops:
            return (), ()
        first, last = ops[0].at, ops[-1].at
        weights = self._reader.weights
        reads = {
            name: None
            for op in ops
            for name in op.inputs
            if not first <= self._made.get(name, 0) <= last and name not in weights
        }
        makes = {name: None for op in ops for name in op.outputs if self._last.get(name, 0) > last}
        return tuple(reads), tuple(makes)


#: The path of a model whose class has no name.
ROOT = "(root)"


def _ops(run: Run) -> Iterator[Op]:
    for item in run.inner:
        if isinstance(item, Op):
            yield item
        else:
            yield from _ops(item)
    if run.end is not None:
        yield run.end


def _main(runs: list[Run]) -> Op | None:
    """The main op of a torch.nn module, if each of its executions has exactly one."""
    ops = [_main_of(run) for run in runs]
    first = ops[0]
    if first is None or any(op is None or (op.kind, op.type) != (first.kind, first.type) for op in ops):
        return None
    return first


def _main_of(run: Run) -> Op | None:
    type_ = run.scope.type
    if not type_.startswith("torch.") or not is_known(type_):
        return None
    ops = [item for item in run.inner if isinstance(item, Op)]
    if len(ops) != len(run.inner):
        return None
    kind, _ = describe(type_, {})
    candidates = [op for op in ops if op.kind == kind]
    return candidates[0] if len(candidates) == 1 else None


def _differing(first: Mapping[str, Any], now: Mapping[str, Any]) -> Frozen[Any]:
    return Frozen({key: value for key, value in now.items() if first.get(key) != value})
