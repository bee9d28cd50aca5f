"""Keras layers with options drawn from their signatures, each in a model of one of three forms.

No two axes of a tensor have one length, so that an axis that is mistaken for another shows.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
from hypothesis import strategies as st
from keras import layers as K

Shape = tuple[int | None, ...]
FORMS = ("functional", "sequential", "subclassed")
WAYS = ("live", ".keras", ".h5")
BOTH = (True, False)

#: What an option may be, whatever the layer; one of a signature that is not here stays at its default.
OPTIONS: dict[str, Sequence[Any]] = {
    "use_bias": BOTH,
    "bias_axes": ("e", "de", None),
    "activation": (None, "relu", "tanh", "softmax"),
    "recurrent_activation": ("sigmoid", "hard_sigmoid"),
    "data_format": (None, "channels_last", "channels_first"),
    "padding": ("valid", "same"),
    "strides": (1, 2, 3),
    "dilation_rate": (1, 2),
    "groups": (1, 2, 4),
    "depth_multiplier": (1, 2, 3),
    "output_padding": (None, 0, 1),
    "pool_size": (1, 2, 3),
    "keepdims": BOTH,
    "return_sequences": BOTH,
    "return_state": BOTH,
    "go_backwards": BOTH,
    "unroll": BOTH,
    "reset_after": BOTH,
    "unit_forget_bias": BOTH,
    "merge_mode": ("concat", "sum", "mul", "ave", None),
    "epsilon": (1e-5, 0.1),
    "momentum": (0.5, 0.9),
    "center": BOTH,
    "scale": BOTH,
    "renorm": BOTH,
    "rms_scaling": BOTH,
    "use_scale": BOTH,
    "score_mode": ("dot", "concat"),
    "value_dim": (None, 7),
    "output_shape": (None, 13),
    "use_gate": BOTH,
    "use_qk_norm": BOTH,
    "tie_weights": BOTH,
    "max_value": (None, 6.0),
    "negative_slope": (0.0, 0.2),
    "threshold": (0.0, 0.5),
    "alpha": (0.5, 1.0),
    "shared_axes": (None, [1]),
    "normalize": BOTH,
    "interpolation": ("nearest", "bilinear"),
    "crop_to_aspect_ratio": BOTH,
    "pad_to_aspect_ratio": BOTH,
    "output_mode": ("int", "multi_hot", "one_hot", "count"),
    "sparse": (False,),
    "num_oov_indices": (1, 2),
    "mode": ("log", "magnitude", "psd", "real", "imag", "angle", "stft"),
    "expand_dims": BOTH,
    "center_frames": BOTH,
    "seed": (3,),
    "return_attention_scores": BOTH,
    "mask_zero": BOTH,
    "invert": (False,),
    "pad_to_max_tokens": BOTH,
    "split": (None, "whitespace"),
    "ngrams": (None, 2),
}


@dataclass(frozen=True)
class Spec:
    """How a layer is made and called.

    Args:
        fixed: its required settings.
        shapes: the shape of each input, without the batch.
        options: what an option may be for this layer, in place of :data:`OPTIONS`.
        call: what may be given to the call: an argument's name to the values it may have.
        listed: whether several inputs are given as one list.
        dtype: the dtype of its inputs.
        made: makes the layer, in place of its class.
        moves: whether ``data_format`` moves the channels of the input.
    """

    fixed: Mapping[str, Any] = field(default_factory=dict)
    shapes: Sequence[Shape] = ((11, 4),)
    options: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    call: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    listed: bool = True
    dtype: str = "float32"
    made: Callable[..., Any] | None = None
    moves: bool = True


LINE, FLAT, CUBE = (11, 4), (9, 11, 4), (7, 9, 11, 4)
IMAGE = (9, 11, 3)
_FIXED = ("channels_last",)


def _ranks(
    name: str, fixed: Mapping[str, Any], ranks: Sequence[int] = (1, 2, 3), **more: Any
) -> dict[str, Spec]:
    shapes = {1: LINE, 2: FLAT, 3: CUBE}
    return {name.replace("{k}", str(rank)): Spec(fixed, (shapes[rank],), **more) for rank in ranks}


_POOLS: dict[str, Sequence[Any]] = {"strides": (None, 1, 2)}
_MERGED = {"axis": (-1, 1)}
_AXES = {"axis": (-1, 1)}
_SCORES = {"return_attention_scores": BOTH}
_AUGMENT = {"data_format": _FIXED}

#: Each public layer by the name of its class; a second word tells variants apart.
SPECS: dict[str, Spec] = {
    "Activation": Spec(
        {"activation": "gelu"}, options={"activation": ("softmax", "relu6", "leaky_relu", "linear")}
    ),
    "ActivityRegularization": Spec({"l1": 0.1}),
    **_ranks("AdaptiveAveragePooling{k}D", {"output_size": 2}, options={"output_size": (1, 2, 3)}),
    **_ranks("AdaptiveMaxPooling{k}D", {"output_size": 2}, options={"output_size": (1, 2, 3)}),
    "Add": Spec(shapes=(LINE, LINE)),
    "AdditiveAttention": Spec(shapes=((5, 8), (7, 8), (7, 8)), call=_SCORES),
    "AlphaDropout": Spec({"rate": 0.2}),
    "Attention": Spec(shapes=((5, 8), (7, 8), (7, 8)), call=_SCORES),
    "AugMix": Spec(shapes=(IMAGE,), options=_AUGMENT),
    "AutoContrast": Spec(shapes=(IMAGE,), options=_AUGMENT),
    "Average": Spec(shapes=(LINE, LINE)),
    **_ranks("AveragePooling{k}D", {"pool_size": 2}, options={**_POOLS, "pool_size": (1, 2, 3)}),
    "BatchNormalization": Spec(shapes=(FLAT,), options={"axis": (-1, 1, 2)}),
    "Bidirectional LSTM": Spec(
        made=lambda **o: _both(K.LSTM, **o), options={"return_sequences": BOTH, "return_state": BOTH}
    ),
    "Bidirectional GRU": Spec(
        made=lambda **o: _both(K.GRU, **o), options={"return_sequences": BOTH, "return_state": BOTH}
    ),
    "Bidirectional SimpleRNN": Spec(
        made=lambda **o: _both(K.SimpleRNN, **o), options={"return_sequences": BOTH, "go_backwards": BOTH}
    ),
    "Bidirectional ConvLSTM1D": Spec(
        shapes=((5, 9, 4),),
        made=lambda **o: _both(K.ConvLSTM1D, **o, filters=6, kernel_size=3),
        options={"return_sequences": BOTH},
    ),
    "Bidirectional ConvLSTM2D": Spec(
        shapes=((5, 9, 8, 4),),
        made=lambda **o: _both(K.ConvLSTM2D, **o, filters=6, kernel_size=3),
        options={"return_sequences": BOTH, "padding": ("valid", "same")},
    ),
    "CategoryEncoding": Spec(
        {"num_tokens": 13}, ((7,),), {"output_mode": ("multi_hot", "one_hot", "count")}, dtype="int32"
    ),
    "CenterCrop": Spec({"height": 5, "width": 7}, (IMAGE,)),
    "Concatenate": Spec(shapes=(LINE, LINE), options=_MERGED),
    "ContrastLimitedAdaptiveHistogramEqualization": Spec(
        {"tile_grid_size": (2, 3)}, ((16, 24, 3),), _AUGMENT
    ),
    "Conv1D": Spec({"filters": 8, "kernel_size": 3}, (LINE,), {"padding": ("valid", "same", "causal")}),
    **_ranks("Conv{k}D", {"filters": 8, "kernel_size": 3}, (2, 3)),
    **_ranks("Conv{k}DTranspose", {"filters": 8, "kernel_size": 3}),
    **_ranks("DepthwiseConv{k}D", {"kernel_size": 3}, (1, 2)),
    **_ranks("SeparableConv{k}D", {"filters": 7, "kernel_size": 3}, (1, 2)),
    "ConvLSTM1D": Spec({"filters": 6, "kernel_size": 3}, ((5, 9, 4),)),
    "ConvLSTM2D": Spec({"filters": 6, "kernel_size": 3}, ((5, 9, 8, 4),)),
    "ConvLSTM3D": Spec({"filters": 6, "kernel_size": 3}, ((5, 9, 8, 7, 4),)),
    "Cropping1D": Spec({"cropping": (2, 3)}, (LINE,), {"cropping": ((1, 2), 3)}),
    "Cropping2D": Spec({"cropping": ((1, 2), (3, 1))}, (FLAT,), {"cropping": (2, (1, 3))}),
    "Cropping3D": Spec({"cropping": ((1, 2), (3, 1), (2, 4))}, (CUBE,), {"cropping": (2, (1, 3, 2))}),
    "CutMix": Spec(shapes=(IMAGE,), options=_AUGMENT),
    "Dense": Spec({"units": 5}),
    "Discretization": Spec({"bin_boundaries": [0.5, 1.5]}, ((7,),)),
    "Dot": Spec({"axes": (1, 2)}, ((5, 4), (7, 5))),
    "Dropout": Spec({"rate": 0.3}, options={"noise_shape": (None, (None, 1, 4))}),
    "ELU": Spec(),
    "EinsumDense": Spec(
        {"equation": "abc,cde->abde", "output_shape": (None, 3, 5)}, options={"output_shape": ((None, 3, 5),)}
    ),
    "Embedding": Spec({"input_dim": 13, "output_dim": 5}, ((7,),), dtype="int32"),
    "Equalization": Spec(shapes=(IMAGE,), options=_AUGMENT),
    "Flatten": Spec(shapes=(FLAT,), moves=False),
    "GRU": Spec({"units": 5}),
    "GRUCell": Spec({"units": 5}, ((4,), (5,)), listed=False),
    "GaussianDropout": Spec({"rate": 0.2}),
    "GaussianNoise": Spec({"stddev": 0.2}),
    **_ranks("GlobalAveragePooling{k}D", {}),
    **_ranks("GlobalMaxPooling{k}D", {}),
    "GroupNormalization": Spec(shapes=(FLAT,), options={"groups": (1, 2, 4, -1)}),
    "GroupQueryAttention": Spec(
        {"head_dim": 3, "num_query_heads": 6, "num_key_value_heads": 2},
        ((5, 8), (7, 8)),
        {"use_gate": BOTH},
        _SCORES,
        False,
    ),
    "HashedCrossing": Spec({"num_bins": 13}, ((), ()), {"output_mode": ("int", "one_hot")}, dtype="int32"),
    "Hashing": Spec({"num_bins": 13}, ((7,),), dtype="int32"),
    "Identity": Spec(),
    "IntegerLookup": Spec(
        {"vocabulary": [3, 5, 8]},
        ((7,),),
        {"output_mode": ("int", "multi_hot", "count"), "max_tokens": (None, 9)},
        dtype="int64",
    ),
    "LSTM": Spec({"units": 5}),
    "LSTMCell": Spec({"units": 5}, ((4,), (5,), (5,)), listed=False),
    "Lambda": Spec(made=lambda **_: K.Lambda(lambda x: x * 2, output_shape=LINE)),
    "LayerNormalization": Spec(options={"axis": (-1, 1, [1, 2])}),
    "LeakyReLU": Spec(),
    "Masking": Spec(),
    **_ranks("MaxPooling{k}D", {}, options=_POOLS),
    "Maximum": Spec(shapes=(LINE, LINE)),
    "MelSpectrogram": Spec(
        {"fft_length": 64, "sequence_stride": 32, "num_mel_bins": 20}, ((640,),), {"mode": ()}
    ),
    "Minimum": Spec(shapes=(LINE, LINE)),
    "MixUp": Spec(shapes=(IMAGE,), options=_AUGMENT),
    "MultiHeadAttention": Spec(
        {"num_heads": 3, "key_dim": 6},
        ((5, 8), (7, 10), (7, 12)),
        {"attention_axes": (None, 1)},
        _SCORES,
        False,
    ),
    "MultiHeadAttention space": Spec(
        {"num_heads": 3, "key_dim": 6},
        ((5, 6, 8), (5, 6, 8)),
        {"attention_axes": (None, (1, 2), 2)},
        _SCORES,
        False,
    ),
    "Multiply": Spec(shapes=(LINE, (1, 4))),
    "Normalization": Spec(options={"axis": (-1, 1, None), "mean": ()}),
    "PReLU": Spec(options={"shared_axes": (None, [1], [1, 2])}),
    "Permute": Spec({"dims": (3, 1, 2)}, (FLAT,)),
    "RMSNormalization": Spec(),
    "RNN": Spec(made=lambda **o: K.RNN(K.GRUCell(5), **o)),
    "RNN LSTMCell": Spec(made=lambda **o: K.RNN(K.LSTMCell(5), **o)),
    "RNN stacked": Spec(made=lambda **o: K.RNN([K.LSTMCell(5), K.LSTMCell(5)], **o)),
    "RNN sizes": Spec(made=lambda **o: K.RNN([K.LSTMCell(5), K.LSTMCell(3)], **o)),
    "RNN mixed": Spec(made=lambda **o: K.RNN(K.StackedRNNCells([K.GRUCell(5), K.SimpleRNNCell(3)]), **o)),
    "RandAugment": Spec(shapes=(IMAGE,), options=_AUGMENT),
    "RandomBrightness": Spec({"factor": 0.2}, (IMAGE,)),
    "RandomColorDegeneration": Spec({"factor": 0.2}, (IMAGE,), _AUGMENT),
    "RandomColorJitter": Spec({"brightness_factor": 0.2}, (IMAGE,), _AUGMENT),
    "RandomContrast": Spec({"factor": 0.2}, (IMAGE,)),
    "RandomCrop": Spec({"height": 5, "width": 7}, (IMAGE,)),
    "RandomElasticTransform": Spec(shapes=(IMAGE,), options=_AUGMENT),
    "RandomErasing": Spec(shapes=(IMAGE,), options=_AUGMENT),
    "RandomFlip": Spec(shapes=(IMAGE,), options=_AUGMENT),
    "RandomGaussianBlur": Spec(shapes=(IMAGE,), options=_AUGMENT),
    "RandomGrayscale": Spec(shapes=(IMAGE,), options=_AUGMENT),
    "RandomHue": Spec({"factor": 0.2}, (IMAGE,), _AUGMENT),
    "RandomInvert": Spec(shapes=(IMAGE,), options=_AUGMENT),
    "RandomPerspective": Spec(shapes=(IMAGE,), options=_AUGMENT),
    "RandomPosterization": Spec({"factor": 4}, (IMAGE,), _AUGMENT),
    "RandomRotation": Spec({"factor": 0.2}, (IMAGE,), _AUGMENT),
    "RandomSaturation": Spec({"factor": 0.2}, (IMAGE,), _AUGMENT),
    "RandomSharpness": Spec({"factor": 0.2}, (IMAGE,), _AUGMENT),
    "RandomShear": Spec({"x_factor": 0.2}, (IMAGE,), _AUGMENT),
    "RandomTranslation": Spec({"height_factor": 0.2, "width_factor": 0.1}, (IMAGE,), _AUGMENT),
    "RandomZoom": Spec({"height_factor": 0.2}, (IMAGE,), _AUGMENT),
    "ReLU": Spec(),
    "RepeatVector": Spec({"n": 3}, ((4,),)),
    "Rescaling": Spec({"scale": 0.5}, (IMAGE,), {"scale": ()}),
    "Reshape": Spec({"target_shape": (6, -1)}, (FLAT,)),
    "Resizing": Spec({"height": 5, "width": 7}, (IMAGE,)),
    "ReversibleEmbedding": Spec({"input_dim": 13, "output_dim": 5}, ((7,),), dtype="int32"),
    "STFTSpectrogram": Spec(
        {"frame_length": 64, "frame_step": 32, "fft_length": 128, "window": None},
        ((640, 2),),
        {"scaling": ("density", "spectrum")},
    ),
    "SimpleRNN": Spec({"units": 5}),
    "SimpleRNNCell": Spec({"units": 5}, ((4,), (5,)), listed=False),
    "Softmax": Spec(options=_AXES),
    "Solarization": Spec(shapes=(IMAGE,), options=_AUGMENT),
    "SpatialDropout1D": Spec({"rate": 0.2}),
    "SpatialDropout2D": Spec({"rate": 0.2}, (FLAT,)),
    "SpatialDropout3D": Spec({"rate": 0.2}, (CUBE,)),
    "SpectralNormalization": Spec(
        shapes=(FLAT,), made=lambda **o: K.SpectralNormalization(K.Conv2D(6, (2, 3)), **o)
    ),
    "SpectralNormalization dense": Spec(made=lambda **o: K.SpectralNormalization(K.Dense(6), **o)),
    "StringLookup": Spec(
        {"vocabulary": ["a", "b", "c"]},
        ((7,),),
        {"output_mode": ("int", "multi_hot", "count"), "max_tokens": (None, 9)},
        dtype="string",
    ),
    "Subtract": Spec(shapes=(LINE, LINE)),
    "TextVectorization": Spec(
        {"vocabulary": ["a", "b"]},
        ((1,),),
        {
            "output_mode": ("int", "multi_hot", "count"),
            "output_sequence_length": (None, 7),
            "max_tokens": (None, 9),
        },
        dtype="string",
    ),
    "TimeDistributed": Spec(
        shapes=((5, 9, 11, 4),), made=lambda **o: K.TimeDistributed(K.Conv2D(6, (2, 3)), **o)
    ),
    "TimeDistributed dense": Spec(made=lambda **o: K.TimeDistributed(K.Dense(6), **o)),
    "TimeDistributed pool": Spec(
        shapes=((5, 9, 11, 4),), made=lambda **o: K.TimeDistributed(K.MaxPooling2D((2, 3)), **o)
    ),
    "TimeDistributed flatten": Spec(
        shapes=((5, 9, 11, 4),), made=lambda **o: K.TimeDistributed(K.Flatten(), **o)
    ),
    "TimeDistributed lstm": Spec(shapes=((5, 9, 4),), made=lambda **o: K.TimeDistributed(K.LSTM(6), **o)),
    "TimeDistributed norm": Spec(
        shapes=((5, 9, 4),), made=lambda **o: K.TimeDistributed(K.LayerNormalization(), **o)
    ),
    "UnitNormalization": Spec(options=_AXES),
    "UpSampling1D": Spec({"size": 3}),
    "UpSampling2D": Spec({"size": (2, 3)}, (FLAT,)),
    "UpSampling3D": Spec({"size": (2, 3, 4)}, (CUBE,)),
    "ZeroPadding1D": Spec({"padding": (2, 3)}, options={"padding": (1, (2, 3))}),
    "ZeroPadding2D": Spec({"padding": ((1, 2), (3, 4))}, (FLAT,), {"padding": (1, (2, 3))}),
    "ZeroPadding3D": Spec({"padding": ((1, 2), (3, 4), (5, 6))}, (CUBE,), {"padding": (1, (2, 3, 1))}),
}


def _both(cls: Any, merge_mode: str | None = "concat", **options: Any) -> Any:
    options = options if "filters" in options else {"units": 5, **options}
    return K.Bidirectional(cls(**options), merge_mode=merge_mode)


@dataclass(frozen=True)
class Case:
    """One drawn layer and the model around it.

    Args:
        name: a key of :data:`SPECS`.
        options: the drawn settings.
        call: the drawn arguments of the call.
        form: one of :data:`FORMS`.
        mask: ``""``, or what makes a mask before it: ``Embedding`` or ``Masking``.
        tail: whether a layer reads each output, so that a file records its shape.
        way: one of :data:`WAYS`.
    """

    name: str
    options: Mapping[str, Any]
    call: Mapping[str, Any]
    form: str
    mask: str
    tail: bool
    way: str


def layer_class(name: str) -> Any:
    """Return the class that a case is about."""
    return getattr(K, name.split(maxsplit=1)[0])


def parameters(name: str) -> dict[str, Sequence[Any]]:
    """Return the options of a layer: those in its signature and those of its own row."""
    spec, named = SPECS[name], inspect.signature(layer_class(name).__init__).parameters
    found = {key: values for key, values in OPTIONS.items() if key in named and key not in spec.fixed}
    found = {} if spec.made else found
    if name.startswith("RNN"):
        found = {key: OPTIONS[key] for key in ("return_sequences", "return_state", "go_backwards", "unroll")}
    if name.startswith(("LSTM", "GRU", "SimpleRNN")) and not name.endswith("Cell"):
        found |= {key: OPTIONS[key] for key in ("return_sequences", "return_state", "go_backwards", "unroll")}
    found |= spec.options
    return {key: values for key, values in found.items() if values}


def _maskable(name: str) -> bool:
    spec = SPECS[name]
    return (
        spec.dtype == "float32" and spec.listed and len(spec.shapes) == 1 and len(spec.shapes[0]) == 2
    ) or (
        name
        in (
            "MultiHeadAttention",
            "GroupQueryAttention",
            "Attention",
            "AdditiveAttention",
            "Add",
            "Concatenate",
        )
    )


@st.composite
def cases(draw: Any, name: str, forms: Sequence[str] = FORMS) -> Case:
    """Draw a case of one layer.

    Args:
        draw: Hypothesis's own.
        name: a key of :data:`SPECS`.
        forms: the forms that its model may have.
    """
    spec = SPECS[name]
    options = {key: draw(st.sampled_from([_DEFAULT, *values])) for key, values in parameters(name).items()}
    options = {key: value for key, value in options.items() if value is not _DEFAULT}
    call = {key: draw(st.sampled_from(list(values))) for key, values in spec.call.items()}
    alone = len(spec.shapes) == 1 and not spec.call
    form = draw(st.sampled_from([item for item in forms if alone or item != "sequential"]))
    masks = ("", "Embedding", "Masking") if _maskable(name) else ("",)
    way = draw(st.sampled_from(WAYS))
    return Case(name, options, call, form, draw(st.sampled_from(masks)), draw(st.booleans()), way)


#: Stands for an option that is not given.
_DEFAULT = object()


@dataclass(frozen=True)
class Made:
    """A model that Keras runs.

    Args:
        model: the model.
        layer: the layer that the case is about.
        outputs: its output shapes, as Keras has them.
        inputs: the inputs of a graph with one call of the layer, whatever the form of the model.
    """

    model: Any
    layer: Any
    outputs: tuple[Shape, ...]
    inputs: Sequence[Any] = ()


def make(case: Case) -> Made | None:
    """Build the model of a case, or return None where Keras refuses the settings."""
    return _unless_refused(lambda: _make(case))


def attempt(case: Case) -> Piece | None:
    """Build the graph of a case, or return None where Keras refuses the settings."""
    return _unless_refused(lambda: piece(case))


def _unless_refused(build: Callable[[], Any]) -> Any:
    try:
        return build()
    except Exception as error:  # Keras refuses settings in many words
        if isinstance(error, _REFUSALS) or type(error).__module__.startswith("tensorflow"):
            return None
        raise


_REFUSALS = (ValueError, TypeError, NotImplementedError, RuntimeError, AttributeError, KeyError, IndexError)


def make_layer(case: Case) -> Any:
    """Make the layer of a case."""
    spec = SPECS[case.name]
    return (spec.made or layer_class(case.name))(**{**spec.fixed, **case.options})


def _shapes(case: Case) -> list[Shape]:
    spec = SPECS[case.name]
    first = case.options.get("data_format") == "channels_first" and spec.moves
    keep = 1 if "ConvLSTM" in case.name else 0
    return [
        (*shape[:keep], shape[-1], *shape[keep:-1]) if first and shape else shape for shape in spec.shapes
    ]


class Subclassed(keras.Model):
    """A model whose calls are code."""

    def __init__(
        self, layer: Any, before: Sequence[Any], call: Mapping[str, Any], listed: bool, after: Any
    ) -> None:
        super().__init__()
        self.it, self.before, self.listed, self.after = layer, list(before), listed, after
        self.given = dict(call)

    def get_config(self) -> dict[str, Any]:
        return {}

    def call(self, inputs: Any) -> Any:
        inputs = tuple(inputs) if isinstance(inputs, list | tuple) else (inputs,)
        if self.before:
            inputs = tuple(layer(x) for layer, x in zip(self.before, inputs, strict=True))
        return _finished(called(self.it, inputs, self.given, self.listed), self.after)


def called(layer: Any, inputs: Sequence[Any], call: Mapping[str, Any], listed: bool) -> Any:
    """Call a layer on its inputs: one by one, or as a list."""
    if isinstance(layer, K.LSTMCell):
        return layer(inputs[0], list(inputs[1:]))
    if listed:
        return layer(list(inputs) if len(inputs) > 1 else inputs[0], **call)
    return layer(*inputs, **call)


def _finished(outputs: Any, after: Any) -> Any:
    return outputs if after is None else [after(item) for item in keras.tree.flatten(outputs)]


@dataclass(frozen=True)
class Piece:
    """The graph of one case.

    Args:
        layer: the layer that the case is about.
        inputs: the inputs of the graph.
        before: the layers that make the masks, one for each input.
        outputs: what the layer returns.
        ends: what the graph returns.
    """

    layer: Any
    inputs: Sequence[Any]
    before: Sequence[Any]
    outputs: Sequence[Any]
    ends: Sequence[Any]


def piece(case: Case, label: str = "") -> Piece:
    """Build the graph of a functional case.

    Args:
        case: the case.
        label: what its layer that reads the outputs is called after.
    """
    spec = SPECS[case.name]
    layer, shapes = make_layer(case), _shapes(case)
    before: list[Any] = []
    dtype = spec.dtype
    if case.mask == "Embedding":
        before = [K.Embedding(13, shape[-1] or 1, mask_zero=True) for shape in shapes]
        shapes, dtype = [shape[:-1] for shape in shapes], "int32"
    elif case.mask:
        before = [K.Masking() for _ in shapes]
    inputs = [keras.Input(shape, dtype=dtype) for shape in shapes]
    fed = [item(x) for item, x in zip(before, inputs, strict=True)] if before else inputs
    outputs = keras.tree.flatten(called(layer, fed, case.call, spec.listed))
    ends = [K.Identity()(item) for item in outputs] if case.tail else outputs
    return Piece(layer, inputs, before, outputs, ends)


def _make(case: Case) -> Made:
    graph, spec = piece(case), SPECS[case.name]
    shapes = tuple(tuple(item.shape) for item in graph.outputs)
    if case.form == "functional":
        return Made(keras.Model(graph.inputs, graph.ends), graph.layer, shapes, graph.inputs)
    after = K.Identity(name="tail") if case.tail else None
    if case.form == "sequential":
        layers = [graph.inputs[0], *graph.before, graph.layer, *([after] if after is not None else [])]
        return Made(keras.Sequential(layers), graph.layer, shapes, graph.inputs)
    model = Subclassed(graph.layer, graph.before, case.call, spec.listed, after)
    inputs = [keras.KerasTensor(item.shape, dtype=item.dtype) for item in graph.inputs]
    model(inputs[0] if len(inputs) == 1 else inputs)
    return Made(model, graph.layer, shapes, graph.inputs)
