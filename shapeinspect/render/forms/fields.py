"""What each column of the table and each field of a record holds: meaning, types, and place in JSON."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """One column of the table or field of a record.

    Args:
        meaning: what it holds, as Markdown.
        types: what its values in a record are; empty where records do not have it. An amount that depends
            on symbols is a text; None is what is not known.
        json: its place in the JSON of ``show``: a key of a layer, or the keys that lead there.
    """

    meaning: str
    types: tuple[type, ...] = ()
    json: str = ""


_NONE = type(None)
#: The columns and fields by the names that they are asked for by; those of a record in its order.
MEANINGS: dict[str, Field] = {
    "layer": Field(
        "The name of the layer, indented below what contains it. It names the layer in every command.",
        json="path",
    ),
    "path": Field("The whole name of the layer.", (str,), "path"),
    "kind": Field(
        "What it is in the vocabulary; `linear or embedding?` where the weights allow both, `?` where "
        "nothing is known.",
        (str,),
        "kind",
    ),
    "type": Field("What the source itself calls it.", (str,), "type"),
    "calls": Field("How often it is called.", (int,), "calls"),
    "from": Field("What it reads: layers, or inputs of the model.", (str,), "calls.inputs.name"),
    "input": Field("What goes in, a shape with letters.", (str,), "calls.inputs.shape"),
    "output": Field(
        "What comes out; several calls with different shapes have a row each.", (str,), "calls.outputs.shape"
    ),
    "settings": Field(
        "What the layer does, in the notation of [Letters and settings](letters.md#settings).",
        (str,),
        "attributes",
    ),
    "weights": Field(
        "Its weights as they are stored. In CSV, those of a layer are separated by semicolons.",
        (str,),
        "weights.native",
    ),
    "common": Field(
        "The same weights in the common convention; empty where that is not proven.", (str,), "weights.common"
    ),
    "params": Field(
        "How many parameters it has. Buffers, such as running statistics, are none.",
        (int, _NONE),
        "params",
    ),
    "share": Field(
        "Its part of the model's parameters: in the table in percent, in a record as a fraction.",
        (float, _NONE),
    ),
    "trainable": Field(
        "Whether an optimizer would change its parameters; in a record, how many of them.",
        (int, _NONE),
        "trainable",
    ),
    "buffers": Field("How many numbers it stores that are no parameters.", (int,), "buffers"),
    "bytes": Field("The bytes of its weights as they are stored.", (int, _NONE), "bytes"),
    "macs": Field(
        "Multiply-accumulates; in the table for one sample, in a record for the whole batch.",
        (int, str, _NONE),
        "calls.macs",
    ),
    "activations": Field(
        "The bytes of what it returns; in the table for one sample, in a record for the whole batch.",
        (int, str, _NONE),
    ),
    "kept": Field("The bytes that training keeps of it for the backward pass.", (int, str, _NONE)),
}

#: The fields of a record, in this order; see ``records``.
FIELDS = tuple(name for name, field in MEANINGS.items() if field.types)
