"""How users of torch write what can be changed in their source."""

from __future__ import annotations

import re

from shapeinspect.plugin_api.edit_words import AXES, EditWords, Effect

_FIRST = ("batch_first=True",)
_CONV = ("padding=1", "padding=2", "stride=2")
_UP = ("output_padding=1", "padding=1")
_KEPT = ("keepdim=True",)
_FORM = re.compile(r"\{\}\.(unsqueeze|squeeze|transpose|permute|flatten|argmax)\(([\d, -]+)\)")


def fits(form: str, shape: tuple[int, ...]) -> bool:
    """Tell whether a form of a tensor is another tensor, and none that torch refuses.

    Args:
        form: the form, with ``{}`` for the tensor.
        shape: the tensor's shape.

    Example:
        >>> fits("{}.squeeze(1)", (5, 1)), fits("{}.squeeze(1)", (5, 3)), fits("{}.transpose(1, 2)", (5, 3))
        (True, False, False)
    """
    found = _FORM.fullmatch(form)
    if found is None:
        return True
    rank, axes = len(shape), [int(axis) for axis in found[2].split(",")]
    if found[1] == "permute":
        return len(axes) == rank
    if found[1] == "unsqueeze":
        return -rank - 1 <= axes[0] <= rank
    if not all(-rank <= axis < rank for axis in axes):
        return False
    if found[1] == "squeeze":
        return shape[axes[0]] == 1
    if found[1] == "transpose":
        return shape[axes[0]] != shape[axes[1]]
    return found[1] != "flatten" or axes[0] < rank - 1


WORDS = EditWords(
    settings={
        **dict.fromkeys(("LSTM", "GRU", "RNN", "MultiheadAttention", "Transformer"), _FIRST),
        **dict.fromkeys(("TransformerEncoderLayer", "TransformerDecoderLayer"), _FIRST),
        **dict.fromkeys(("pad_sequence", "pack_padded_sequence", "pad_packed_sequence"), _FIRST),
        **dict.fromkeys(("Conv1d", "Conv2d", "Conv3d"), _CONV),
        **dict.fromkeys(("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"), _UP),
        **dict.fromkeys(
            ("MaxPool1d", "MaxPool2d", "AvgPool1d", "AvgPool2d"), ("ceil_mode=True", "padding=1")
        ),
        **dict.fromkeys(("mean", "sum", "max", "min", "norm", "std", "var", "argmax"), _KEPT),
        "DataLoader": ("drop_last=True",),
        "stft": ("center=False",),
    },
    words={"same": ("valid",), "valid": ("same",), "none": ("mean",)},
    plain=frozenset(
        {
            "permute",
            "transpose",
            "unsqueeze",
            "squeeze",
            "swapaxes",
            "movedim",
            "view",
            "reshape",
            "flatten",
            "unflatten",
            "t",
            "mean",
            "sum",
            "repeat",
            "expand",
            "argmax",
            "softmax",
        }
    ),
    wraps={
        "torch.Tensor": (
            "{}.unsqueeze(1)",
            "{}.unsqueeze(0)",
            "{}.unsqueeze(-1)",
            "{}.squeeze(1)",
            "{}.squeeze(-1)",
            "{}.squeeze(0)",
            "{}.transpose(1, 2)",
            "{}.transpose(0, 1)",
            "{}.permute(0, 3, 1, 2)",
            "{}.permute(0, 2, 3, 1)",
            "{}.flatten(1)",
            "{}.long()",
            "{}.float()",
            "{}.argmax(1)",
            "{}[0]",
        ),
    },
    renamed={
        "stack": ("cat",),
        "cat": ("stack",),
        "mm": ("matmul",),
        "bmm": ("matmul",),
        "dot": ("matmul",),
        "view": ("reshape",),
        "BCELoss": ("CrossEntropyLoss",),
        "BCEWithLogitsLoss": ("CrossEntropyLoss",),
        "CrossEntropyLoss": ("BCEWithLogitsLoss", "MSELoss"),
        "BatchNorm1d": ("BatchNorm2d",),
        "BatchNorm2d": ("BatchNorm1d",),
        "Conv1d": ("Conv2d",),
        "Conv2d": ("Conv1d",),
        "MaxPool1d": ("MaxPool2d",),
        "MaxPool2d": ("MaxPool1d",),
    },
    fits=fits,
    effects={
        **dict.fromkeys(("flatten", "ravel", "Flatten"), Effect.FLAT),
        "unsqueeze": Effect.MORE,
        "squeeze": Effect.LESS,
        **dict.fromkeys(("t", "T", "mT"), Effect.TURNED),
        **dict.fromkeys(("transpose", "swapaxes", "permute", "movedim", "moveaxis"), Effect.ORDER),
        **dict.fromkeys(("long", "float", "int", "bool", "to"), Effect.DTYPE),
    },
    axes=AXES
    | {
        "cat",
        "softmax",
        "log_softmax",
        "unsqueeze",
        "flatten",
        "size",
        "chunk",
        "unbind",
        "repeat_interleave",
    },
)
