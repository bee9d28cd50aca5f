"""Keras's own settings, against ``compute_output_shape`` of its layers."""

from __future__ import annotations

from typing import Any

import keras
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

CONVS = {1: layers.Conv1D, 2: layers.Conv2D, 3: layers.Conv3D}
TRANSPOSED = {1: layers.Conv1DTranspose, 2: layers.Conv2DTranspose, 3: layers.Conv3DTranspose}
POOLS = {1: layers.MaxPooling1D, 2: layers.MaxPooling2D, 3: layers.MaxPooling3D}
GLOBALS = {
    1: layers.GlobalAveragePooling1D,
    2: layers.GlobalAveragePooling2D,
    3: layers.GlobalAveragePooling3D,
}
UPSAMPLING = {1: layers.UpSampling1D, 2: layers.UpSampling2D, 3: layers.UpSampling3D}
ZERO_PADDING = {1: layers.ZeroPadding1D, 2: layers.ZeroPadding2D, 3: layers.ZeroPadding3D}
CROPPING = {1: layers.Cropping1D, 2: layers.Cropping2D, 3: layers.Cropping3D}

spaces = st.sampled_from((1, 2, 3))
formats = st.sampled_from(("channels_last", "channels_first"))


def each(draw: Any, space: int, low: int, high: int) -> tuple[int, ...]:
    return tuple(draw(st.integers(low, high)) for _ in range(space))


def feature_map(data_format: str, size: tuple[int, ...], channels: int = 6) -> tuple[int, ...]:
    return (2, *size, channels) if data_format == "channels_last" else (2, channels, *size)


def stride_or_dilation(draw: Any, space: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    # Keras takes no stride above 1 together with a dilation above 1.
    one, drawn = (1,) * space, each(draw, space, 1, 4)
    return (drawn, one) if draw(st.booleans()) else (one, drawn)


@settings(max_examples=150, deadline=None)
@given(space=spaces, data_format=formats, groups=st.sampled_from((1, 2, 3)), data=st.data())
def test_conv(same_as_keras: Any, space: int, data_format: str, groups: int, data: Any) -> None:
    kernel, size = each(data.draw, space, 1, 4), each(data.draw, space, 1, 11)
    stride, dilation = stride_or_dilation(data.draw, space)
    names = ["valid", "same"] + (["causal"] if space == 1 and data_format == "channels_last" else [])
    padding = data.draw(st.sampled_from(names))
    attributes = {
        "out_channels": 12,
        "kernel_size": kernel,
        "stride": stride,
        "dilation": dilation,
        "padding": padding,
        "groups": groups,
        "data_format": data_format,
    }
    same_as_keras(
        "conv",
        attributes,
        feature_map(data_format, size),
        lambda: CONVS[space](
            12, kernel, stride, padding, dilation_rate=dilation, groups=groups, data_format=data_format
        ),
    )


@settings(max_examples=60, deadline=None)
@given(space=st.sampled_from((1, 2)), padding=st.sampled_from(("valid", "same")), data=st.data())
def test_depthwise_and_separable_conv(same_as_keras: Any, space: int, padding: str, data: Any) -> None:
    kernel, size = each(data.draw, space, 1, 4), each(data.draw, space, 1, 9)
    multiplier, stride = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    depthwise = {1: layers.DepthwiseConv1D, 2: layers.DepthwiseConv2D}[space]
    separable = {1: layers.SeparableConv1D, 2: layers.SeparableConv2D}[space]
    attributes = {
        "kernel_size": kernel,
        "stride": (stride,) * space,
        "padding": padding,
        "data_format": "channels_last",
        "depth_multiplier": multiplier,
    }
    shape = feature_map("channels_last", size)
    same_as_keras("conv", attributes, shape, lambda: depthwise(kernel, stride, padding, multiplier))
    same_as_keras(
        "separable_conv",
        {**attributes, "out_channels": 7, "groups": 1},
        shape,
        lambda: separable(7, kernel, stride, padding, depth_multiplier=multiplier),
    )


@settings(max_examples=150, deadline=None)
@given(space=spaces, data_format=formats, padding=st.sampled_from(("valid", "same")), data=st.data())
def test_conv_transpose(same_as_keras: Any, space: int, data_format: str, padding: str, data: Any) -> None:
    kernel, size = each(data.draw, space, 1, 5), each(data.draw, space, 1, 7)
    stride, dilation = stride_or_dilation(data.draw, space)
    attributes = {
        "out_channels": 5,
        "kernel_size": kernel,
        "stride": stride,
        "dilation": dilation,
        "padding": padding,
        "data_format": data_format,
    }
    same_as_keras(
        "conv_transpose",
        attributes,
        feature_map(data_format, size),
        lambda: TRANSPOSED[space](
            5, kernel, stride, padding, dilation_rate=dilation, data_format=data_format
        ),
    )


@settings(max_examples=60, deadline=None)
@given(padding=st.sampled_from(("valid", "same")), data=st.data())
def test_conv_transpose_with_output_padding(same_as_keras: Any, padding: str, data: Any) -> None:
    kernel, size, stride = each(data.draw, 2, 1, 5), each(data.draw, 2, 2, 7), each(data.draw, 2, 2, 4)
    extra = tuple(data.draw(st.integers(0, s - 1)) for s in stride)
    # In pads: "same" takes half the kernel off both ends, "valid" nothing.
    pads = tuple((k // 2, k // 2) if padding == "same" else (0, 0) for k in kernel)
    attributes = {
        "out_channels": 5,
        "kernel_size": kernel,
        "stride": stride,
        "padding": pads,
        "output_padding": extra,
        "data_format": "channels_last",
    }
    same_as_keras(
        "conv_transpose",
        attributes,
        feature_map("channels_last", size),
        lambda: layers.Conv2DTranspose(5, kernel, stride, padding, output_padding=extra),
    )


@settings(max_examples=100, deadline=None)
@given(space=spaces, data_format=formats, padding=st.sampled_from(("valid", "same")), data=st.data())
def test_pools(same_as_keras: Any, space: int, data_format: str, padding: str, data: Any) -> None:
    kernel, size = each(data.draw, space, 1, 4), each(data.draw, space, 1, 9)
    stride = data.draw(st.one_of(st.none(), st.integers(1, 4)))
    attributes = {
        "kernel_size": kernel,
        "stride": stride if stride is None else (stride,) * space,
        "padding": padding,
        "data_format": data_format,
    }
    shape = feature_map(data_format, size)
    pool = POOLS[space]
    same_as_keras(
        "max_pool", attributes, shape, lambda: pool(kernel, stride, padding, data_format=data_format)
    )
    for keep in (True, False):
        same_as_keras(
            "global_avg_pool",
            {"keepdims": keep, "data_format": data_format},
            shape,
            lambda keep=keep: GLOBALS[space](data_format=data_format, keepdims=keep),
        )


@settings(max_examples=80, deadline=None)
@given(space=spaces, data_format=formats, data=st.data())
def test_padding_cropping_and_upsampling(same_as_keras: Any, space: int, data_format: str, data: Any) -> None:
    if space == 1:
        data_format = "channels_last"
    size = each(data.draw, space, 1, 9)
    pairs = tuple((data.draw(st.integers(0, 4)), data.draw(st.integers(0, 4))) for _ in range(space))
    factor = each(data.draw, space, 1, 3)
    theirs = pairs[0] if space == 1 else pairs
    more = {} if space == 1 else {"data_format": data_format}
    shape = feature_map(data_format, size)
    attributes = {"padding": pairs, "data_format": data_format}
    same_as_keras("pad", attributes, shape, lambda: ZERO_PADDING[space](theirs, **more))
    same_as_keras("crop", attributes, shape, lambda: CROPPING[space](theirs, **more))
    same_as_keras(
        "resize",
        {"scale_factor": factor, "data_format": data_format},
        shape,
        lambda: UPSAMPLING[space](factor[0] if space == 1 else factor, **more),
    )


@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("states", [True, False])
@pytest.mark.parametrize(
    ("kind", "layer"), [("rnn", layers.SimpleRNN), ("gru", layers.GRU), ("lstm", layers.LSTM)]
)
def test_recurrent(same_as_keras: Any, kind: str, layer: Any, sequences: bool, states: bool) -> None:
    attributes = {
        "hidden_size": 7,
        "num_layers": 1,
        "batch_first": True,
        "return_sequences": sequences,
        "return_state": states,
    }
    settled = {"return_sequences": sequences, "return_state": states}
    same_as_keras(kind, attributes, (2, 5, 3), lambda: layer(7, **settled))
    for merge in ("concat", "sum"):
        same_as_keras(
            kind,
            {**attributes, "bidirectional": True, "merge_mode": merge},
            (2, 5, 3),
            lambda merge=merge: layers.Bidirectional(layer(7, **settled), merge_mode=merge),
        )


@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("states", [True, False])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_conv_lstm(same_as_keras: Any, sequences: bool, states: bool, data_format: str) -> None:
    size = (8, 9)
    attributes = {
        "hidden_size": 7,
        "kernel_size": (3, 2),
        "stride": (2, 1),
        "padding": "valid",
        "data_format": data_format,
        "return_sequences": sequences,
        "return_state": states,
    }
    step = feature_map(data_format, size, 3)
    same_as_keras(
        "conv_lstm",
        attributes,
        (step[0], 5, *step[1:]),
        lambda: layers.ConvLSTM2D(
            7, (3, 2), (2, 1), data_format=data_format, return_sequences=sequences, return_state=states
        ),
    )


def test_layers_of_one_shape_each(same_as_keras: Any) -> None:
    same_as_keras("linear", {"out_features": 7}, (2, 5, 3), lambda: layers.Dense(7))
    same_as_keras("flatten", {"start_axis": 1, "end_axis": -1}, (2, 5, 3), layers.Flatten)
    same_as_keras(
        "reshape", {"shape": (3, -1), "batch_kept": True}, (2, 6, 5), lambda: layers.Reshape((3, -1))
    )
    same_as_keras(
        "reshape", {"shape": (7, -1), "batch_kept": True}, (2, 6, 5), lambda: layers.Reshape((7, -1))
    )
    same_as_keras("permute", {"axes": (0, 2, 1)}, (2, 6, 5), lambda: layers.Permute((2, 1)))
    repeat = {"axis": 1, "count": 4, "new_axis": True}
    same_as_keras("repeat", repeat, (2, 5), lambda: layers.RepeatVector(4))
    same_as_keras("resize", {"size": (4, 7), "data_format": "channels_last"}, (2, 9, 8, 3),
                  lambda: layers.Resizing(4, 7, data_format="channels_last"))  # fmt: skip
    same_as_keras("embedding", {"embedding_dim": 6}, (2, 5), lambda: layers.Embedding(11, 6))
    einsum = {"equation": "abc,cd->abd", "sizes": {"c": 3, "d": 7}}
    same_as_keras("einsum", einsum, (2, 5, 3), lambda: layers.EinsumDense("abc,cd->abd", (5, 7)))


def test_attention_over_queries_and_values() -> None:
    from shapeinspect.rules import output_shapes

    layer = layers.MultiHeadAttention(3, 4, value_dim=5)
    attributes = {"num_heads": 3, "head_dim": 4, "value_head_dim": 5, "batch_first": True}
    theirs = layer.compute_output_shape((2, 7, 6), (2, 9, 8))
    assert output_shapes("attention", attributes, ((2, 7, 6), (2, 9, 8), (2, 9, 8))) == (theirs,)
    plain = keras.layers.Attention().compute_output_shape([(2, 7, 6), (2, 9, 8), (2, 9, 6)])
    ours = output_shapes("attention", {"num_heads": 1, "projected": False}, ((2, 7, 6), (2, 9, 6), (2, 9, 8)))
    assert ours == (tuple(plain),)


@pytest.mark.parametrize(("axes", "left", "right"), [
    ((1, 1), (2, 5), (2, 5)), ((2, 1), (2, 4, 5), (2, 5, 7)), ((1, 2), (2, 5, 4), (2, 7, 5)),
    ((-1, -1), (2, 4, 5), (2, 5)),
])  # fmt: skip
def test_dot_over_one_axis_of_each(axes: tuple[int, int], left: Any, right: Any) -> None:
    from shapeinspect.rules import output_shapes

    theirs = layers.Dot(axes).compute_output_shape([left, right])
    assert output_shapes("batch_dot", {"axes": axes}, (left, right)) == (tuple(theirs),)
