"""Every setting of every public layer is read into the vocabulary, or listed as one that changes nothing."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shapeinspect.rules.registry import unregistered
from shapeinspect_keras.vocabulary.kinds import describe

DRAWS = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("draws.py"))))

#: Settings that change neither the numbers of an inference nor a shape, whatever the layer.
NEUTRAL = {
    "names": {"name", "trainable"},
    "every weight has its own dtype": {"dtype", "quantization_config", "reverse_dtype"},
    "random numbers in training": {"seed", "dropout", "recurrent_dropout", "noise_shape"},
    "the loss": {"l1", "l2"},
    "how it is run": {"unroll", "synchronized"},
    "the first numbers of a weight": {"unit_forget_bias"},
    "whether there is a weight, which is listed": {
        *("use_bias", "bias_axes", "center", "scale", "renorm", "use_scale", "tie_weights"),
    },
    "statistics in training": {"renorm_clipping", "renorm_momentum"},
}
NEUTRAL_SUFFIXES = ("_initializer", "_regularizer", "_constraint")

#: Settings that are neutral for one layer, and why.
OF_ONE_LAYER = {
    ("EinsumDense", "output_shape"): "the equation and the kernel give it",
    ("Discretization", "num_bins"): "the boundaries are what is left of it",
    ("Discretization", "epsilon"): "how exactly boundaries are looked for",
    ("IntegerLookup", "vocabulary_dtype"): "the dtype of the tokens",
    ("IntegerLookup", "max_tokens"): "the vocabulary is no longer than that",
    ("IntegerLookup", "vocabulary_size"): "the length of the vocabulary; a code is as long",
    ("StringLookup", "max_tokens"): "the vocabulary is no longer than that",
    ("StringLookup", "vocabulary_size"): "the length of the vocabulary; a code is as long",
    ("TextVectorization", "max_tokens"): "the vocabulary is no longer than that",
    ("TextVectorization", "vocabulary_size"): "the length of the vocabulary; a code is as long",
    ("AutoContrast", "data_format"): "every channel by itself",
    ("ContrastLimitedAdaptiveHistogramEqualization", "data_format"): "every channel by itself",
    ("Lambda", "function"): "code, which is not run",
    ("Lambda", "arguments"): "what the code is given",
    ("Bidirectional", "layer"): "described as the layer itself",
    ("Bidirectional", "backward_layer"): "its weights are listed",
    ("SpectralNormalization", "layer"): "described as the layer itself",
    ("SpectralNormalization", "power_iterations"): "in training",
    ("TimeDistributed", "layer"): "a layer of its own",
    ("RNN", "cell"): "described as the layer itself",
    ("SpatialDropout2D", "data_format"): "random numbers in training",
    ("SpatialDropout3D", "data_format"): "random numbers in training",
    ("Resizing", "fill_mode"): "read where the image is filled",
    ("Resizing", "fill_value"): "read where the image is filled",
}
#: Layers that change images in training alone.
IN_TRAINING = frozenset({"AugMix", "CutMix", "Equalization", "MixUp", "RandAugment", "Solarization"})


def others(value: Any) -> Iterator[Any]:
    """Yield values that a setting could have in place of the one it has."""
    match value:
        case bool():
            yield not value
        case int() | float():
            yield from (value + 1, value + 2)
        case str():
            yield from ("channels_first", "same", "other")
        case None:
            yield from (2, "other", True, [1])
        case list() | tuple():
            yield [*value[:-1], 17]
            yield [item + 1 if isinstance(item, int | float) else "z" for item in value]
            yield 17


def described(layer: str, config: Mapping[str, Any]) -> Any:
    try:
        return describe(layer, config, "keras.layers")
    except Exception as error:  # noqa: BLE001  # a value that cannot be read was read
        return type(error).__name__


def neutral(layer: str, key: str) -> bool:
    listed = any(key in keys for keys in NEUTRAL.values()) and (layer, key) != ("Rescaling", "scale")
    training = layer in IN_TRAINING or re.fullmatch(r"Random(?!Crop).*", layer) is not None
    return listed or key.endswith(NEUTRAL_SUFFIXES) or training or bool(OF_ONE_LAYER.get((layer, key)))


@pytest.mark.parametrize("name", DRAWS.SPECS)
def test_every_setting_is_read(name: str) -> None:
    layer = DRAWS.make_layer(DRAWS.Case(name, {}, {}, "functional", "", tail=False, way="live"))
    native, config = type(layer).__name__, layer.get_config()
    plain = described(native, config)
    kind, attributes = plain
    assert not unregistered(kind, frozenset(attributes))
    unread = [
        key
        for key, value in config.items()
        if not neutral(native, key)
        and all(described(native, {**config, key: other}) == plain for other in others(value))
    ]
    assert not unread, f"{native}: {', '.join(unread)} of its settings are neither read nor listed as neutral"
