"""Changes of one place of a script, as people make mistakes."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

#: Calls that only rearrange, cut or convert: without one of them the script often still means something.
REARRANGING = frozenset({
    "permute", "transpose", "unsqueeze", "squeeze", "flatten", "view", "reshape", "t", "repeat",
    "expand", "mean", "sum", "argmax", "contiguous", "swapaxes", "movedim", "long", "float", "int",
    "double", "half", "astype", "expand_dims", "pad", "tanh", "cumsum", "max_pool1d", "max_pool2d",
    "avg_pool2d", "interpolate", "adaptive_avg_pool2d", "max_pooling2d", "resize", "unfold",
    "repeat_interleave", "detach", "clamp", "one_hot", "concatenate", "stack",
})  # fmt: skip
#: Layers whose place in a list or a chain matters to the shapes.
SHAPING = frozenset({
    "Flatten", "Unflatten", "MaxPool1d", "MaxPool2d", "AvgPool1d", "AvgPool2d", "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d", "Upsample", "ZeroPad2d", "ReflectionPad2d", "ConstantPad1d", "Conv1d",
    "Conv2d", "ConvTranspose2d", "Linear", "Reshape", "Permute", "MaxPooling1D", "MaxPooling2D",
    "AveragePooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D",
    "ZeroPadding2D", "UpSampling2D", "RepeatVector", "TimeDistributed", "Cropping2D", "Embedding",
    "Conv1D", "Conv2D", "Dense",
})  # fmt: skip
LOSSES = (
    ("CrossEntropyLoss", "MSELoss", "BCEWithLogitsLoss", "NLLLoss", "L1Loss"),
    ("cross_entropy", "mse_loss", "binary_cross_entropy_with_logits", "nll_loss", "smooth_l1_loss"),
    ("sparse_categorical_crossentropy", "categorical_crossentropy", "mse", "binary_crossentropy"),
    ("SparseCategoricalCrossentropy", "CategoricalCrossentropy", "BinaryCrossentropy"),
)
DTYPES = {
    "long": ("float32", "int32"), "int64": ("float32", "int32"), "int32": ("float32", "int64"),
    "float32": ("float64", "int64"), "float": ("long",), "bool": ("float32",), "uint8": ("float32",),
    "float64": ("float32",), "double": ("float32",),
}  # fmt: skip
#: Keywords that shapes depend on, and what else people write.
KEYWORDS: dict[str, tuple[str, ...]] = {
    "padding": ("0", "2", "'same'", "'valid'"), "stride": ("1", "2", "3"), "strides": ("1", "2", "3"),
    "groups": ("2", "3"), "kernel_size": ("2", "3", "5"), "pool_size": ("2", "3"), "dilation": ("1", "3"),
    "dim": ("0", "1", "2", "-1"), "axis": ("0", "1", "2", "-1"), "start_dim": ("0", "2"), "axes": ("1", "2"),
    "output_padding": ("0",), "num_layers": ("1", "3"), "units": ("9",), "scale_factor": ("3",),
    "num_heads": ("5",), "key_dim": ("9",),
}  # fmt: skip
DROPPED = frozenset({
    "batch_first", "return_sequences", "output_padding", "padding", "stride", "strides", "dim", "axis",
    "keepdim", "keepdims", "bidirectional", "dtype", "return_state", "bias", "collate_fn", "drop_last",
    "kernel_size", "dilation", "groups", "data_format", "input_shape",
})  # fmt: skip
#: Numbers that shapes do not depend on.
HARMLESS = frozenset({
    "lr", "momentum", "seed", "manual_seed", "set_seed", "range", "epochs", "verbose", "p", "dropout",
    "eps", "weight_decay", "exp",
})  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change of one script.

    Args:
        script: the script's name.
        kind: the kind of mistake.
        line: where it is, counted from 1.
        start: the first byte that is replaced.
        before: the text that stood there.
        after: the text that stands there now.
    """

    script: str
    kind: str
    line: int
    start: int
    before: str
    after: str

    @property
    def key(self) -> str:
        """A short name that depends on nothing else."""
        told = f"{self.script}|{self.kind}|{self.start}|{self.before}|{self.after}"
        return f"{self.script}-{self.kind}-{self.line}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"

    def applied(self, text: str) -> str:
        """Return the script with the change."""
        raw, old = text.encode(), self.before.encode()
        assert raw[self.start : self.start + len(old)] == old
        return (raw[: self.start] + self.after.encode() + raw[self.start + len(old) :]).decode()


class Mutator:
    """All changes of one script.

    Args:
        name: the script's name.
        text: the script.
    """

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text, self.raw = name, text, text.encode()
        self.tree = ast.parse(text)
        self.starts = [0]
        for line in text.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line.encode()))
        self.parent = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    def mutants(self) -> list[Mutant]:
        """Return every change once, in the order of the text."""
        found = {}
        for node in ast.walk(self.tree):
            for kind, target, after in self._of(node):
                mutant = self._mutant(kind, target, after)
                if mutant is not None:
                    found.setdefault((mutant.start, mutant.before, mutant.after), mutant)
        return sorted(found.values(), key=lambda m: (m.start, m.kind, m.after))

    def _mutant(self, kind: str, target: ast.AST, after: str) -> Mutant | None:
        start, end = self._span(target)
        before = self.raw[start:end].decode()
        if before == after:
            return None
        return Mutant(self.name, kind, self.raw[:start].count(b"\n") + 1, start, before, after)

    def _span(self, node: ast.AST) -> tuple[int, int]:
        return (
            self.starts[node.lineno - 1] + node.col_offset,
            self.starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def _text(self, node: ast.AST) -> str:
        start, end = self._span(node)
        return self.raw[start:end].decode()

    def _of(self, node: ast.AST) -> Iterator[tuple[str, ast.AST, str]]:
        match node:
            case ast.Constant(value=int() as value) if not isinstance(value, bool):
                yield from self._number(node, value)
            case ast.Constant(value=str() as value):
                yield from self._string(node, value)
            case ast.Call():
                yield from self._call(node)
                yield from self._keywords(node)
                yield from self._swapped(node)
            case ast.BinOp():
                yield from self._operator(node)
            case ast.Subscript():
                yield from self._subscript(node)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(args=[ast.Name(id=same), *_])):
                if name == same and isinstance(self.parent[node], ast.FunctionDef | ast.For):
                    yield "line", node, "pass"
            case ast.List(elts=[_, _, *_] as parts) | ast.Tuple(elts=[_, _, *_] as parts):
                yield from self._items(node, parts)
            case ast.Attribute():
                yield from self._attribute(node)

    def _attribute(self, node: ast.Attribute) -> Iterator[tuple[str, ast.AST, str]]:
        owner = self._text(node.value)
        for other in DTYPES.get(node.attr, ()) if owner in ("torch", "np", "tf") else ():
            yield "dtype", node, f"{owner}.{other}"
        for group in LOSSES:
            for other in group if node.attr in group else ():
                yield "loss", node, f"{owner}.{other}"

    def _above(self, node: ast.AST) -> Iterator[ast.AST]:
        while node in self.parent:
            node = self.parent[node]
            yield node

    def _number(self, node: ast.Constant, value: int) -> Iterator[tuple[str, ast.AST, str]]:
        above = list(self._above(node))
        call = next((n for n in above if isinstance(n, ast.Call)), None)
        named = {k.arg for k in above if isinstance(k, ast.keyword)} | ({name_of(call)} if call else set())
        if named & HARMLESS or value >= 1000 or isinstance(self.parent[node], ast.Compare):
            return
        inside = any(isinstance(n, ast.FunctionDef | ast.Lambda) for n in above)
        subscript = next(
            (n for n in above if isinstance(n, ast.Subscript) and node in ast.walk(n.slice)), None
        )
        if subscript is not None:
            kind = "index"
        elif isinstance(self.parent[node], ast.arguments) or (
            isinstance(self.parent[node], ast.AnnAssign) and any(isinstance(n, ast.ClassDef) for n in above)
        ):
            kind = "default"
        elif call is not None and name_of(call) in (
            REARRANGING | {"cat", "concat", "softmax", "chunk", "split"}
        ):
            kind = "axis"
        elif inside:
            kind = "constant"
        elif call is None:
            kind = "config"
        else:
            kind = "data"
        if isinstance(self.parent[node], ast.UnaryOp):
            others: list[int] = [value + 1]
        else:
            others = (
                [value + 1, value - 1, 2 * value, value // 2]
                if value > 3
                else [value + 1, value - 1, value + 2]
            )
        for other in dict.fromkeys(others):
            if other >= 0:
                yield kind, node, str(other)

    def _string(self, node: ast.Constant, value: str) -> Iterator[tuple[str, ast.AST, str]]:
        above = list(self._above(node))
        if isinstance(above[0], ast.Expr | ast.JoinedStr | ast.FormattedValue) or "\n" in value:
            return
        for group in LOSSES:
            if value in group:
                for other in group:
                    yield "loss", node, repr(other)
        if value in DTYPES:
            for other in DTYPES[value]:
                yield "dtype", node, repr(other)
        if value in ("same", "valid"):
            yield "keyword", node, repr("valid" if value == "same" else "same")
        if value.endswith(".") or (
            value and any(isinstance(n, ast.Dict) for n in above[:1]) and value.isidentifier()
        ):
            yield "key", node, repr(f"{value}x." if value.endswith(".") else f"{value}_x")
        if isinstance(above[0], ast.Subscript) and above[0].slice is node:
            yield "key", node, repr(f"{value}_x")
        if "->" in value:
            left, right = value.split("->")
            letters = [c for c in right if c.isalpha()]
            for a, b in combinations(letters, 2):
                yield "axis", node, repr(left + "->" + right.translate(str.maketrans(a + b, b + a)))
            for c in letters:
                yield "axis", node, repr(left.replace(c, "", 1) + "->" + right)

    def _call(self, node: ast.Call) -> Iterator[tuple[str, ast.AST, str]]:
        name, function = name_of(node), node.func
        outside = isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name)
        library = outside and function.value.id in (
            "torch", "F", "np", "tf", "ops", "nn", "layers", "keras",
        )  # fmt: skip
        if name in REARRANGING and isinstance(function, ast.Attribute):
            if not library:
                yield "delete", node, self._text(function.value)
            elif node.args and not isinstance(node.args[0], ast.List | ast.Tuple):
                yield "delete", node, self._text(node.args[0])
            elif node.args and name == "concatenate":
                yield "stack", node, self._text(node).replace("concatenate", "stack", 1)
        # layer(x), self.layer(x): the layer is left out
        own = (
            isinstance(function, ast.Attribute)
            and isinstance(function.value, ast.Name)
            and function.value.id == "self"
        )
        if (own or isinstance(function, ast.Call)) and len(node.args) == 1 and not node.keywords:
            yield "layer", node, self._text(node.args[0])
        if name in ("cat", "concat") and node.args:
            yield "stack", node, self._text(node).replace(f".{name}", ".stack", 1)
        if name == "state_dict" and not node.args:
            whole = self._text(node)
            yield "key", node, f"{{'module.' + k: v for k, v in {whole}.items()}}"
            yield "key", node, f"{{k: v for k, v in list({whole}.items())[1:]}}"
            yield "key", node, f"{{k: v.unsqueeze(0) for k, v in {whole}.items()}}"

    def _keywords(self, node: ast.Call) -> Iterator[tuple[str, ast.AST, str]]:
        for keyword in node.keywords:
            if keyword.arg is None:
                continue
            if isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, bool):
                yield "keyword", keyword.value, str(not keyword.value.value)
            for other in KEYWORDS.get(keyword.arg, ()):
                if isinstance(keyword.value, ast.Constant | ast.UnaryOp | ast.Tuple | ast.Name):
                    yield "keyword", keyword.value, other
            if keyword.arg in DROPPED:
                rest = [*node.args, *(k for k in node.keywords if k is not keyword)]
                rest.sort(key=lambda n: (n.lineno, n.col_offset))
                inner = ", ".join(self._text(part) for part in rest)
                yield "drop", node, f"{self._text(node.func)}({inner})"

    def _swapped(self, node: ast.Call) -> Iterator[tuple[str, ast.AST, str]]:
        name = name_of(node)
        if name in ("print", "range", "isinstance", "super", "zip", "format") or any(
            isinstance(a, ast.Starred) for a in node.args
        ):
            return
        kind = "swap-axes" if name in REARRANGING else "swap-args"
        for a, b in list(combinations(range(len(node.args)), 2))[:6]:
            first, second = node.args[a], node.args[b]
            start, end = self._span(node)
            (s1, e1), (s2, e2) = self._span(first), self._span(second)
            raw = self.raw
            after = raw[start:s1] + raw[s2:e2] + raw[e1:s2] + raw[s1:e1] + raw[e2:end]
            yield kind, node, after.decode()

    def _operator(self, node: ast.BinOp) -> Iterator[tuple[str, ast.AST, str]]:
        if isinstance(node.left, ast.Constant) and isinstance(node.left.value, str):
            return
        left, right = self._text(node.left), self._text(node.right)
        if isinstance(node.op, ast.MatMult):
            yield "operator", node, f"{right} @ {left}"
            yield "operator", node, f"{left} * {right}"
        elif isinstance(node.op, ast.Mult | ast.FloorDiv | ast.Add | ast.Sub):
            yield "operator", node, left
            if isinstance(node.op, ast.Mult | ast.Add):
                yield "operator", node, right
            if isinstance(node.op, ast.Mult):
                yield "operator", node, f"({left} + {right})"
                yield "operator", node, f"({left} // {right})"
            if isinstance(node.op, ast.FloorDiv):
                yield "operator", node, f"({left} * {right})"

    def _subscript(self, node: ast.Subscript) -> Iterator[tuple[str, ast.AST, str]]:
        if isinstance(node.ctx, ast.Load) and isinstance(node.slice, ast.Tuple | ast.Slice | ast.UnaryOp):
            yield "slice", node, self._text(node.value)
            if isinstance(node.slice, ast.Tuple):
                inner = ", ".join(self._text(e) for e in node.slice.elts[1:])
                yield "slice", node, f"{self._text(node.value)}[{inner}]"
                inner = ", ".join(self._text(e) for e in node.slice.elts[:-1])
                yield "slice", node, f"{self._text(node.value)}[{inner}]"

    def _items(self, node: ast.List | ast.Tuple, parts: list[ast.expr]) -> Iterator[tuple[str, ast.AST, str]]:
        call = self.parent[node]
        if isinstance(node.ctx, ast.Store):
            return
        bracket = ("[", "]") if isinstance(node, ast.List) else ("(", ")")
        joined = isinstance(call, ast.Call) and name_of(call) in (
            "cat",
            "concat",
            "concatenate",
            "stack",
            "hstack",
        )
        numbers = all(isinstance(p, ast.Constant) and isinstance(p.value, int) for p in parts)
        bare = isinstance(node, ast.Tuple) and not self._text(node).startswith("(")
        for part in parts:
            rest = [self._text(p) for p in parts if p is not part]
            inner = ", ".join(rest) + ("," if len(rest) == 1 and isinstance(node, ast.Tuple) else "")
            shaping = isinstance(part, ast.Call) and name_of(part) in SHAPING
            if not bare and (joined or numbers or shaping):
                yield ("layer" if shaping else "items"), node, bracket[0] + inner + bracket[1]
        names = all(isinstance(p, ast.Name | ast.Constant) for p in parts)
        if names and not isinstance(call, ast.For | ast.comprehension):
            for a, b in list(combinations(range(len(parts)), 2))[:4]:
                changed = [self._text(p) for p in parts]
                changed[a], changed[b] = changed[b], changed[a]
                inner = ", ".join(changed)
                yield (
                    "swap-axes" if numbers else "swap-args",
                    node,
                    inner if bare else bracket[0] + inner + bracket[1],
                )


def name_of(call: ast.AST | None) -> str:
    """The last part of what is called."""
    function = getattr(call, "func", None)
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def ordered(folder: Path, names: list[str], kinds: set[str] | None = None, seed: int = 12) -> list[Mutant]:
    """All mutants of these scripts: the n-th of every pair of script and kind before the next of any."""
    strata: dict[tuple[str, str], list[Mutant]] = {}
    for name in names:
        for mutant in Mutator(name, (folder / f"{name}.py").read_text()).mutants():
            if kinds is None or mutant.kind in kinds:
                strata.setdefault((mutant.script, mutant.kind), []).append(mutant)

    def drawn(*told: object) -> str:
        return hashlib.sha256(repr((seed, *told)).encode()).hexdigest()

    ranked = []
    for stratum, members in strata.items():
        members.sort(key=lambda m: drawn(m.key))
        ranked += [(rank, drawn(rank, stratum), member) for rank, member in enumerate(members)]
    return [member for _, _, member in sorted(ranked, key=lambda r: r[:2])]
