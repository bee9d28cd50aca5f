"""A zoo of Keras: every public layer, and operations of ``keras.ops``, each in a small functional model.

No two axes of a tensor have one length, so that an axis that is mistaken for another shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from keras import layers as K
from keras import ops

Shape = tuple[int | None, ...]
#: Builds the inputs and the outputs of a small graph.
Build = Callable[[], tuple[list[Any], Any]]


def op(call: Callable[..., Any], *shapes: Shape, dtype: str = "float32", batch: int | None = None) -> Build:
    """Return what builds a function of its inputs.

    Args:
        call: the function.
        shapes: the shape of each input, without the batch.
        dtype: the dtype of the inputs.
        batch: the length of the batch, None where it is open.
    """

    def build() -> tuple[list[Any], Any]:
        inputs = [keras.Input(shape, batch_size=batch, dtype=dtype) for shape in shapes]
        return inputs, call(*inputs)

    return build


def one(layer: Callable[[], Any], *shapes: Shape, dtype: str = "float32") -> Build:
    """Return what builds one layer, called on its input or on a list of its inputs.

    Args:
        layer: builds the layer.
        shapes: the shape of each input, without the batch.
        dtype: the dtype of the inputs.
    """
    return op(lambda *inputs: layer()(list(inputs) if len(inputs) > 1 else inputs[0]), *shapes, dtype=dtype)


def together(builds: Mapping[str, Build]) -> Any:
    """Build one model of many small graphs.

    Args:
        builds: the graphs.
    """
    pairs = [build() for build in builds.values()]
    return keras.Model([one for inputs, _ in pairs for one in inputs], [outputs for _, outputs in pairs])


LINE, FLAT, CUBE = (11, 4), (9, 11, 4), (7, 9, 11, 4)
IMAGE = (9, 11, 3)


def called(layer: Callable[[], Any], *shapes: Shape) -> Build:
    """Return what builds one layer, called on its inputs one by one.

    Args:
        layer: builds the layer.
        shapes: the shape of each input, without the batch.
    """

    def call(*inputs: Any) -> Any:
        return layer()(*inputs)

    return op(call, *shapes)


LAYERS: dict[str, Build] = {
    "Activation": one(lambda: K.Activation("gelu"), LINE),
    "Activation softmax": one(lambda: K.Activation("softmax"), LINE),
    "ActivityRegularization": one(lambda: K.ActivityRegularization(0.1), LINE),
    "AdaptiveAveragePooling1D": one(lambda: K.AdaptiveAveragePooling1D(5), LINE),
    "AdaptiveAveragePooling2D": one(lambda: K.AdaptiveAveragePooling2D((3, 5)), FLAT),
    "AdaptiveAveragePooling3D": one(lambda: K.AdaptiveAveragePooling3D((2, 3, 5)), CUBE),
    "AdaptiveMaxPooling1D": one(lambda: K.AdaptiveMaxPooling1D(5), LINE),
    "AdaptiveMaxPooling2D": one(lambda: K.AdaptiveMaxPooling2D((3, 5)), FLAT),
    "AdaptiveMaxPooling3D": one(lambda: K.AdaptiveMaxPooling3D((2, 3, 5)), CUBE),
    "Add": one(K.Add, LINE, LINE),
    "AdditiveAttention": one(K.AdditiveAttention, (5, 8), (7, 8), (7, 8)),
    "AlphaDropout": one(lambda: K.AlphaDropout(0.2), LINE),
    "Attention": one(lambda: K.Attention(use_scale=True), (5, 8), (7, 8)),
    "AugMix": one(K.AugMix, IMAGE),
    "AutoContrast": one(K.AutoContrast, IMAGE),
    "Average": one(K.Average, LINE, LINE),
    "AveragePooling1D": one(lambda: K.AveragePooling1D(3, padding="same"), LINE),
    "AveragePooling2D": one(lambda: K.AveragePooling2D((2, 3)), FLAT),
    "AveragePooling3D": one(lambda: K.AveragePooling3D((2, 3, 4), strides=2), CUBE),
    "BatchNormalization": one(K.BatchNormalization, FLAT),
    "Bidirectional": one(lambda: K.Bidirectional(K.LSTM(5, return_sequences=True)), LINE),
    "Bidirectional ave": one(lambda: K.Bidirectional(K.GRU(5), merge_mode="ave"), LINE),
    "Bidirectional two": one(lambda: K.Bidirectional(K.SimpleRNN(5), merge_mode=None), LINE),
    "Bidirectional own": one(
        lambda: K.Bidirectional(K.GRU(5), backward_layer=K.GRU(5, go_backwards=True)), LINE
    ),
    "CategoryEncoding": one(lambda: K.CategoryEncoding(13), (7,), dtype="int32"),
    "CenterCrop": one(lambda: K.CenterCrop(5, 7), IMAGE),
    "Concatenate": one(lambda: K.Concatenate(axis=1), (5, 4), (7, 4)),
    "ContrastLimitedAdaptiveHistogramEqualization": one(
        lambda: K.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 3)), (16, 24, 3)
    ),
    "Conv1D": one(lambda: K.Conv1D(6, 3, padding="causal", dilation_rate=2), LINE),
    "Conv1DTranspose": one(lambda: K.Conv1DTranspose(6, 3, strides=2), LINE),
    "Conv2D": one(lambda: K.Conv2D(6, (3, 5), strides=(2, 1), groups=2, activation="relu"), FLAT),
    "Conv2D channels": one(lambda: K.Conv2D(6, (2, 3), data_format="channels_first"), (4, 9, 11)),
    "Conv2DTranspose": one(lambda: K.Conv2DTranspose(6, (3, 4), strides=2, output_padding=1), FLAT),
    "Conv3D": one(lambda: K.Conv3D(6, (2, 3, 4), padding="same", strides=2), CUBE),
    "Conv3DTranspose": one(lambda: K.Conv3DTranspose(6, (2, 3, 4), padding="same"), CUBE),
    "ConvLSTM1D": one(lambda: K.ConvLSTM1D(5, 3), (3, 9, 4)),
    "ConvLSTM2D": one(lambda: K.ConvLSTM2D(5, (2, 3), return_sequences=True), (3, 9, 8, 4)),
    "ConvLSTM3D": one(lambda: K.ConvLSTM3D(5, (2, 3, 4), return_state=True), (3, 9, 8, 7, 4)),
    "Cropping1D": one(lambda: K.Cropping1D((2, 3)), LINE),
    "Cropping2D": one(lambda: K.Cropping2D(((1, 2), (3, 1))), FLAT),
    "Cropping3D": one(lambda: K.Cropping3D(((1, 2), (3, 1), (2, 4))), CUBE),
    "CutMix": one(K.CutMix, IMAGE),
    "Dense": one(lambda: K.Dense(5, activation="tanh"), LINE),
    "Dense lora": one(lambda: lora(K.Dense(5, name="lora")), LINE),
    "Dense bfloat16": one(lambda: K.Dense(5, dtype="mixed_bfloat16"), LINE),
    "DepthwiseConv1D": one(lambda: K.DepthwiseConv1D(3, depth_multiplier=2), LINE),
    "DepthwiseConv2D": one(lambda: K.DepthwiseConv2D((3, 5), strides=2), FLAT),
    "Discretization": one(lambda: K.Discretization([0.5, 1.5]), LINE),
    "Dot": one(lambda: K.Dot(axes=(1, 2)), (5, 4), (7, 5)),
    "Dropout": one(lambda: K.Dropout(0.3), LINE),
    "ELU": one(K.ELU, LINE),
    "EinsumDense": one(lambda: K.EinsumDense("abc,cde->abde", (None, 3, 5), bias_axes="de"), LINE),
    "Embedding": one(lambda: K.Embedding(13, 5), (7,), dtype="int32"),
    "Flatten": one(K.Flatten, FLAT),
    "GRU": one(lambda: K.GRU(5, return_state=True), LINE),
    "GRU before": one(lambda: K.GRU(5, reset_after=False, activation="relu"), LINE),
    "GRUCell": called(lambda: K.GRUCell(5), (4,), (5,)),
    "GaussianDropout": one(lambda: K.GaussianDropout(0.2), LINE),
    "GaussianNoise": one(lambda: K.GaussianNoise(0.2), LINE),
    "GlobalAveragePooling1D": one(K.GlobalAveragePooling1D, LINE),
    "GlobalAveragePooling2D": one(lambda: K.GlobalAveragePooling2D(keepdims=True), FLAT),
    "GlobalAveragePooling3D": one(K.GlobalAveragePooling3D, CUBE),
    "GlobalMaxPooling1D": one(K.GlobalMaxPooling1D, LINE),
    "GlobalMaxPooling2D": one(K.GlobalMaxPooling2D, FLAT),
    "GlobalMaxPooling3D": one(K.GlobalMaxPooling3D, CUBE),
    "GroupNormalization": one(lambda: K.GroupNormalization(2), FLAT),
    "GroupNormalization each": one(lambda: K.GroupNormalization(-1), FLAT),
    "GroupQueryAttention": called(lambda: K.GroupQueryAttention(3, 6, 2), (5, 8), (7, 8)),
    "HashedCrossing": one(lambda: K.HashedCrossing(13), (), (), dtype="int32"),
    "Hashing": one(lambda: K.Hashing(13), (7,), dtype="int32"),
    "Identity": one(K.Identity, LINE),
    "IntegerLookup": one(lambda: K.IntegerLookup(vocabulary=[3, 5, 8]), (7,), dtype="int64"),
    "LSTM": one(lambda: K.LSTM(5, return_sequences=True, return_state=True), LINE),
    "LSTM backwards": one(lambda: K.LSTM(5, go_backwards=True), LINE),
    "LSTM states": op(
        lambda x, h, c: K.LSTM(5)(x, initial_state=[h, c]), LINE, (5,), (5,)
    ),
    "LSTMCell": op(lambda x, h, c: K.LSTMCell(5)(x, [h, c]), (4,), (5,), (5,)),
    "Lambda": op(lambda x: K.ReLU()(K.Lambda(lambda y: y * 2)(x)), LINE),
    "LayerNormalization": one(lambda: K.LayerNormalization(axis=(1, 2)), LINE),
    "LeakyReLU": one(K.LeakyReLU, LINE),
    "Masking": one(K.Masking, LINE),
    "MaxPooling1D": one(lambda: K.MaxPooling1D(3, strides=2, padding="same"), LINE),
    "MaxPooling2D": one(lambda: K.MaxPooling2D((2, 3)), FLAT),
    "MaxPooling3D": one(lambda: K.MaxPooling3D((2, 3, 4)), CUBE),
    "Maximum": one(K.Maximum, LINE, LINE),
    "MelSpectrogram": op(
        lambda x: K.ReLU()(K.MelSpectrogram(fft_length=64, sequence_stride=32, num_mel_bins=20)(x)), (640,)
    ),
    "Minimum": one(K.Minimum, LINE, LINE),
    "MixUp": one(K.MixUp, IMAGE),
    "MultiHeadAttention": called(lambda: K.MultiHeadAttention(3, 6), (5, 8), (7, 10), (7, 12)),
    "MultiHeadAttention value": called(lambda: K.MultiHeadAttention(3, 6, value_dim=4), (5, 8), (7, 10)),
    "Multiply": one(K.Multiply, LINE, LINE),
    "Normalization": one(lambda: K.Normalization(mean=1.5, variance=2.5), LINE),
    "Normalization adapted": one(K.Normalization, LINE),
    "PReLU": one(lambda: K.PReLU(shared_axes=[1]), LINE),
    "Permute": one(lambda: K.Permute((3, 1, 2)), FLAT),
    "RMSNormalization": one(K.RMSNormalization, LINE),
    "RNN": one(lambda: K.RNN(K.GRUCell(5), return_sequences=True), LINE),
    "RandAugment": one(K.RandAugment, IMAGE),
    "RandomBrightness": one(lambda: K.RandomBrightness(0.2), IMAGE),
    "RandomColorDegeneration": one(lambda: K.RandomColorDegeneration(0.2), IMAGE),
    "RandomColorJitter": one(lambda: K.RandomColorJitter(brightness_factor=0.2), IMAGE),
    "RandomContrast": one(lambda: K.RandomContrast(0.2), IMAGE),
    "RandomCrop": one(lambda: K.RandomCrop(5, 7), IMAGE),
    "RandomElasticTransform": one(K.RandomElasticTransform, IMAGE),
    "RandomErasing": one(K.RandomErasing, IMAGE),
    "RandomFlip": one(K.RandomFlip, IMAGE),
    "RandomGaussianBlur": one(K.RandomGaussianBlur, IMAGE),
    "RandomGrayscale": one(K.RandomGrayscale, IMAGE),
    "RandomHue": one(lambda: K.RandomHue(0.2), IMAGE),
    "RandomInvert": one(K.RandomInvert, IMAGE),
    "RandomPerspective": one(K.RandomPerspective, IMAGE),
    "RandomPosterization": one(lambda: K.RandomPosterization(4), IMAGE),
    "RandomRotation": one(lambda: K.RandomRotation(0.2), IMAGE),
    "RandomSaturation": one(lambda: K.RandomSaturation(0.2), IMAGE),
    "RandomSharpness": one(lambda: K.RandomSharpness(0.2), IMAGE),
    "RandomShear": one(lambda: K.RandomShear(0.2), IMAGE),
    "RandomTranslation": one(lambda: K.RandomTranslation(0.2, 0.1), IMAGE),
    "RandomZoom": one(lambda: K.RandomZoom(0.2), IMAGE),
    "ReLU": one(lambda: K.ReLU(max_value=6), LINE),
    "RepeatVector": one(lambda: K.RepeatVector(3), (4,)),
    "Rescaling": one(lambda: K.Rescaling(0.5), IMAGE),
    "Reshape": one(lambda: K.Reshape((6, -1)), FLAT),
    "Resizing": one(lambda: K.Resizing(5, 7), IMAGE),
    "ReversibleEmbedding": one(lambda: K.ReversibleEmbedding(13, 5), (7,), dtype="int32"),
    "STFTSpectrogram": op(
        lambda x: K.ReLU()(
            K.STFTSpectrogram(frame_length=64, frame_step=32, fft_length=128, window=None)(x)
        ),
        (640, 1),
    ),
    "SeparableConv1D": one(lambda: K.SeparableConv1D(7, 3, depth_multiplier=2), LINE),
    "SeparableConv2D": one(lambda: K.SeparableConv2D(7, (2, 3), depth_multiplier=2), FLAT),
    "SimpleRNN": one(lambda: K.SimpleRNN(5), LINE),
    "SimpleRNNCell": called(lambda: K.SimpleRNNCell(5), (4,), (5,)),
    "Softmax": one(lambda: K.Softmax(axis=1), LINE),
    "Solarization": one(K.Solarization, IMAGE),
    "SpatialDropout1D": one(lambda: K.SpatialDropout1D(0.2), LINE),
    "SpatialDropout2D": one(lambda: K.SpatialDropout2D(0.2), FLAT),
    "SpatialDropout3D": one(lambda: K.SpatialDropout3D(0.2), CUBE),
    "SpectralNormalization": one(lambda: K.SpectralNormalization(K.Conv2D(6, (2, 3))), FLAT),
    "StackedRNNCells": one(lambda: K.RNN([K.LSTMCell(5), K.LSTMCell(5)]), LINE),
    "StackedRNNCells sizes": op(
        lambda x: K.ReLU()(K.RNN([K.LSTMCell(5), K.LSTMCell(3)], name="cells_of_two_sizes")(x)), LINE
    ),
    "StringLookup": one(lambda: K.StringLookup(vocabulary=["a", "b", "c"]), (7,), dtype="string"),
    "Subtract": one(K.Subtract, LINE, LINE),
    "TextVectorization": one(
        lambda: K.TextVectorization(output_sequence_length=7, vocabulary=["a", "b"]), (1,), dtype="string"
    ),
    "TimeDistributed": one(lambda: K.TimeDistributed(K.Conv2D(6, (2, 3))), (5, 9, 11, 4)),
    "TimeDistributed dense": one(lambda: K.TimeDistributed(K.Dense(6)), LINE),
    "TimeDistributed model": one(lambda: K.TimeDistributed(tower()), (5, 9, 11, 4)),
    "UnitNormalization": one(K.UnitNormalization, LINE),
    "UpSampling1D": one(lambda: K.UpSampling1D(3), LINE),
    "UpSampling2D": one(lambda: K.UpSampling2D((2, 3), interpolation="bilinear"), FLAT),
    "UpSampling3D": one(lambda: K.UpSampling3D((2, 3, 4)), CUBE),
    "ZeroPadding1D": one(lambda: K.ZeroPadding1D((2, 3)), LINE),
    "ZeroPadding2D": one(lambda: K.ZeroPadding2D(((1, 2), (3, 4))), FLAT),
    "ZeroPadding3D": one(lambda: K.ZeroPadding3D(((1, 2), (3, 4), (5, 6))), CUBE),
}  # fmt: skip


def lora(layer: Any) -> Any:
    """Build a layer and give it a low-rank update."""
    layer.build((None, *LINE))
    layer.enable_lora(2)
    return layer


def tower() -> Any:
    """Build a small convolutional model."""
    x = keras.Input((9, 11, 4))
    return keras.Model(x, K.GlobalAveragePooling2D()(K.Conv2D(6, (2, 3), name="conv")(x)), name="tower")


OPERATIONS: dict[str, Build] = {
    "x[:, 0]": op(lambda x: x[:, 0], LINE),
    "x[:, -1]": op(lambda x: x[:, -1], LINE),
    "x[..., -1]": op(lambda x: x[..., -1], FLAT),
    "x[..., None]": op(lambda x: x[..., None], LINE),
    "x[:, None]": op(lambda x: x[:, None], LINE),
    "x[:, 1:3]": op(lambda x: x[:, 1:3], LINE),
    "x[:, -3:]": op(lambda x: x[:, -3:], LINE),
    "x[:, 1:9:2, ::3]": op(lambda x: x[:, 1:9:2, ::3], LINE),
    "x[:, ::-1]": op(lambda x: x[:, ::-1], LINE),
    "x[:, 8:2:-2]": op(lambda x: x[:, 8:2:-2], LINE),
    "x[:, 2, 1:3]": op(lambda x: x[:, 2, 1:3], FLAT),
    "x[:, 2, 3]": op(lambda x: x[:, 2, 3], FLAT),
    "x[:, None, 2]": op(lambda x: x[:, None, 2], FLAT),
    "x[:, 1:4, None, 2]": op(lambda x: x[:, 1:4, None, 2], FLAT),
    "x[0]": op(lambda x: x[0], LINE),
    "x[None, :]": op(lambda x: x[None, :], LINE, batch=2),
    "x[:, :]": op(lambda x: x[:, :], LINE),
    "x[..., :]": op(lambda x: x[..., :], LINE),
    "x[2:5, 1:]": op(lambda x: x[2:5, 1:], LINE, batch=9),
    "reshape": op(lambda x: ops.reshape(x, (-1, 11, 2, 2)), LINE),
    "reshape flat": op(lambda x: ops.reshape(x, (-1, 11)), LINE),
    "ravel": op(ops.ravel, LINE),
    "transpose": op(lambda x: ops.transpose(x, (0, 3, 1, 2)), FLAT),
    "transpose all": op(ops.transpose, FLAT),
    "swapaxes": op(lambda x: ops.swapaxes(x, 1, -1), FLAT),
    "moveaxis": op(lambda x: ops.moveaxis(x, 1, -1), FLAT),
    "concatenate": op(lambda x, y: ops.concatenate([x, y], axis=1), (5, 4), (7, 4)),
    "stack": op(lambda x, y: ops.stack([x, y], axis=1), LINE, LINE),
    "split": op(lambda x: ops.split(x, 2, axis=-1), LINE),
    "split one": op(lambda x: ops.split(x, 4, axis=-1)[1], LINE),
    "split at": op(lambda x: ops.split(x, [2, 5], axis=1), LINE),
    "unstack": op(lambda x: ops.unstack(x, axis=2), LINE),
    "matmul": op(ops.matmul, (5, 7), (7, 4)),
    "matmul operator": op(lambda x, y: x @ y, (3, 5, 7), (3, 7, 4)),
    "dot": op(ops.dot, (5, 7), (7, 4)),
    "einsum": op(lambda x, y: ops.einsum("bij,bjk->bik", x, y), (5, 7), (7, 4)),
    "mean": op(lambda x: ops.mean(x, axis=1), LINE),
    "mean kept": op(lambda x: ops.mean(x, axis=(1, 2), keepdims=True), FLAT),
    "mean all": op(ops.mean, LINE),
    "sum": op(lambda x: ops.sum(x, axis=-1), LINE),
    "sum batch": op(lambda x: ops.sum(x, axis=0), LINE),
    "max": op(lambda x: ops.max(x, axis=2), FLAT),
    "logsumexp": op(lambda x: ops.logsumexp(x, axis=1), LINE),
    "argmax": op(lambda x: ops.argmax(x, axis=-1), LINE),
    "pad": op(lambda x: ops.pad(x, ((0, 0), (1, 2), (3, 4))), LINE),
    "pad reflect": op(lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 1)), mode="reflect"), LINE),
    "expand_dims": op(lambda x: ops.expand_dims(x, 2), LINE),
    "squeeze": op(lambda x: ops.squeeze(x, 2), (5, 1, 4)),
    "repeat": op(lambda x: ops.repeat(x, 3, axis=1), LINE),
    "tile": op(lambda x: ops.tile(x, (1, 2, 3)), LINE),
    "softmax": op(lambda x: ops.softmax(x, axis=1), LINE),
    "log_softmax": op(ops.log_softmax, LINE),
    "where": op(lambda x, y: ops.where(x > 0, x, y), LINE, LINE),
    "cast": op(lambda x: ops.cast(x, "int32"), LINE),
    "images.resize": op(lambda x: ops.image.resize(x, (5, 7)), IMAGE),
    "take": op(lambda x: ops.take(x, [0, 2, 3], axis=1), LINE),
    "take one": op(lambda x: ops.take(x, 2, axis=1), LINE),
    "one_hot": op(lambda x: ops.one_hot(x, 13), (7,), dtype="int32"),
    "flip": op(lambda x: ops.flip(x, axis=1), LINE),
    "roll": op(lambda x: ops.roll(x, 2, axis=1), LINE),
    "cumsum": op(lambda x: ops.cumsum(x, axis=1), LINE),
    "top_k": op(lambda x: ops.top_k(x, 3), LINE),
    "norm": op(lambda x: ops.norm(x, axis=-1), LINE),
    "broadcast_to": op(lambda x: ops.broadcast_to(x, (2, 3, 11, 4)), (11, 4)),
    "relu": op(ops.relu, LINE),
    "gelu": op(ops.gelu, LINE),
    "sigmoid": op(ops.sigmoid, LINE),
    "arithmetic": op(lambda x, y: (x + 1.0) * y - x / 2.0 + (-x) ** 2, LINE, LINE),
    "comparison": op(lambda x, y: ops.logical_and(x > y, x <= 1.0), LINE, LINE),
    "broadcast": op(lambda x, y: x + y, (11, 4), (1, 4)),
    "maximum": op(ops.maximum, LINE, LINE),
    "square": op(lambda x: ops.sqrt(ops.square(x)), LINE),
    "clip": op(lambda x: ops.clip(x, 0, 1), LINE),
    "stop_gradient": op(ops.stop_gradient, LINE),
    "normalize": op(lambda x: ops.normalize(x, axis=-1), LINE),
    "conv": op(lambda x, k: ops.conv(x, k[0], strides=1), LINE, (3, 4, 5)),
    "max_pool": op(lambda x: ops.max_pool(x, 2), LINE),
    "average_pool": op(lambda x: ops.average_pool(x, (2, 3), strides=1, padding="same"), FLAT),
    "pad_images": op(lambda x: ops.image.pad_images(x, 1, 2, 20, 30) + 1.0, IMAGE),
    "x[:, ::-2, None, 1]": op(lambda x: x[:, ::-2, None, 1], FLAT),
    "x[..., 1:, None]": op(lambda x: x[..., 1:, None], LINE),
    "array": op(lambda x: x * np.ones((11, 4), "float32") + np.ones((4,), "float32"), LINE),
    "matmul array": op(lambda x: ops.matmul(x, np.ones((4, 5), "float32")), LINE),
    "einsum array": op(lambda x: ops.einsum("bij,jk->bik", x, np.ones((4, 5), "float32")), LINE),
    "conv array": op(lambda x: ops.conv(x, np.ones((2, 3, 4, 5), "float32"), strides=2), FLAT),
    "take two": op(lambda x: ops.take(x, [[0, 2, 3], [1, 4, 5]], axis=1), LINE),
    "take_along_axis": op(lambda x: ops.take_along_axis(x, ops.cast(x, "int32"), axis=1), LINE),
    "std": op(lambda x: ops.std(x, axis=1), LINE),
    "tensordot": op(lambda x, y: ops.tensordot(x, y, axes=1), (5, 7), (7, 4)),
    "tensordot axes": op(lambda x: ops.tensordot(x, np.ones((4, 6, 5), "float32"), axes=[[2], [0]]), LINE),
    "reshape shape": op(lambda x: ops.reshape(x, (ops.shape(x)[0], 44)), LINE),
}  # fmt: skip


def twice() -> Any:
    """Build a model that calls one layer twice, on inputs of different lengths."""
    x, y = keras.Input((5, 4), name="x"), keras.Input((7, 4), name="y")
    dense = K.Dense(6, name="shared")
    return keras.Model([x, y], [dense(x), dense(y)])


def nested() -> Any:
    """Build a model that calls another twice, and once more inside a third."""
    x = keras.Input((9, 11, 4), name="x")
    y = keras.Input((9, 11, 4), name="y")
    inner = tower()
    outer = keras.Sequential([K.Conv2D(4, 1, name="mix"), inner], name="outer")
    return keras.Model([x, y], K.Concatenate(name="join")([inner(x), inner(y), outer(x)]))


def several() -> Any:
    """Build a model of several inputs and outputs, by name."""
    x, y = keras.Input((5, 4), name="x"), keras.Input((6,), name="y")
    dense = K.Dense(6, name="dense")(x)
    total = K.Add(name="total")([ops.mean(dense, axis=1), y])
    return keras.Model({"x": x, "y": y}, {"total": total, "dense": dense})


def inner_several() -> Any:
    """Build a model around one of several inputs and outputs."""
    a, b = keras.Input((5, 4), name="a"), keras.Input((6,), name="b")
    return keras.Model([a, b], list(several()({"x": a, "y": b}).values()))


def open_axes() -> Any:
    """Build a model with an open height and width, and an open time."""
    image, text = keras.Input((None, None, 3), name="image"), keras.Input((None,), name="text", dtype="int32")
    pooled = K.GlobalAveragePooling2D()(
        K.ReLU()(K.Conv2D(6, (2, 3), padding="same")(K.Rescaling(0.5)(image)))
    )
    read = K.GRU(6)(K.Embedding(13, 5)(text))
    return keras.Model([image, text], K.Dense(7)(pooled + read))


def open_distributed() -> Any:
    """Build a model with an open number of steps, and a model on each of them."""
    x = keras.Input((None, 9, 11, 4), name="x")
    return keras.Model(x, K.LSTM(5)(K.TimeDistributed(tower())(x)))


def sequential() -> Any:
    """Build a sequential model."""
    return keras.Sequential([
        keras.Input((9, 11, 4)), K.Conv2D(6, (2, 3)), K.MaxPooling2D((2, 3)), K.Flatten(), K.Dropout(0.1),
        K.Dense(5),
    ])  # fmt: skip


def self_attention() -> Any:
    """Build a transformer block with operations between its layers."""
    x = keras.Input((7, 8), name="x")
    attention = K.MultiHeadAttention(2, 4, name="attention")
    y = K.LayerNormalization(name="norm")(x + attention(x, x, key=x))
    return keras.Model(x, ops.mean(y * ops.softmax(K.Dense(1, name="score")(y), axis=1), axis=1))


def fixed_batch() -> Any:
    """Build a model with a batch of a length of its own."""
    x = keras.Input((11, 4), batch_size=3, name="x")
    return keras.Model(x, ops.reshape(K.Dense(5)(x), (-1, 5)))


MODELS: dict[str, Callable[[], Any]] = {
    "twice": twice,
    "nested": nested,
    "several": several,
    "inner several": inner_several,
    "open axes": open_axes,
    "open distributed": open_distributed,
    "sequential": sequential,
    "self attention": self_attention,
    "fixed batch": fixed_batch,
}
