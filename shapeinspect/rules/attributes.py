"""Attributes that several families of kinds share."""

from __future__ import annotations

from typing import Final

from shapeinspect.rules.kind import Attribute

REQUIRED: Final = "required"
_PER_AXIS: Final = "tuple, one entry a spatial axis"

DATA_FORMAT: Final = Attribute(
    "data_format",
    '`"channels_first"` or `"channels_last"`',
    "channels_first",
    "position of the channels",
)
IN_CHANNELS: Final = Attribute(
    "in_channels", "int", "as the input", "channels of the input, which are checked"
)
OUT_CHANNELS: Final = Attribute("out_channels", "int", REQUIRED, "filters: channels of the output")
KERNEL_SIZE: Final = Attribute("kernel_size", _PER_AXIS, REQUIRED, "taps of the window")
STRIDE: Final = Attribute("stride", _PER_AXIS, "1", "step between two windows")
POOL_STRIDE: Final = Attribute("stride", _PER_AXIS, "kernel_size", "step between two windows")
DILATION: Final = Attribute("dilation", _PER_AXIS, "1", "step between two taps")
PADDING: Final = Attribute(
    "padding",
    'tuple of `(before, after)` pairs, one a spatial axis; `"valid"`, `"same"`, `"same_lower"`, `"causal"`',
    "0",
    'added at both ends; `"same"` puts the odd position last, `"same_lower"` first, `"causal"` all in front',
)
PADDING_MODE: Final = Attribute(
    "padding_mode",
    '`"zeros"`, `"reflect"`, `"replicate"`, `"circular"`',
    "zeros",
    "what the padding is filled with",
)
GROUPS: Final = Attribute("groups", "int", "1", "groups of channels that are convolved separately")
DEPTH_MULTIPLIER: Final = Attribute(
    "depth_multiplier",
    "int",
    "none",
    "filters of each input channel where every channel is filtered by itself; it stands for groups",
)
CONV: Final = (
    *(IN_CHANNELS, OUT_CHANNELS, KERNEL_SIZE, STRIDE, PADDING, DILATION, GROUPS, PADDING_MODE, DATA_FORMAT),
)
CEIL_MODE: Final = Attribute(
    "ceil_mode",
    "bool",
    "false",
    "count a last window that extends past the end, unless it starts in the padding",
)
RETURN_INDICES: Final = Attribute(
    "return_indices", "bool", "false", "a second output: the index of each maximum"
)
OUTPUT_SIZE: Final = Attribute(
    "output_size",
    "tuple, one entry a spatial axis; None as the input",
    REQUIRED,
    "spatial lengths of the output",
)
AXIS: Final = Attribute("axis", "int", REQUIRED, "which axis")
KEEPDIMS: Final = Attribute("keepdims", "bool", "false", "keep the reduced axes, with length 1")
MIN_VAL: Final = Attribute("min_val", "float", "unknown", "the lower limit")
MAX_VAL: Final = Attribute("max_val", "float", "unknown", "the upper limit")
TRACK_RUNNING_STATS: Final = Attribute(
    "track_running_stats", "bool", "true", "stored statistics are used at inference, not those of the input"
)
MAX_NORM: Final = Attribute("max_norm", "float", "none", "longer rows are scaled down to this length")
MAX_NORM_TYPE: Final = Attribute("norm_type", "float", "2", "the p of the length that max_norm limits")
EPS: Final = Attribute("eps", "float", "unknown", "added to the variance")
MOMENTUM: Final = Attribute("momentum", "float", "unknown", "update rate of the stored statistics")
NUM_FEATURES: Final = Attribute("num_features", "int", "as the input", "channels that are normalized")
AFFINE: Final = Attribute("affine", "bool", "true", "learned scale and shift for each channel")
RETURN_SEQUENCES: Final = Attribute(
    "return_sequences", "bool", "false", "every step is an output, not only the last"
)
RETURN_STATE: Final = Attribute("return_state", "bool", "false", "the last states are outputs too")
HIDDEN_SIZE: Final = Attribute("hidden_size", "int", REQUIRED, "units")
CELL_FUNCTION: Final = Attribute("cell_function", "str", "unknown", "the function of the new state: `tanh` …")
GATE_FUNCTION: Final = Attribute("gate_function", "str", "unknown", "the function of the gates: `sigmoid` …")
BIDIRECTIONAL: Final = Attribute("bidirectional", "bool", "false", "a second direction reads from the end")
DIRECTION: Final = Attribute(
    "direction",
    "str",
    "forward",
    "`reverse` where one direction, or the first of two, reads from the end",
)
STATEFUL: Final = Attribute("stateful", "bool", "false", "the next batch begins with the last states")
ZERO_OUTPUT: Final = Attribute(
    "zero_output_for_mask", "bool", "false", "a masked step gives 0, not the output before it"
)
MERGE_MODE: Final = Attribute(
    "merge_mode",
    "`concat`, `sum`, `mul`, `ave`, None",
    "concat",
    "how the two directions are merged; None: two outputs",
)
EMBEDDING: Final = (
    Attribute("num_embeddings", "int", "unknown", "rows of the table: how many ids there are"),
    Attribute("embedding_dim", "int", REQUIRED, "numbers of one row"),
)
ALIGN_CORNERS: Final = Attribute(
    "align_corners", "bool", "false", "the first and last positions of input and output are aligned"
)

INDEX_TEXT: Final = Attribute("index", "str", "unknown", "the index expression, as text")

#: Attributes that a layer of any kind may have.
OF_ANY_KIND: Final = (
    Attribute("activation", "str", "none", "the function that is fused into the layer"),
    Attribute("activation_settings", "mapping", "none", "its settings, as a layer `activation` has them"),
    Attribute(
        "quantization",
        "mapping",
        "none",
        "for each role of a weight its `scale` and `zero_point`, and the `axis` along which these differ",
    ),
    Attribute(
        "quantizer",
        "str",
        "none",
        "who packed the weights of a layer known by their names alone (`gptq 4-bit`)",
    ),
    Attribute(
        "parametrization",
        "str",
        "none",
        "how a weight is computed: `weight_norm`, `spectral_norm`, `pruned`",
    ),
    Attribute("bits", "int", "none", "bits of a packed weight"),
    Attribute("block_size", "int", "none", "inputs that share a scale of a packed weight"),
    Attribute(
        "signature",
        "str",
        "none",
        "the letters of the inputs' axes and the lengths of the outputs': `N T i -> N T o; N`",
    ),
    Attribute(
        "further_outputs", "str", "none", "a signature of the outputs behind the first: `N T E -> N T 1`"
    ),
    Attribute("options", "mapping", "none", "further settings, by the names that only this framework has"),
    Attribute("lengths", "mapping", "none", "the lengths of the letters of a signature that no input has"),
    Attribute("work", "str", "by the kind", "the multiply-accumulates in the letters of the signature"),
)
