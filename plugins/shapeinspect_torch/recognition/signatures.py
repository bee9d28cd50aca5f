"""Recognizes the ``torch.nn`` base of pickled modules of custom classes by settings and weights.

A pickle names a class and not its bases. Its settings reveal them: a subclass of ``nn.Conv2d`` has all
attributes that ``nn.Conv2d.__init__`` sets, and a weight of the shape that follows. The name of a class
proves nothing: any class may be called ``Linear``.

Source: ``__init__`` of each class of ``torch.nn.modules``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from shapeinspect.dims import Shape
from shapeinspect_torch.vocabulary.kinds import describe, native_name

_Settings: TypeAlias = "Mapping[str, Any]"
_Shapes: TypeAlias = "Mapping[str, Shape]"


@dataclass(frozen=True, slots=True)
class Signature:
    """How an instance of a class, or of a subclass, is recognized.

    Args:
        settings: the attributes that the class sets.
        native: returns the class of ``torch.nn`` from settings, shapes and the module's class name, or
            None.
    """

    settings: str
    native: Callable[[_Settings, _Shapes, str], str | None]


def _conv(a: _Settings, shapes: _Shapes, _name: str) -> str | None:
    kernel, groups = tuple(a["kernel_size"]), a["groups"]
    ends = (a["out_channels"], a["in_channels"] // groups)
    if a["transposed"]:
        ends = (a["in_channels"], a["out_channels"] // groups)
    if shapes.get("weight") != (*ends, *kernel):
        return None
    return f"Conv{'Transpose' if a['transposed'] else ''}{len(kernel)}d"


def _embedding(a: _Settings, shapes: _Shapes, _name: str) -> str | None:
    if shapes.get("weight") != (a["num_embeddings"], a["embedding_dim"]):
        return None
    return "EmbeddingBag" if "include_last_offset" in a else "Embedding"


def _linear(a: _Settings, shapes: _Shapes, _name: str) -> str | None:
    return "Linear" if shapes.get("weight") == (a["out_features"], a["in_features"]) else None


def _batch_norm(a: _Settings, shapes: _Shapes, name: str) -> str | None:
    # An instance norm sets the same; it rarely keeps statistics, and then only its name identifies it.
    fits = shapes.get("running_mean") == (a["num_features"],) == shapes.get("running_var")
    return "BatchNorm2d" if fits and "Instance" not in name else None


def _layer_norm(a: _Settings, shapes: _Shapes, name: str) -> str | None:
    if shapes.get("weight") != tuple(a["normalized_shape"]):
        return None
    return "LayerNorm" if "bias" in shapes else "RMSNorm" if "RMS" in name else None


def _group_norm(a: _Settings, shapes: _Shapes, _name: str) -> str | None:
    fits = shapes.get("weight") == (a["num_channels"],) and a["num_channels"] % a["num_groups"] == 0
    return "GroupNorm" if fits else None


def _recurrent(a: _Settings, shapes: _Shapes, _name: str) -> str | None:
    cell = {"LSTM": ("LSTM", 4), "GRU": ("GRU", 3), "RNN_TANH": ("RNN", 1), "RNN_RELU": ("RNN", 1)}.get(
        a["mode"]
    )
    if cell is None or shapes.get("weight_ih_l0") != (cell[1] * a["hidden_size"], a["input_size"]):
        return None
    return cell[0]


SIGNATURES: tuple[Signature, ...] = (
    Signature(
        "in_channels out_channels kernel_size stride padding dilation transposed output_padding groups"
        " padding_mode",
        _conv,
    ),
    Signature("num_embeddings embedding_dim max_norm norm_type scale_grad_by_freq sparse", _embedding),
    Signature("num_features eps momentum affine track_running_stats", _batch_norm),
    Signature("normalized_shape eps elementwise_affine", _layer_norm),
    Signature("num_groups num_channels eps affine", _group_norm),
    Signature("mode input_size hidden_size num_layers bidirectional batch_first", _recurrent),
    Signature("in_features out_features", _linear),
)


def recognize(class_name: str, settings: _Settings, shapes: _Shapes) -> tuple[str, dict[str, Any], str]:
    """Return a pickled module's kind, its settings in the vocabulary's terms and its class of ``torch.nn``.

    Args:
        class_name: its class with the module that defines it.
        settings: its plain attributes.
        shapes: its own weights by role.

    Example:
        >>> held = {"weight": (3, 5), "bias": (3,)}
        >>> recognize("my.nets.Linear", {"in_features": 5, "out_features": 3}, held)[2]
        'Linear'
        >>> recognize("my.nets.Linear", {}, held)[0]
        'unknown'
    """
    own = class_name.rpartition(".")[2]
    if is_of_torch(class_name):
        return *_described(class_name, settings), native_name(own)
    for row in SIGNATURES:
        if not all(name in settings for name in row.settings.split()):
            continue
        try:
            native = row.native(settings, shapes, own)
        except (ArithmeticError, LookupError, TypeError, ValueError):
            continue
        if native is not None:
            return *_described(native, settings), native
    if own.endswith("RMSNorm") and list(map(len, shapes.values())) == [1] and "weight" in shapes:
        eps = settings.get("eps", settings.get("variance_epsilon"))
        attributes = {
            "normalized_shape": shapes["weight"],
            **({"eps": eps} if isinstance(eps, float) else {}),
        }
        return "rms_norm", attributes, "RMSNorm"
    if own == "Conv1D" and shapes.get("weight") == (settings.get("nx"), settings.get("nf")):
        # GPT-2's linear layer, whose weight is in × out.
        ends = {"in_features": settings["nx"], "out_features": settings["nf"]}
        return "linear", ends, "Conv1D"
    return "unknown", {}, own


def is_of_torch(class_name: str) -> bool:
    """Tell whether a class may be torch's own, which a name without a module leaves open.

    Args:
        class_name: a class with the module that defines it.
    """
    return "." not in class_name or class_name.partition(".")[0] == "torch"


def _described(class_name: str, settings: _Settings) -> tuple[str, dict[str, Any]]:
    try:
        return describe(class_name, settings)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        # Settings that no such class has: the file gives a class of torch other attributes.
        return "unknown", {}
