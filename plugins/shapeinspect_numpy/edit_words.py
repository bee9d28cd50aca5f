"""How users of NumPy write what can be changed in their source."""

from __future__ import annotations

from shapeinspect.plugin_api.edit_words import AXES, EditWords, Effect

WORDS = EditWords(
    settings=dict.fromkeys(("mean", "sum", "max", "min", "std", "argmax"), ("keepdims=True",)),
    plain=frozenset(
        {
            "expand_dims",
            "squeeze",
            "transpose",
            "reshape",
            "swapaxes",
            "moveaxis",
            "ravel",
            "flatten",
            "repeat",
            "tile",
            "mean",
            "argmax",
        }
    ),
    wraps={
        "numpy.ndarray": (
            "{}[None]",
            "{}[..., None]",
            "{}[:, None]",
            "{}[0]",
            "{}[..., 0]",
            "{}.T",
            "{}.transpose(0, 3, 1, 2)",
            "{}.transpose(0, 2, 3, 1)",
            "{}.transpose(2, 0, 1)[None]",
            "{}.transpose(1, 2, 0)",
            '{}.astype("float32")',
            '{}.astype("int64")',
            '{}.astype("int32")',
            '{}.astype("uint8")',
            "{}.swapaxes(1, 2)",
            "{}.reshape(len({}), -1)",
        ),
    },
    renamed={
        "stack": ("concatenate",),
        "concatenate": ("stack",),
        "vstack": ("hstack",),
        "hstack": ("vstack",),
        "append": ("concatenate",),
        "dot": ("multiply",),
    },
    effects={
        **dict.fromkeys(("flatten", "ravel"), Effect.FLAT),
        "expand_dims": Effect.MORE,
        "squeeze": Effect.LESS,
        **dict.fromkeys(("T", "mT"), Effect.TURNED),
        **dict.fromkeys(("transpose", "swapaxes", "moveaxis"), Effect.ORDER),
        "astype": Effect.DTYPE,
    },
    axes=AXES | {"expand_dims", "size", "take"},
)
