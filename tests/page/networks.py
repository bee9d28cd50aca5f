"""Small models made of nothing but the values of ``ir``: blocks, skips, repetitions, names that attack."""

from __future__ import annotations

from collections.abc import Sequence

from shapeinspect.frozen import Frozen
from shapeinspect.infer import infer
from shapeinspect.ir import Call, Layer, Layout, Model, Value, Weight
from shapeinspect.layout import normalize

#: Names that would act if they were markup, script, or written to a terminal as they are.
HOSTILE = (
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>",
    "'\"><svg onload=alert(2)>",
    "\u202eevil\u202c \u2028 \u2029 \u0000",
    "x" * 10_000,
    "${alert(3)}`",
    "]]>&lt;b&gt;",
)
_AXES = ("N", "C", "H", "W")


class Network:
    """Collects layers and calls; every method returns the name of the value that it gives."""

    def __init__(self, *inputs: tuple[str, tuple[int, ...]]) -> None:
        self.layers: list[Layer] = []
        self.paths: set[str] = set()
        self.calls: list[Call] = []
        self.values = {name: Value(name, shape, "float32", _AXES[: len(shape)]) for name, shape in inputs}
        self.inputs = tuple(self.values)

    def add(
        self, path: str, kind: str, native: str, reads: Sequence[str], shape: tuple[int, ...], **rest: object
    ) -> str:
        weights = rest.pop("weights", ())
        known = path in self.paths
        parts = tuple(path.split("."))
        for depth in range(1, len(parts)):
            outer = ".".join(parts[:depth])
            if outer not in self.paths:
                self.paths.add(outer)
                self.layers.append(Layer(outer, "module", "Block", parts[:depth]))
        if not known:
            self.paths.add(path)
            self.layers.append(Layer(path, kind, native, parts, Frozen(rest), tuple(weights)))  # type: ignore[arg-type]  # what the tests give
        name = f"v{len(self.values)}"
        self.values[name] = Value(name, shape, "float32", _AXES[: len(shape)])
        self.calls.append(Call(path, tuple(reads), (name,)))
        return name

    def conv(self, path: str, read: str, out: int, stride: int = 1) -> str:
        n, c, h, w = self.values[read].shape or ()
        assert isinstance(h, int)
        assert isinstance(w, int)
        layout = Layout("o i kh kw", "o i kh kw", slot="weight")
        weight = Weight(f"{path}.weight", "weight", (out, c, 3, 5), "float32", 60 * out, layout=layout)
        shape = (n, out, -(-h // stride), -(-w // stride))
        return self.add(
            path, "conv", "Conv2d", (read,), shape, weights=(weight,), in_channels=c, out_channels=out,  # type: ignore[arg-type]  # all lengths are integers here
            kernel_size=(3, 5), stride=(stride, stride), padding=((1, 1), (2, 2)),
        )  # fmt: skip

    def same(self, path: str, kind: str, *reads: str) -> str:
        shape = self.values[reads[0]].shape
        return self.add(path, kind, kind, reads, shape, function="relu")  # type: ignore[arg-type]  # it is known here

    def model(self, *outputs: str, source: str = "network") -> Model:
        made = Model(
            source, "live", "torch", "test", tuple(self.layers), tuple(self.calls), Frozen(self.values),
            self.inputs, outputs,
        )  # fmt: skip
        return infer(normalize(made))


def residual(blocks: int = 4) -> Model:
    """A stem, equal blocks with a skip each, and a head."""
    net = Network(("image", (1, 3, 40, 56)))
    x = net.conv("stem", "image", 8, 2)
    for index in range(blocks):
        y = net.same(f"body.{index}.act", "activation", net.conv(f"body.{index}.conv", x, 8))
        x = net.same(f"body.{index}.add", "elementwise", x, y)
    return net.model(net.conv("head", x, 5))


def unet(depth: int = 3) -> Model:
    """Lists of blocks that feed one another in turns, with skips from the way down to the way up."""
    net = Network(("image", (1, 3, 64, 96)))
    x, kept = "image", []
    for index in range(depth):
        x = net.same(f"down.{index}.act", "activation", net.conv(f"down.{index}.conv", x, 4 << index))
        kept.append(x)
        x = net.conv(f"pool{index}", x, 4 << index, 2)
    for index in reversed(range(depth)):
        x = net.same(
            f"up.{index}.join", "elementwise", net.conv(f"up.{index}.conv", kept[index], 4 << index), x
        )
        x = net.same(f"after{index}", "activation", x)
    return net.model(x)


def two_ways() -> Model:
    """Two inputs that meet, and two outputs."""
    net = Network(("left", (1, 3, 20, 28)), ("right", (1, 3, 20, 28)))
    a = net.conv("a.conv", "left", 6)
    b = net.same("b.act", "activation", net.conv("b.conv", "right", 6))
    both = net.same("both", "elementwise", a, b)
    return net.model(net.conv("first", both, 2), net.conv("second", both, 7))


def flat(count: int) -> Model:
    """A long row of layers in no block, every fifth of which reads an older value, too."""
    net = Network(("image", (1, 3, 12, 20)))
    values = ["image"]
    for index in range(count):
        older = (values[-5],) if index % 5 == 4 else ()
        values.append(net.same(f"layer{index}", "elementwise", values[-1], *older))
    return net.model(values[-1])


def weights_alone(blocks: int = 12, each: int = 3) -> Model:
    """A file of weights: no calls."""
    layers = []
    for block in range(blocks):
        for index in range(each):
            name = f"model.layers.{block}.proj{index}"
            weight = Weight(f"{name}.weight", "weight", (16, 24 + index), "float32", 64 * (24 + index))
            layers.append(Layer(name, "linear", "", tuple(name.split(".")), Frozen(), (weight,)))
    return infer(normalize(Model("weights.safetensors", "safetensors", "torch", "test", tuple(layers))))


def hostile() -> Model:
    """A model every name of which is an attack."""
    values = {name: Value(name, (1, 3, 8, 10), "float32", _AXES) for name in HOSTILE}
    layers = tuple(
        Layer(name, "activation", name, (HOSTILE[0], name), Frozen({"function": name}), (
            Weight(name, name, (5, 7), name, 140, layout=None),
        ))
        for name in HOSTILE
    )  # fmt: skip
    calls = tuple(
        Call(name, (name,), (HOSTILE[(place + 1) % len(HOSTILE)],)) for place, name in enumerate(HOSTILE[:-1])
    )
    return Model(HOSTILE[0], "onnx", "onnx", "test", layers, calls, Frozen(values), HOSTILE[:1], HOSTILE[-1:])
