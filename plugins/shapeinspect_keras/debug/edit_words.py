"""How users of Keras and TensorFlow write what can be changed in their source."""

from __future__ import annotations

from shapeinspect.plugin_api.edit_words import AXES, EditWords, Effect

_ROWS = ("return_sequences=True", "return_state=True")
_SAME = ('padding="same"',)
_KEPT = ("keepdims=True",)
_TENSOR = (
    "{}[..., None]",
    "{}[None]",
    "{}[:, None]",
    "{}[0]",
    "{}[..., 0]",
)

WORDS = EditWords(
    settings={
        **dict.fromkeys(("LSTM", "GRU", "SimpleRNN", "ConvLSTM2D"), _ROWS),
        **dict.fromkeys(
            ("Conv1D", "Conv2D", "Conv3D", "MaxPooling2D", "MaxPool2D", "AveragePooling2D"), _SAME
        ),
        **dict.fromkeys(("Conv2DTranspose", "Conv1DTranspose", "MaxPooling1D", "UpSampling2D"), _SAME),
        **dict.fromkeys(("reduce_mean", "reduce_sum", "reduce_max", "mean", "sum", "max"), _KEPT),
        "batch": ("drop_remainder=True",),
        "MobileNetV2": ("include_top=False",),
        "ResNet50": ("include_top=False",),
        "VGG16": ("include_top=False",),
    },
    words={
        "same": ("valid",),
        "valid": ("same",),
        "channels_first": ("channels_last",),
        "channels_last": ("channels_first",),
        "categorical_crossentropy": ("sparse_categorical_crossentropy",),
        "sparse_categorical_crossentropy": ("categorical_crossentropy", "binary_crossentropy"),
        "binary_crossentropy": ("sparse_categorical_crossentropy", "categorical_crossentropy"),
        "binary": ("categorical", "sparse"),
        "categorical": ("binary", "sparse"),
        "sparse": ("categorical",),
        "grayscale": ("rgb",),
        "rgb": ("grayscale",),
        "softmax": ("sigmoid",),
    },
    plain=frozenset(
        {
            "expand_dims",
            "squeeze",
            "transpose",
            "reshape",
            "reduce_mean",
            "reduce_sum",
            "to_categorical",
            "one_hot",
            "Flatten",
            "Reshape",
            "Permute",
            "RepeatVector",
            "batch",
            "argmax",
        }
    ),
    wraps={
        "tensorflow.EagerTensor": _TENSOR,
        "tensorflow.SymbolicTensor": _TENSOR,
        "keras.KerasTensor": _TENSOR,
    },
    renamed={
        "CategoricalCrossentropy": ("SparseCategoricalCrossentropy",),
        "SparseCategoricalCrossentropy": ("CategoricalCrossentropy", "BinaryCrossentropy"),
        "BinaryCrossentropy": ("SparseCategoricalCrossentropy", "CategoricalCrossentropy"),
        "CategoricalAccuracy": ("SparseCategoricalAccuracy",),
        "Concatenate": ("Add",),
        "stack": ("concat",),
        "concat": ("stack",),
        "GlobalAveragePooling2D": ("GlobalAveragePooling1D",),
        "GlobalAveragePooling1D": ("GlobalAveragePooling2D",),
        "GlobalMaxPooling1D": ("GlobalMaxPooling2D",),
        "Flatten": ("GlobalAveragePooling2D", "GlobalAveragePooling1D"),
    },
    effects={
        **dict.fromkeys(("ravel", "Flatten"), Effect.FLAT),
        "expand_dims": Effect.MORE,
        "squeeze": Effect.LESS,
        **dict.fromkeys(("transpose", "swapaxes", "moveaxis"), Effect.ORDER),
    },
    axes=AXES | {"Concatenate", "softmax", "log_softmax", "expand_dims", "take"},
)
