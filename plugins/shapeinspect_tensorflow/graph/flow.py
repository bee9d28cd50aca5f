"""Resolves the inputs of nodes through function calls, and orders the nodes by execution."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from shapeinspect.errors import UnreadableFileError
from shapeinspect_tensorflow.graph.nodes import Body, Function, Graph, Node

_LONGEST_PATH = 8192
_MAX_STEPS = 1_000_000
_MAX_CALLS = 10_000
_MAX_DEPTH = 100
CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall", "RemoteCall"})
#: Nodes that return their input.
_ALIASES = frozenset(
    {"Identity", "StopGradient", "PreventGradient", "CheckNumerics", "Snapshot", "EnsureShape"}
)

VARIABLES = frozenset({"VarHandleOp", "VariableV2", "Variable"})
LOOPS = frozenset({"While", "StatelessWhile"})
CASES = frozenset({"Case", "StatelessCase"})
CHOICES = CASES | {"If", "StatelessIf"}

#: The names of the outputs of operators with more than one.
_OUTPUTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"),
        ("y", "batch_mean", "batch_variance", "reserve_space_1", "reserve_space_2", "reserve_space_3"),
    ),
    "TopK": ("values", "indices"),
    "TopKV2": ("values", "indices"),
    "MaxPoolWithArgmax": ("output", "argmax"),
    "Unique": ("y", "idx"),
    "UniqueV2": ("y", "idx"),
    "Switch": ("output_false", "output_true"),
    "Merge": ("output", "value_index"),
    "Svd": ("s", "u", "v"),
    "Qr": ("q", "r"),
    **dict.fromkeys(("Eig", "SelfAdjointEigV2"), ("e", "v")),
    "Lu": ("lu", "p"),
    "LogMatrixDeterminant": ("sign", "log_abs_determinant"),
    "ListDiff": ("out", "idx"),
    "DecodeWav": ("audio", "sample_rate"),
    "QuantizeV2": ("output", "output_min", "output_max"),
    "StatelessRandomGetKeyCounter": ("key", "counter"),
    **dict.fromkeys(
        ("SampleDistortedBoundingBox", "SampleDistortedBoundingBoxV2"), ("begin", "size", "bboxes")
    ),
    **dict.fromkeys(("BlockLSTM", "BlockLSTMV2", "LSTMBlockCell"), ("i", "cs", "f", "o", "ci", "co", "h")),
    "GRUBlockCell": ("r", "u", "c", "h"),
    "CudnnRNN": ("output", "output_h", "output_c", "reserve_space"),
    "CudnnRNNV3": ("output", "output_h", "output_c", "reserve_space", "host_reserved"),
    "TensorListPopBack": ("output_handle", "tensor"),
    "NonMaxSuppressionV4": ("selected_indices", "valid_outputs"),
    "NonMaxSuppressionV5": ("selected_indices", "selected_scores", "valid_outputs"),
    "CombinedNonMaxSuppression": ("nmsed_boxes", "nmsed_scores", "nmsed_classes", "valid_detections"),
    "StringSplit": ("indices", "values", "shape"),
    "StringSplitV2": ("indices", "values", "shape"),
    "SparseReshape": ("output_indices", "output_shape"),
    "SparseFillEmptyRows": (
        "output_indices",
        "output_values",
        "empty_row_indicator",
        "reverse_index_map",
    ),
    **dict.fromkeys(("UniqueWithCounts", "UniqueWithCountsV2"), ("y", "idx", "count")),
    **dict.fromkeys(("LookupTableExport", "LookupTableExportV2"), ("keys", "values")),
    "SoftmaxCrossEntropyWithLogits": ("loss", "backprop"),
    "SparseSoftmaxCrossEntropyWithLogits": ("loss", "backprop"),
}


#: Operators with a list of outputs under one name.
_LISTS = CALLS | {
    "Split", "SplitV", "Unpack", "IdentityN", "ShapeN", "ConcatOffset", "DynamicPartition", "While", "If",
    "Case", "StatelessWhile", "StatelessIf", "StatelessCase", "BoostedTreesBucketize", "QuantileBucketize",
}  # fmt: skip


@dataclass(slots=True, eq=False)
class Scope:
    """The graph itself, or one call of a function.

    Args:
        nodes: its nodes by name.
        prefix: the prefix of their names.
        arguments: for a function, the index of the call's input for each argument.
        call: the node that calls it.
        outer: the scope of that node.
        outputs: the outputs of the function.
        depth: the number of calls around it.
        inner: the calls in it that were resolved.
        own: for the body of a loop, the values of the arguments that change in it.
        root: for the body of a loop or a branch, what the paths of its nodes begin with.
    """

    nodes: Mapping[str, Node]
    prefix: str = ""
    arguments: Mapping[str, int] = field(default_factory=dict)
    call: Node | None = None
    outer: Scope | None = None
    outputs: tuple[str, ...] = ()
    depth: int = 0
    inner: dict[str, Scope] = field(default_factory=dict)
    own: Mapping[str, Ref] = field(default_factory=dict)
    root: str = ""


@dataclass(frozen=True, slots=True)
class Ref:
    """One output of one node; equal for all its readers.

    Args:
        path: the node's unique name.
        index: the index of the output; -1 where its name is unknown.
    """

    path: str
    index: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One node in the order of execution, with its inputs resolved.

    Args:
        path: its unique name.
        node: the node.
        inputs: the values it reads; None for one that cannot be resolved.
        instead: the steps that it replaces, where several were joined.
    """

    path: str
    node: Node
    inputs: tuple[Ref | None, ...]
    instead: tuple[Step, ...] = ()

    def operands(self, settings: Mapping[str, frozenset[int]]) -> list[Ref]:
        """Return the values that it reads and that are no settings.

        Args:
            settings: for each operator, the inputs that are settings, counted from the front or, below 0,
                from the end.

        Example:
            >>> add = Step("a", Node("a", "Add", (), {}), (Ref("x"), None, Ref("axis")))
            >>> [ref.path for ref in add.operands({"Add": frozenset({-1})})]
            ['x']
        """
        fixed, count = settings.get(self.node.op, frozenset()), len(self.inputs)
        return [
            ref
            for slot, ref in enumerate(self.inputs)
            if ref is not None and not {slot, slot - count} & fixed
        ]


@dataclass(frozen=True, slots=True)
class Loop:
    """The body of a loop.

    Args:
        outputs: what one step computes for each value of the loop.
        values: each value at the start of a step; None for one that never changes.
        name: the name of what the loop belongs to; empty if it has none.
        root: what the paths of its nodes begin with, without the slash behind.
    """

    outputs: tuple[Ref | None, ...]
    values: tuple[Ref | None, ...]
    name: str
    root: str = ""


@dataclass(frozen=True, slots=True)
class Branch:
    """A function that a node runs: a branch, or the condition of a loop.

    Args:
        outputs: what it computes.
        root: what the paths of its nodes begin with, without the slash behind.
    """

    outputs: tuple[Ref | None, ...]
    root: str


class Flow:
    """Finds the steps that outputs are computed by.

    Args:
        graph: the graph and its functions.
        label: the file, for errors.
    """

    def __init__(self, graph: Graph, label: str) -> None:
        self._graph = graph
        self._label = label
        self._calls = 0
        self._size = 0
        self._paths: dict[tuple[int, str], str] = {}
        self.root = Scope(graph.nodes)
        self._found: dict[str, tuple[Scope, Node]] = {}
        self._loops: dict[str, Loop | None] = {}

    def resolve(self, scope: Scope, text: str) -> Ref | None:
        """Follow a name to the node that computes it, through calls and arguments.

        Args:
            scope: where the name is used.
            text: ``node``, ``node:1``, or in a function ``node:output:1`` or an argument.

        Raises:
            UnreadableFileError: if the calls never end.
        """
        for _ in range(_MAX_CALLS):
            name, output, index = _split(text)
            if name in scope.own:
                return scope.own[name]
            place = scope.arguments.get(name)
            if place is not None and name not in scope.nodes:
                if scope.call is None or scope.outer is None or place >= len(scope.call.inputs):
                    return None
                text, scope = scope.call.inputs[place], scope.outer
                continue
            node = scope.nodes.get(name)
            if node is None:
                return None
            if node.op in _ALIASES and node.inputs:
                text = node.inputs[0]
                continue
            if node.op == "IdentityN" and index < len(node.inputs):
                text = node.inputs[index]
                continue
            inside = self._inside(scope, node)
            if inside is not None:
                if not 0 <= index < len(inside.outputs):
                    return None
                scope, text = inside, inside.outputs[index]
                continue
            path = self._path(scope, node)
            return Ref(path, _index(node, output, index))
        raise UnreadableFileError(self._label, f"{text!r} leads through more than {_MAX_CALLS:,} nodes")

    def loop(self, path: str) -> Loop | None:
        """Return the body of a loop; None if it has none that can be read.

        Args:
            path: the loop's unique name.

        Raises:
            UnreadableFileError: if the calls never end.
        """
        if path not in self._loops:
            self._loops[path] = self._loop(path)
        return self._loops[path]

    def _loop(self, path: str) -> Loop | None:
        scope, node = self._found[path]
        body = self._function(node.attributes.get("body"))
        if body is None or not len(body.arguments) == len(body.outputs) == len(node.inputs):
            return None
        shapes = node.attributes.get("_output_shapes")
        changing = {
            name: Ref(f"{path}/{name} (loop)")
            for name, output in zip(body.arguments, body.outputs, strict=True)
            if _carried(body.nodes, output) != name
        }
        inner = self._opened(path, body, f"{path}/body", own=changing)
        for place, name in enumerate(body.arguments):
            if name in changing:
                known = shapes[place : place + 1] if isinstance(shapes, tuple) else ()
                attributes = {"_output_shapes": known} if known else {}
                self._found[changing[name].path] = (inner, Node(name, "", (), attributes))
        named = path
        if scope.call is not None and "/" not in node.name and not scope.root:
            named = f"{scope.call.name}/{node.name}"
        return Loop(
            tuple(self.resolve(inner, output) for output in body.outputs),
            tuple(changing.get(name) for name in body.arguments),
            named.rpartition("/")[0]
            .removesuffix("/PartitionedCall")
            .removesuffix("/StatefulPartitionedCall"),
            f"{path}/body",
        )

    def condition(self, path: str) -> Branch | None:
        """Return the condition of a loop, which reads what a round of its body does.

        Args:
            path: the loop's unique name.

        Raises:
            UnreadableFileError: if the calls never end.
        """
        loop, (_, node) = self.loop(path), self._found[path]
        function = self._function(node.attributes.get("cond"))
        if loop is None or function is None or len(function.arguments) != len(loop.values):
            return None
        own = {
            name: value
            for name, value in zip(function.arguments, loop.values, strict=True)
            if value is not None
        }
        inner = self._opened(path, function, f"{path}/cond", own=own)
        return Branch(tuple(self.resolve(inner, output) for output in function.outputs), f"{path}/cond")

    def branches(self, path: str) -> tuple[Branch, ...]:
        """Return the branches of a choice, that of the true condition first; none if one cannot be read.

        All of them have as many outputs.

        Args:
            path: the unique name of an ``If`` or ``Case``.

        Raises:
            UnreadableFileError: if the calls never end.
        """
        _, node = self._found[path]
        listed = node.attributes.get("branches")
        named = {"then": node.attributes.get("then_branch"), "else": node.attributes.get("else_branch")}
        if isinstance(listed, tuple):
            named = {f"branch{number}": function for number, function in enumerate(listed)}
        found = []
        for name, function in named.items():
            body = self._function(function)
            if body is None or len(body.arguments) != len(node.inputs) - 1:
                return ()
            inner = self._opened(path, body, f"{path}/{name}", skipped=1)
            outputs = tuple(self.resolve(inner, output) for output in body.outputs)
            found.append(Branch(outputs, f"{path}/{name}"))
        return tuple(found) if len({len(branch.outputs) for branch in found}) == 1 else ()

    def _function(self, function: object) -> Body | None:
        """Read a function that a node names."""
        if not isinstance(function, Function) or not self._graph.has(function.name):
            return None
        body = self._graph.body(function.name)
        self._size += len(body.nodes)
        if self._size > _MAX_STEPS:
            raise UnreadableFileError(self._label, f"it holds more than {_MAX_STEPS:,} nodes")
        return body

    def _opened(
        self, path: str, body: Body, root: str, *, own: Mapping[str, Ref] | None = None, skipped: int = 0
    ) -> Scope:
        """Return the scope of a function that a node runs, whose arguments are the inputs behind some."""
        scope, node = self._found[path]
        self._calls += 1
        if self._calls > _MAX_CALLS or scope.depth >= _MAX_DEPTH:
            raise UnreadableFileError(self._label, "its functions call one another without end")
        if len(root) > _LONGEST_PATH:
            raise UnreadableFileError(self._label, f"a call's path has over {_LONGEST_PATH:,} characters")
        places = {name: place + skipped for place, name in enumerate(body.arguments)}
        return Scope(
            body.nodes, f"{scope.prefix}{node.name}/", places, node, scope, body.outputs, scope.depth + 1,
            own=own or {}, root=root,
        )  # fmt: skip

    def _inside(self, scope: Scope, node: Node) -> Scope | None:
        function = node.attributes.get("f") if node.op in CALLS else Function(node.op)
        if not isinstance(function, Function) or not self._graph.has(function.name):
            return None
        if node.name not in scope.inner:
            self._calls += 1
            if self._calls > _MAX_CALLS or scope.depth >= _MAX_DEPTH:
                raise UnreadableFileError(self._label, "its functions call one another without end")
            body = self._graph.body(function.name)
            self._size += len(body.nodes)
            if self._size > _MAX_STEPS:
                raise UnreadableFileError(self._label, f"it holds more than {_MAX_STEPS:,} nodes")
            prefix = f"{scope.prefix}{node.name}/"
            if len(prefix) > _LONGEST_PATH:
                raise UnreadableFileError(self._label, f"a call's path has over {_LONGEST_PATH:,} characters")
            scope.inner[node.name] = Scope(
                body.nodes, prefix, {name: place for place, name in enumerate(body.arguments)}, node, scope,
                body.outputs, scope.depth + 1, root=scope.root,
            )  # fmt: skip
        return scope.inner[node.name]

    def _path(self, scope: Scope, node: Node) -> str:
        """Return a unique name for a node: its own if that is free, else one with the call's prefix.

        In the body of a loop or a branch it begins with the path of that.
        """
        key = (id(scope), node.name)
        if key not in self._paths:
            name = node.name
            if scope.root:
                around = "" if scope.call is None else f"{scope.call.name}/"
                name = f"{scope.root}/{name.removeprefix(around)}"
            path = variable_path(name) if node.op in VARIABLES else name
            if path in self._found and not scope.root:
                path = scope.prefix + path
            while path in self._found:
                path += "'"
            self._paths[key] = path
            self._found[path] = (scope, node)
        return self._paths[key]

    def steps(
        self, outputs: Iterable[Ref], settings: Mapping[str, frozenset[int]], within: str = ""
    ) -> list[Step]:
        """Return everything that outputs are computed from, in an order of execution.

        Args:
            outputs: the outputs.
            settings: for each operator, the inputs that are settings; what is computed only for them
                is left out.
            within: what the paths of all steps begin with, without the slash behind; those around them
                are left out.
        """
        begin = f"{within}/" if within else ""
        done: dict[str, Step] = {}
        order: list[Step] = []
        stack: list[tuple[str, bool]] = [(ref.path, False) for ref in reversed(list(outputs))]
        while stack:
            path, ready = stack.pop()
            if ready:
                order.append(done[path])
                continue
            if path in done or not path.startswith(begin):
                continue
            scope, node = self._found[path]
            step = done[path] = Step(path, node, tuple(self.resolve(scope, source) for source in node.inputs))
            stack.append((path, True))
            read = step.operands(settings)
            stack.extend((ref.path, False) for ref in reversed(read) if ref.path not in done)
        return order

    def step(self, ref: Ref) -> Step:
        """Return one node with its inputs resolved.

        Args:
            ref: what :meth:`resolve` returned.
        """
        scope, node = self._found[ref.path]
        return Step(ref.path, node, tuple(self.resolve(scope, source) for source in node.inputs))


def _carried(nodes: Mapping[str, Node], text: str) -> str:
    """Return the name that an output of a function leads to through nodes that return their input."""
    for _ in range(_MAX_DEPTH):
        name, _, _ = _split(text)
        node = nodes.get(name)
        if node is None or node.op not in _ALIASES or not node.inputs:
            return name
        text = node.inputs[0]
    return ""


def variable_path(name: str) -> str:
    """Return the unique name of a variable's node, distinct from those of operators.

    Args:
        name: the node's name.

    Example:
        >>> variable_path("w")
        'w (variable)'
    """
    return f"{name} (variable)"


def _split(text: str) -> tuple[str, str, int]:
    name, *rest = text.split(":")
    output, number = ("", rest[0]) if len(rest) == 1 else (rest[0], rest[1]) if len(rest) > 1 else ("", "0")
    return name, output, int(number) if number.isdecimal() and len(number) < 8 else 0


def _index(node: Node, output: str, index: int) -> int:
    names = _OUTPUTS.get(node.op)
    if not output:
        return index
    if names is None:
        shapes = node.attributes.get("_output_shapes")
        several = isinstance(shapes, tuple) and len(shapes) > 1 and node.op not in _LISTS
        return -1 if several else index
    return names.index(output) if output in names else -1
