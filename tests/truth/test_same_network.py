"""The same network, saved in every format that its framework writes, is the same to every reader.

Five networks (convolutions with a batch norm, dense layers, recurrent layers, attention, a U-Net) are made
in torch and in Keras with the same weights: both compute the same, which is the oracle. From then on all
pairs of forms have to agree in kinds, settings, shapes, counts and the weights in the common convention, and
the shapes are those of torch's own forward. What a form cannot hold is in `APART`, each with its reason; the
long run fails where a reason is needed no more.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from truth_judge import shaped
from truth_networks import FORMS, MORE_FORMS, NETWORKS, Network, write

KINDS = ("conv", "conv_transpose", "linear", "batch_norm", "layer_norm", "lstm", "gru", "attention")
SETTINGS = {
    "conv": ("kernel_size", "stride", "dilation", "groups", "in_channels", "out_channels"),
    "conv_transpose": ("kernel_size", "stride", "dilation", "groups", "in_channels", "out_channels"),
    "linear": ("in_features", "out_features"),
    "batch_norm": ("eps",),
    "layer_norm": ("eps",),
}

FOLDED = ("tflite", "tflite-half", "tflite-dynamic", "onnx-folded")
ALONE = (
    "keras-weights",
    "keras-shards",
    "module",
    "state-dict",
    "safetensors",
    "old-state-dict",
    "checkpoint",
)
KERAS = (
    "keras-live",
    "keras",
    "h5",
    "keras-weights",
    "keras-shards",
    "saved-model",
    "tflite",
    "tflite-half",
    "tflite-dynamic",
)
STATES = ("state-dict", "safetensors", "old-state-dict", "checkpoint")
LITE = ("tflite", "tflite-half", "tflite-dynamic")
ONNX = ("onnx", "onnx-14", "onnx-20", "onnx-folded")
ANY = tuple(NETWORKS)

# Which networks in which forms differ in which fact, or do not tell it ("no …"), and why.
APART: list[tuple[Sequence[str], Sequence[str], str, str]] = [
    (ANY, ALONE, "no shapes", "weights alone: no graph is stored"),
    (
        ANY,
        ("keras-weights", "keras-shards"),
        "no weights",
        "Keras numbers the weights of a layer and does not say its kind",
    ),
    (
        ("cnn", "mlp", "transformer", "unet"),
        STATES,
        "no weights",
        "a matrix may be a dense layer's or a table, a vector a bias or a scale",
    ),
    (
        ("transformer",),
        ("saved-model",),
        "no weights",
        "a scale that is multiplied is not proven to be a layer norm's",
    ),
    (("cnn",), FOLDED, "shapes", "the converter multiplies the batch norm into the kernel before it"),
    (("cnn",), FOLDED, "kinds", "the converter multiplies the batch norm into the kernel before it"),
    (("cnn",), FOLDED, "numbers", "the converter multiplies the batch norm into the kernel before it"),
    (("cnn",), FOLDED, "weights", "the converter multiplies the batch norm into the kernel before it"),
    (
        ("mlp", "transformer"),
        ("saved-model", *LITE),
        "kinds",
        "TensorFlow spells a layer norm and an attention as their arithmetic",
    ),
    (
        ("transformer",),
        ("saved-model",),
        "shapes",
        "TensorFlow spells a layer norm and an attention as their arithmetic",
    ),
    (
        ("transformer",),
        LITE,
        "shapes",
        "TensorFlow spells a layer norm and an attention as their arithmetic",
    ),
    (
        ("transformer",),
        LITE,
        "no weights",
        "a scale that is multiplied is not proven to be a layer norm's",
    ),
    (("mlp", "transformer"), ("tflite-half",), "settings", "an epsilon of 16 bits"),
    (("mlp",), ("tflite-half",), "weights", "numbers of 16 bits"),
    (
        ("mlp", "transformer"),
        ("onnx-14",),
        "kinds",
        "before opset 17 a layer norm is spelled as its arithmetic",
    ),
    (("mlp",), ("onnx-14",), "shapes", "before opset 17 a layer norm is spelled as its arithmetic"),
    (("mlp",), ("onnx-14",), "no weights", "before opset 17 a layer norm is spelled as its arithmetic"),
    (("unet",), ("tflite-half",), "weights", "numbers of 16 bits"),
    (("rnn",), KERAS, "numbers", "Keras has one bias a gate, torch the sum of two"),
    (
        ("rnn",),
        ("keras-live", "keras", "h5", "saved-model"),
        "weights",
        "Keras has one bias a gate, torch the sum of two",
    ),
    (("rnn",), ONNX, "shapes", "ONNX gives its recurrent layers an axis of directions"),
    (("rnn",), ("saved-model", *LITE), "kinds", "TensorFlow writes a recurrent layer as a loop"),
    (("rnn",), LITE, "no shapes", "TensorFlow writes a recurrent layer as a loop"),
    (("rnn",), LITE, "no weights", "TensorFlow writes a recurrent layer as a loop"),
    (
        ("transformer",),
        ("pt2", "pt2-batch", *ONNX),
        "kinds",
        "the export spells the attention as its matrix products",
    ),
    (
        ("transformer",),
        ("pt2", "pt2-batch", *ONNX),
        "shapes",
        "the export spells the attention as its matrix products",
    ),
    (
        ("transformer",),
        ("onnx-14",),
        "no weights",
        "before opset 17 a layer norm is spelled as its arithmetic",
    ),
    (
        ("transformer",),
        ("onnx", "onnx-20", "onnx-folded"),
        "weights",
        "the export keeps the three projections as one matrix of a dense layer",
    ),
    (
        ("transformer",),
        ("module", "torchscript", "scripted", *STATES),
        "kinds",
        "the projection behind the heads is a module of its own",
    ),
    (
        ("transformer",),
        ("torchscript", "scripted"),
        "no shapes",
        "the operator that fuses the attention is not followed",
    ),
]


@dataclass
class Facts:
    """What one report says of a network, free of a format's names and orders."""

    kinds: list[str]
    settings: list[dict[str, Any]]
    shapes: list[tuple[int | None, ...] | None]
    numbers: int
    weights: list[Any] = field(default_factory=list)
    bare: bool = False


def facts(network: Network, form: str, folder: Path) -> Facts:
    import shapeinspect

    source, given = write(network, form, folder)
    data = shapeinspect.inspect(source, given).to_dict()
    batch = network.feed.shape[0]
    sizes = {n: batch for value in data["inputs"] for n in value["shape"] or () if isinstance(n, str)}
    layers = [layer for layer in data["layers"] if layer["kind"] in KINDS]
    if all(layer["calls"] for layer in layers):
        layers.sort(key=lambda layer: layer["calls"][0]["index"])
    try:
        held = weights(source, folder / f"{network.name}-{form}-common.safetensors")
    except shapeinspect.ShapeInspectError:
        held = []
    return Facts(
        [layer["kind"] for layer in layers],
        [{key: layer["attributes"].get(key) for key in SETTINGS.get(layer["kind"], ())} for layer in layers],
        [_lengths(layer, sizes) for layer in layers],
        sum(
            w["count"]
            for layer in data["layers"]
            for w in layer["weights"]
            if w["native"]["shape"] and not w["tied_to"]
        ),
        held,
        bare=not any(layer["calls"] for layer in data["layers"]),
    )


def _lengths(layer: Mapping[str, Any], sizes: Mapping[str, int]) -> tuple[int, ...] | None:
    """The lengths of the first output, sorted: no two are equal, and their order is the framework's own."""
    got = shaped(layer["calls"][0]["outputs"][0]["shape"], sizes) if layer["calls"] else None
    return None if got is None or None in got else tuple(sorted(n for n in got if n is not None))


def weights(source: Any, path: Path) -> list[Any]:
    """All weights in the common convention, without their names; what only counts steps is left out."""
    from safetensors.numpy import load_file

    import shapeinspect

    shapeinspect.normalize(source, str(path))
    held = [array for array in load_file(path).values() if array.shape]
    return sorted(held, key=lambda a: (a.shape, a.ravel()[:2].tolist()))


def computed(network: Network) -> list[tuple[int, ...]]:
    """The shapes that torch's own layers give, in the order of their calls."""
    import torch

    told: list[tuple[int, ...]] = []

    def keep(_: Any, __: Any, out: Any) -> None:
        told.append(tuple(sorted((out[0] if isinstance(out, tuple) else out).shape)))

    hooks = [
        m.register_forward_hook(keep)
        for m in network.torch.children()
        if not isinstance(m, torch.nn.MaxPool2d)
    ]
    with torch.no_grad():
        network.torch(network.feed)
    for hook in hooks:
        hook.remove()
    return told


def alone(told: Facts, network: Network) -> dict[str, str]:
    """What one form does not tell, or tells otherwise than torch computes."""
    missing = {}
    if None in told.shapes or not told.shapes:
        missing["no shapes"] = str(told.shapes)
    elif told.shapes != computed(network):
        missing["shapes"] = f"{told.shapes}, torch computes {computed(network)}"
    if not told.weights:
        missing["no weights"] = "none in the common convention"
    return missing


def differ(a: Facts, b: Facts) -> dict[str, str]:
    """Each fact in which two forms differ; what one of them does not know is no difference."""
    told = {}
    few, many = sorted((Counter(a.kinds), Counter(b.kinds)), key=lambda c: c.total())
    if few - many or (few != many and not a.bare and not b.bare):  # weights alone prove fewer kinds
        told["kinds"] = f"{a.kinds} != {b.kinds}"
    elif a.kinds == b.kinds:  # weights alone stand in no order
        for kind, x, y in zip(a.kinds, a.settings, b.settings, strict=True):
            for key in x:
                if x[key] is not None and y[key] is not None and not np.allclose(x[key], y[key]):
                    told["settings"] = f"{kind}.{key}: {x[key]} != {y[key]}"
    if a.numbers != b.numbers:
        told["numbers"] = f"{a.numbers} != {b.numbers}"
    if a.weights and b.weights:
        shapes = [[w.shape for w in each.weights] for each in (a, b)]
        if shapes[0] != shapes[1]:
            told["weights"] = f"{shapes[0]} != {shapes[1]}"
        elif not all(np.allclose(x, y, atol=1e-6) for x, y in zip(a.weights, b.weights, strict=True)):
            told["weights"] = "other values"
    return told


def compared(
    network: Network, forms: Sequence[str], folder: Path
) -> tuple[dict[str, Any], set[tuple[str, str]]]:
    """All differences of all pairs that have no reason, and the reasons that were needed."""
    told = {form: facts(network, form, folder) for form in forms}
    apart: dict[str, Any] = {}
    used: set[tuple[str, str]] = set()

    def keep(label: str, found: dict[str, str], *parties: str) -> None:
        for fact, text in found.items():
            known = {(form, fact) for form in parties if reason(network.name, form, fact)}
            used.update(known)
            if not known:
                apart.setdefault(label, {})[fact] = text

    for form in forms:
        keep(form, alone(told[form], network), form)
    for a, b in itertools.combinations(forms, 2):
        keep(f"{a} / {b}", differ(told[a], told[b]), a, b)
    return apart, used


def reason(name: str, form: str, fact: str) -> str:
    return next(
        (why for names, forms, what, why in APART if name in names and form in forms and fact == what), ""
    )


def needless(name: str, forms: Sequence[str], used: set[tuple[str, str]]) -> list[tuple[str, str]]:
    listed = {(form, fact) for names, fs, fact, _ in APART if name in names for form in fs if form in forms}
    return sorted(listed - used)


def test_torch_and_keras_compute_the_same() -> None:
    for build in NETWORKS.values():
        network = build()
        expected = network.torch(network.feed).detach().numpy()
        got = np.asarray(network.keras(network.to_keras(network.feed.numpy())))
        np.testing.assert_allclose(
            got if got.shape == expected.shape else np.moveaxis(got, -1, 1), expected, atol=1e-5
        )


@pytest.mark.parametrize("name", NETWORKS)
def test_all_pairs_of_forms_tell_the_same(name: str, tmp_path: Path) -> None:
    apart, _ = compared(NETWORKS[name](), FORMS, tmp_path)
    assert not apart, json.dumps(apart, indent=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_all_pairs_of_more_forms_tell_the_same(name: str, tmp_path: Path) -> None:
    forms = (*FORMS, *MORE_FORMS)
    apart, used = compared(NETWORKS[name](), forms, tmp_path)
    assert not apart, json.dumps(apart, indent=1)
    assert not needless(name, forms, used)
