"""The causes that a diagnosis may name, each with the sentence that says it."""

from __future__ import annotations

#: What is wrong, by a short name that programs can compare.
CAUSES: dict[str, str] = {
    "attention-heads": "the embedding does not divide into that many heads",
    "batch-first": "batch and time stand in the other order than the layer reads them",
    "batch-flattened": "the batch was flattened together with the features",
    "batch-of-one": "in training, normalization needs more than one value a channel",
    "broadcast": "the two shapes do not broadcast",
    "channels": "the input has another number of channels than the layer was built for",
    "channels-last": "the channels stand in another place than the layer reads them",
    "class-index": "a label is outside the classes that the last layer knows",
    "concat-axis": "the parts differ on another axis than the one they are joined along",
    "contract": "the file declares a shape that its own layers contradict",
    "dtype": "the numbers are of another type than the layer takes",
    "extra-axis": "there is an axis more than the layer takes",
    "features": "the layer was built for another number of features than it is given",
    "feed": "what is fed does not fit the input that the model declares",
    "groups": "the channels do not divide into that many groups",
    "index-range": "an index is outside the table that it is looked up in",
    "in-place": "a value that the gradient needs was overwritten in place",
    "input-size": "the input's size leads to another number of features than the layer was built for",
    "length": "the sequence is longer or shorter than what it meets",
    "missing-axis": "an axis is missing",
    "no-batch": "the batch axis is missing",
    "no-channel": "the channel axis is missing",
    "not-contiguous": "view cannot read a tensor whose axes were moved",
    "not-flattened": "the input was not flattened before the layer",
    "reshape": "the reshape asks for another number of elements than there are",
    "rounding": "an odd length was rounded on one way and not on the other, so the two do not meet again",
    "scalar": "the tensor has no axes left",
    "state-dict": "the checkpoint was made for other layer sizes",
    "swapped-axes": "two axes are swapped",
    "targets": "the targets do not have the form that the loss takes",
    "too-small": "the input is too small for the windows that slide over it",
    "unknown": "the shapes do not fit",
}
