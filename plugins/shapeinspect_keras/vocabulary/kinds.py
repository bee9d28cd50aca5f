"""Keras layers in the common vocabulary: class name and settings to kind and attributes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shapeinspect.dims import Shape
from shapeinspect.frozen import Frozen
from shapeinspect.rules.kinds.recurrent import GATES
from shapeinspect_keras.vocabulary import attributes as read
from shapeinspect_keras.vocabulary.attributes import Reader
from shapeinspect_keras.vocabulary.old_names import modern, nested
from shapeinspect_keras.vocabulary.operations import OPERATIONS
from shapeinspect_keras.vocabulary.parts import is_folded
from shapeinspect_keras.vocabulary.sizes import READERS

#: Classes whose kind is unknown on purpose, and why.
UNKNOWN_ON_PURPOSE: dict[str, str] = {
    "Layer": "the base class does not define what a subclass does",
    "FlaxLayer": "it runs a module of another framework",
    "JaxLayer": "it runs a function of another framework",
    "TFSMLayer": "it runs a SavedModel",
    "TorchModuleWrapper": "it runs a module of another framework",
    "MaxNumBoundingBoxes": "it works on dictionaries of bounding boxes",
}


def _ranks(
    name: str, kind: str, reader: Reader, ranks: Sequence[int] = (1, 2, 3)
) -> dict[str, tuple[str, Reader, int]]:
    return {f"{name}{rank}D": (kind, reader, rank) for rank in ranks}


def _all(names: str, kind: str, reader: Reader = read.nothing) -> dict[str, tuple[str, Reader, int]]:
    return dict.fromkeys(names.split(), (kind, reader, 0))


#: Every class of ``keras.layers`` (and those that earlier versions had): kind, reader, spatial axes.
_LAYERS: dict[str, tuple[str, Reader, int]] = {
    "InputLayer": ("input", read.nothing, 0),
    **_all("Functional Sequential Wrapper Pipeline StackedRNNCells TimeDistributed", "module"),
    **_ranks("Conv", "conv", read.conv),
    **_ranks("DepthwiseConv", "conv", read.depthwise, (1, 2)),
    **_ranks("SeparableConv", "separable_conv", read.separable, (1, 2)),
    **_ranks("LocallyConnected", "local_conv", read.conv, (1, 2)),
    **{f"Conv{rank}DTranspose": ("conv_transpose", read.conv_transpose, rank) for rank in (1, 2, 3)},
    **_ranks("ConvLSTM", "conv_lstm", read.conv_lstm),
    **_all("Dense TimeDistributedDense", "linear", read.linear),
    "EinsumDense": ("einsum", read.einsum_dense, 0),
    **_all("Embedding ReversibleEmbedding", "embedding", read.embedding),
    "BatchNormalization": ("batch_norm", read.batch_norm, 0),
    "LayerNormalization": ("layer_norm", read.axes_norm, 0),
    "RMSNormalization": ("rms_norm", read.rms_norm, 0),
    "GroupNormalization": ("group_norm", read.group_norm, 0),
    "Normalization": ("normalize", read.normalization, 0),
    "UnitNormalization": ("normalize", read.unit_norm, 0),
    "SimpleRNN": ("rnn", read.recurrent, 0),
    **_all("LSTM CuDNNLSTM", "lstm", read.recurrent),
    "GRU": ("gru", read.gru, 0),
    "CuDNNGRU": ("gru", read.cudnn_gru, 0),
    "SimpleRNNCell": ("rnn_cell", read.cell, 0),
    "LSTMCell": ("lstm_cell", read.cell, 0),
    "GRUCell": ("gru_cell", read.gru_cell, 0),
    "MultiHeadAttention": ("attention", read.multi_head, 0),
    "GroupedQueryAttention": ("attention", read.grouped_query, 0),
    "Attention": ("attention", read.plain_attention, 0),
    "AdditiveAttention": ("attention", read.additive_attention, 0),
    **_ranks("MaxPooling", "max_pool", read.pool),
    **_ranks("AveragePooling", "avg_pool", read.pool),
    **_ranks("AdaptiveAveragePooling", "adaptive_avg_pool", read.adaptive_pool),
    **_ranks("AdaptiveMaxPooling", "adaptive_max_pool", read.adaptive_pool),
    **_ranks("GlobalAveragePooling", "global_avg_pool", read.global_pool),
    **_ranks("GlobalMaxPooling", "global_max_pool", read.global_pool),
    "ReLU": ("activation", read.relu, 0),
    "LeakyReLU": ("activation", read.leaky_relu, 0),
    "ELU": ("activation", read.elu, 0),
    "ThresholdedReLU": ("activation", read.thresholded_relu, 0),
    "PReLU": ("prelu", read.prelu, 0),
    "Softmax": ("softmax", read.softmax, 0),
    **_all("Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D AlphaDropout GaussianDropout "
           "GaussianNoise", "dropout", read.dropout),
    **_all("Identity ActivityRegularization", "identity"),
    "Masking": ("identity", read.masking, 0),
    "Add": ("elementwise", read.elementwise("add"), 0),
    "Subtract": ("elementwise", read.elementwise("sub"), 0),
    "Multiply": ("elementwise", read.elementwise("mul"), 0),
    "Average": ("elementwise", read.elementwise("mean"), 0),
    "Maximum": ("elementwise", read.elementwise("max"), 0),
    "Minimum": ("elementwise", read.elementwise("min"), 0),
    "LayerScale": ("elementwise", read.elementwise("mul"), 0),  # keras.applications.ConvNeXt
    "Rescaling": ("elementwise", read.rescaling, 0),
    "Concatenate": ("concat", read.concat, 0),
    "Dot": ("batch_dot", read.dot, 0),
    "Flatten": ("flatten", read.flatten, 0),
    "Reshape": ("reshape", read.reshape, 0),
    "Permute": ("permute", read.permute, 0),
    "RepeatVector": ("repeat", read.repeat_vector, 0),
    **_ranks("ZeroPadding", "pad", read.padding),
    **_ranks("Cropping", "crop", read.cropping),
    **_ranks("UpSampling", "resize", read.upsampling),
    "Resizing": ("resize", read.resizing, 2),
    **_all("CenterCrop RandomCrop", "resize", read.cut),
    "AutoContrast": ("augment", read.augment("auto_contrast"), 0),
    "ContrastLimitedAdaptiveHistogramEqualization": ("augment", read.augment("clahe"), 0),
    **_all("AugMix CutMix Equalization MixUp RandAugment RandomBrightness RandomColorDegeneration "
           "RandomColorJitter RandomContrast "
           "RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHue "
           "RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation "
           "RandomSharpness RandomShear RandomTranslation RandomZoom RandomHeight RandomWidth "
           "Solarization", "augment"),
    **_all("StringLookup IntegerLookup Hashing HashedCrossing Discretization TextVectorization",
           "lookup", read.lookup),
    "CategoryEncoding": ("lookup", read.encoding, 0),
    **_all("STFTSpectrogram MelSpectrogram", "spectrogram", read.spectrogram),
    "Lambda": ("lambda", read.lambda_layer, 0),
    **_all("TFOpLambda SlicingOpLambda TensorFlowOpLayer", "lambda"),
}  # fmt: skip

#: The kind of each class that has one whatever its settings.
CLASSES: Mapping[str, str] = Frozen(
    {name: kind for name, (kind, _, _) in _LAYERS.items() if kind != "module"}
)

#: The second names of classes in ``keras.layers``, which no file has.
ALIASES: Mapping[str, str] = Frozen(
    {
        **{f"Convolution{rank}D": f"Conv{rank}D" for rank in (1, 2, 3)},
        **{f"Convolution{rank}DTranspose": f"Conv{rank}DTranspose" for rank in (1, 2, 3)},
        **{f"SeparableConvolution{rank}D": f"SeparableConv{rank}D" for rank in (1, 2)},
        **{f"GlobalAvgPool{rank}D": f"GlobalAveragePooling{rank}D" for rank in (1, 2, 3)},
        **{f"GlobalMaxPool{rank}D": f"GlobalMaxPooling{rank}D" for rank in (1, 2, 3)},
        **{
            f"{short}Pool{rank}D": f"{long}Pooling{rank}D"
            for short, long in (("Avg", "Average"), ("Max", "Max"))
            for rank in (1, 2, 3)
        },
        "GroupQueryAttention": "GroupedQueryAttention",
    }
)

#: The classes that consist of other layers, and the names of these; an empty text for any.
HOLDS: Mapping[str, str] = Frozen(
    {
        **dict.fromkeys(("Bidirectional", "RNN"), "LSTM GRU SimpleRNN"),
        "StackedRNNCells": "LSTMCell GRUCell SimpleRNNCell",
        **dict.fromkeys(
            ("TimeDistributed", "Wrapper", "Functional", "Sequential", "Pipeline", "SpectralNormalization",
             "FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"),
            "",
        ),
    }
)  # fmt: skip

#: The modes of Keras 1's ``Merge``.
_MERGE = {"sum": "Add", "mul": "Multiply", "ave": "Average", "max": "Maximum", "concat": "Concatenate",
          "dot": "Dot", "cos": "Dot"}  # fmt: skip


def describe(class_name: str, config: Mapping[str, Any], module: str = "") -> tuple[str, dict[str, Any]]:
    """Describe a Keras layer or operation in the common vocabulary.

    Args:
        class_name: its class, in the spelling of Keras 1, 2 or 3.
        config: its settings, as ``get_config`` or a file gives them.
        module: the module that a file names for the class; it distinguishes an operation (``keras.ops``)
            from a layer of the same name. Without it the settings decide.

    Returns:
        The kind and its attributes; ``("unknown", {})`` for a class that is not Keras's own.

    Source: the layers of keras 3.15, and ``keras/legacy`` of Keras 2.

    Example:
        >>> describe("Dense", {"units": 10, "activation": "relu"})
        ('linear', {'out_features': 10, 'activation': 'relu'})
        >>> describe("MaxPooling2D", {"pool_size": 2, "border_mode": "same"})[1]["padding"]
        'same'
    """
    if class_name in OPERATIONS and _is_operation(class_name, config, module):
        kind, reader = OPERATIONS[class_name]
        return kind, _known(reader(config))
    if ".ops." in f"{module}.":
        return "unknown", {}  # a layer of the same name does something else
    name, settings = modern(class_name, config)
    if name in _BY_SETTINGS:
        return _BY_SETTINGS[name](settings)
    if is_folded(name, settings):
        return _wrapped(settings)
    kind, reader_of, rank = _LAYERS.get(name, ("unknown", read.nothing, 0))
    return kind, _known(reader_of(settings, rank)) | _functions(kind, settings)


#: The kinds whose setting ``activation`` is applied to what the layer gives.
_FUSED = frozenset({"conv", "conv_transpose", "separable_conv", "local_conv", "linear", "einsum"})
#: Those of which two settings are functions inside the recurrence.
_RECURRENT = frozenset({"rnn", "lstm", "gru", "rnn_cell", "lstm_cell", "gru_cell", "conv_lstm"})
_INSIDE = {"cell_function": "activation", "gate_function": "recurrent_activation"}


#: The settings that belong to a function inside of a layer.
_STATED = ("negative_slope", "alpha", "max_val", "threshold")
#: The settings of a function that is named by a word: not the defaults of the layer of that name.
#: Source: keras/src/activations/activations.py, 3.15.
_BY_WORD: Mapping[str, Mapping[str, Any]] = {
    "leaky_relu": {"negative_slope": 0.2}, "elu": {"alpha": 1.0}, "celu": {"alpha": 1.0},
}  # fmt: skip


def _functions(kind: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Name the functions that are fused into a layer, except for linear ones."""
    if kind in _FUSED:
        name = _function(settings.get("activation"))
        if name in (None, "linear"):
            return {}
        _, inside = _activation(settings)
        stated = {key: inside[key] for key in _STATED if inside.get(key)}
        return {"activation": name, **({"activation_settings": Frozen(stated)} if stated else {})}
    if kind in _RECURRENT:
        result = {name: _function(settings.get(key, "")) for name, key in _INSIDE.items()}
        return {name: function for name, function in result.items() if function}
    return {}


def _function(value: Any) -> str | None:
    """Name a function as its layer would be named; None if there is none."""
    if value == "":
        return None
    kind, attributes = _activation({"activation": value})
    if kind == "softmax":
        return "log_softmax" if attributes.get("log") else "softmax"
    if kind == "identity":
        return "linear"
    return str(attributes.get("function", kind))[:_LONGEST]


#: The longest name of a function: one of the user's own may have any.
_LONGEST = 200


def _known(result: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result.items() if value is not None}


def _is_operation(class_name: str, config: Mapping[str, Any], module: str) -> bool:
    if module:
        return ".ops" in module
    return class_name not in _LAYERS or not ({"trainable", "dtype", "target_shape", "axes"} & config.keys())


def _activation(settings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    function = settings.get("activation")
    if isinstance(function, Mapping):
        if isinstance(function.get("config"), Mapping) and function.get("class_name") in _LAYERS:
            return describe(str(function["class_name"]), function["config"])
        inner = function.get("config")
        named = function.get("class_name")
        function = inner if isinstance(inner, str) else "lambda" if named in (None, "__lambda__") else named
    if function in ("softmax", "log_softmax"):
        return "softmax", {"axis": -1, "log": function == "log_softmax"}
    if function in (None, "linear"):
        return "identity", {}
    return "activation", {"function": str(function), **_BY_WORD.get(str(function), {})}


def _merged(settings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Describe a ``Merge`` of Keras 1 by its mode."""
    name = _MERGE.get(str(settings.get("mode")), "Lambda")
    return describe(name, {"axes": settings.get("dot_axes", -1), **settings}, "keras.layers")


def _wrapped(settings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Describe a wrapper by the layer inside it."""
    inner = nested(settings, "layer")
    return ("unknown", {}) if inner is None else describe(*inner)


#: In what two directions have to agree to be one layer.
_OF_ONE_KIND = (
    "hidden_size",
    "reset_after",
    "cell_function",
    "gate_function",
    "return_sequences",
    "kernel_size",
)


def _both_directions(settings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    kind, attributes = _wrapped(settings)
    if kind not in ("rnn", "lstm", "gru", "conv_lstm"):
        return "unknown", {}
    merge_mode = settings.get("merge_mode", "concat")
    backward = nested(settings, "backward_layer")
    other, others = (kind, attributes) if backward is None else describe(*backward)
    if other != kind or any(attributes.get(name) != others.get(name) for name in _OF_ONE_KIND):
        return _unequal_directions((kind, attributes), (other, others), merge_mode)
    return kind, attributes | {"bidirectional": True, "merge_mode": merge_mode}


def _unequal_directions(
    forward: tuple[str, dict[str, Any]], backward: tuple[str, dict[str, Any]], merge_mode: object
) -> tuple[str, dict[str, Any]]:
    """Describe two recurrent layers that are not alike by what they make, and the work of each step."""
    widths, work = [], []
    for kind, attributes in (forward, backward):
        width = attributes.get("hidden_size")
        if kind not in GATES or not isinstance(width, int):
            return "unknown", {}
        widths.append(width)
        work.append(f"N*T*{GATES[kind] * width}*(i+{width})")
    steps = "N T" if forward[1].get("return_sequences") else "N"
    width = sum(widths) if merge_mode == "concat" else widths[0]
    out = "; ".join(f"{steps} {one}" for one in (widths if merge_mode is None else [width]))
    return "operation", {"signature": f"N T i -> {out}", "work": "+".join(work)}


def _recurrence(settings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Describe an ``RNN`` by its cell, or by its cells: a stack where they are not alike."""
    cell = nested(settings, "cell")
    if cell is None:
        return "unknown", {}
    cells = [cell]
    if modern(*cell)[0] == "StackedRNNCells":
        cells = [item for item in (nested({"cell": c}, "cell") for c in cell[1].get("cells") or ()) if item]
    result = [describe(*item) for item in cells]
    if not result or not all(kind.endswith("_cell") and "hidden_size" in facts for kind, facts in result):
        return "unknown", {}
    layer = f"{modern(*cells[0])[0].removesuffix('Cell')}"
    kind, attributes = describe(layer, {**cells[0][1], **_outputs(settings)})
    if any(item != result[0] for item in result):
        shared = {key: attributes[key] for key in _OF_THE_LAYER if key in attributes}
        names = ("kind", "hidden_size", *_INSIDE, "reset_after")
        found = [{"kind": kind.removesuffix("_cell"), **facts} for kind, facts in result]
        each = {f"{name}s": tuple(item.get(name) for item in found) for name in names}
        return "stacked_rnn", shared | {
            name: values for name, values in each.items() if any(value is not None for value in values)
        }
    return kind, attributes | {"num_layers": len(cells)}


#: What an ``RNN`` itself sets, whatever its cells.
_OUTPUTS = ("return_sequences", "return_state", "go_backwards", "stateful", "zero_output_for_mask")
_OF_THE_LAYER = ("return_sequences", "return_state", "direction", "stateful", "zero_output_for_mask")


#: Layers whose settings decide what kind they are.
_BY_SETTINGS: dict[str, Callable[[Mapping[str, Any]], tuple[str, dict[str, Any]]]] = {
    "Activation": _activation,
    "Bidirectional": _both_directions,
    "Merge": _merged,
    "RNN": _recurrence,
    "SpectralNormalization": _wrapped,
}


def _outputs(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: settings[key] for key in _OUTPUTS if key in settings}


def complete(
    kind: str,
    attributes: Mapping[str, Any],
    weights_by_role: Mapping[str, Shape],
    input_shapes: Sequence[Shape | None] = (),
) -> dict[str, Any]:
    """Add the attributes that follow from the weights or the inputs, such as ``in_channels``.

    Args:
        kind: the layer's kind.
        attributes: what :func:`describe` found.
        weights_by_role: the stored shape of each weight, by its role (with or without a prefix).
        input_shapes: the shape of each input, where known.

    Example:
        >>> complete("conv", {"out_channels": 8, "groups": 2}, {"kernel": (3, 3, 5, 8)})["in_channels"]
        10
        >>> complete("linear", {"out_features": 3}, {"kernel": (7, 3)})["in_features"]
        7
    """
    result = dict(attributes)
    tails = {role.rpartition("/")[2]: shape for role, shape in reversed(list(weights_by_role.items()))}
    reader = READERS.get(kind)
    if reader is not None:
        added = reader(result, {**tails, **weights_by_role}, _first(input_shapes))
        result.update({key: value for key, value in added.items() if isinstance(value, int | tuple | Frozen)})
    return result


def _first(shapes: Sequence[Shape | None]) -> Shape | None:
    return shapes[0] if shapes else None
