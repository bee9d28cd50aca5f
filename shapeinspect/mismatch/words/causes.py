"""The causes that a diagnosis may name, each with the sentence that states it."""

from __future__ import annotations

#: What is wrong, by a short name that programs can compare.
CAUSES: dict[str, str] = {
    "adapter": "one side has adapter (LoRA) weights and the other has none",
    "allocated": "the interpreter is allocated for another shape, and is not resized",
    "attention-heads": "the embedding size is not divisible by the number of heads",
    "axis": "an operation works along another axis than the rest of the program expects",
    "axis-outside": "an axis is named that the input does not have",
    "axis-order": "the new order does not name each axis of the input once",
    "baked": "the model was exported with a fixed length, and another one is fed",
    "baked-code": "a length became a fixed number when the model was exported, and another one is fed",
    "batch-first": "batch and time are in the other order than the layer expects",
    "batch-flattened": "the batch and the features are divided otherwise than the layer expects",
    "batch-mixed": "an earlier reshape changes the batch size",
    "batch-of-one": "in training mode, normalization needs more than one value per channel",
    "batched-twice": "batches are put together to batches once more",
    "broadcast": "the two shapes cannot be broadcast together",
    "channels": "the number of input channels does not match the layer",
    "channels-last": "the channels are on another axis than the layer expects",
    "class-index": "a label is out of range for the number of classes",
    "class-weights": "the loss has weights for a different number of classes",
    "color": "the picture is gray, and the model takes three colors",
    "concat-axis": "the inputs differ on an axis other than the concat axis",
    "contract": "the file declares a shape that its own layers do not produce",
    "dtype": "the input dtype does not match the layer",
    "exchanged": "the two inputs are in the wrong order",
    "extra-axis": "the input has one axis too many",
    "features": "the number of input features does not match the layer",
    "feed": "the array does not fit the declared input",
    "fixed-batch": "a batch size is fixed, and another number of samples comes",
    "file-layout": "the file's name ends as those of another layout do",
    "fused": "one side stores as one matrix what the other stores apart",
    "gradient": "the gradient that is passed does not have the shape of the tensor",
    "gray": "the picture has three colors, and the model takes gray ones",
    "groups-of-frames": "several groups of the length that the model takes stand on one axis",
    "groups": "the number of channels is not divisible by the number of groups",
    "in-place": "an in-place operation overwrote a value that the gradient needs",
    "index-range": "an index is out of range for the table",
    "index-outside": "an index is outside of its axis",
    "inner": "the inner dimensions of the product differ",
    "input-size": "the input size does not lead to the number of features that the layer expects",
    "kernel": "the stored kernel has another size than the settings say",
    "length": "two lengths that have to be equal differ",
    "mask": "the mask does not have the shape that is needed",
    "missing-axis": "the input has one axis too few",
    "keys-missing": "the checkpoint lacks weights that the model has",
    "keys-prefixed": "the checkpoint and the model put different prefixes before the same keys",
    "keys-renamed": "the checkpoint stores the same weights under other names",
    "keys-unexpected": "the checkpoint has weights that the model lacks",
    "misnamed": "an input is fed under the wrong name",
    "nested-checkpoint": "the weights are inside the checkpoint, one level deeper",
    "no-batch": "the batch axis is missing",
    "no-channel": "the channel axis is missing",
    "not-called": "a layer is given where a tensor belongs: it was not called",
    "not-made": "the class of a layer is given where a layer belongs",
    "not-built": "the model is not built yet, so it has no weights to load into",
    "not-contiguous": "view needs contiguous memory, and the axes of this tensor were permuted",
    "not-fed": "a required input is not fed",
    "not-expanded": "an axis of length 1 was not expanded to the length of the others",
    "not-flattened": "the input was not flattened before the layer",
    "rank": "the input has the wrong number of axes",
    "not-a-checkpoint": "what is loaded is not the weights of a model",
    "not-tensors": "the checkpoint's weights are arrays and not tensors",
    "one-hot": "the input is one-hot, but the layer expects indices",
    "other-architecture": "the checkpoint belongs to another architecture",
    "other-classes": "the checkpoint's output layer has another number of outputs",
    "other-depth": "the checkpoint's network has another number of layers than the model",
    "other-layer": "the weights are those of another layer",
    "other-model": "the array is what another model takes, whose output this one is to be fed",
    "other-settings": "the checkpoint is of a network built with other settings",
    "reparametrized": "one side stores its weights in parts (weight_norm, spectral_norm), the other whole",
    "opset": "a node has the form of another version of its operator than the model declares",
    "model-version": "the model is of a newer version than what runs it reads",
    "optimizer-groups": "the stored state of the optimizer belongs to other groups of weights",
    "optimizer-state": "the resumed state of the optimizer belongs to weights of other shapes",
    "over-samples": "an operation goes over all samples where one for each sample is meant",
    "output-size": "the outputs and the targets have different spatial sizes",
    "output-for-layer": "the output of a layer is given where the layer itself belongs",
    "painted": "the targets are pictures in colors, and the loss takes classes",
    "part-of-samples": "the samples come in batches, and something else counts all of them",
    "part-of-model": "the file holds the weights of a part of the model",
    "patches": "the image size is not divisible by the patch size",
    "places": "the indices to unpool with come from a pool of another shape",
    "position-table": "the checkpoint's position table has another length",
    "rank-of-operands": "what is combined has different numbers of axes",
    "ragged": "the samples of the batch have different shapes",
    "one-input": "the model takes one array but got several",
    "open-weight": "a weight is made with a length that is not known",
    "open-size": "a layer needs its number of input features, and an axis before the Flatten is open",
    "labels-for-classes": "the targets are class indices, and the loss takes one number for each class",
    "sample-weights": "the loss gives another number of values than there are sample weights",
    "samples-in-shape": "the declared input shape includes the number of samples",
    "time-axis": "the time axis is missing",
    "steps-of-images": "each step of the sequence is still an image",
    "cut-channels": "a reshape before takes the channels apart that are read together",
    "flat-inputs": "the arrays of several inputs are not grouped, so that only the first is read as an input",
    "list-inputs": "a generator gives several arrays as a list, where a tuple belongs",
    "named-targets": "a target is given under a name that no output has",
    "head-kept": "the network still ends in its own classifier, and its maps are read",
    "image-into-sequence": "an image is fed to a layer that reads a sequence",
    "channels-first-shape": "the declared input shape is channels first, and the layers read channels last",
    "reshape": "the reshape does not keep the number of elements",
    "renamed-in-part": "under other names, only a part of the checkpoint's weights is the model's",
    "return-sequences": "the recurrent layer before returns only its last step",
    "rounding": "a length does not divide evenly on the way, so that two sizes differ",
    "samples": "inputs and targets have different numbers of samples",
    "unequal-samples": "the inputs have different numbers of samples",
    "saved-model": "a SavedModel is opened otherwise than a model file",
    "scalar": "the tensor is a scalar, with no axes left",
    "several-inputs": "the model takes several inputs but got one array",
    "several-maps": "a function that takes one map is given several in one array",
    "several-outputs": "there are several outputs where one is expected",
    "space": "what is combined differs in height, width or length",
    "squeezed": "an earlier squeeze removes the batch axis when the batch size is 1",
    "state": "the initial state does not have the shape that the layer expects",
    "state-dict": "the weights that are loaded have other shapes than the layers",
    "stateful": "the layer keeps states for a different batch size",
    "steps-before": "the lengths of the sequences are those before the network shortens them",
    "steps-kept": "the recurrent layer before returns all its steps where only the last is expected",
    "swapped-axes": "the axes are in another order than is expected",
    "statistics": "the layer was adapted to data with other features than it is given",
    "stored": "what is stored does not have the shape of its place",
    "stored-transposed": "the weight is stored transposed",
    "symbolic": "a function that needs numbers is given a symbolic tensor",
    "targets": "the targets do not fit what the loss expects",
    "too-long": "a length that is given is larger than the sequence",
    "too-small": "the input is smaller than the kernel that slides over it",
    "two-channels": "the recording has two channels, and the model takes one",
    "unequal": "the tensors to stack have different shapes",
    "vocabulary": "the checkpoint's embedding has another number of rows",
    "unnamed": "an array is fed under a name that no input has",
    "unknown": "the operation does not take what it is given",
    "written-in-place": "the result does not have the shape of the array in which it is written",
    "weight-axis": "a weight is made for another axis than the one that is multiplied",
    "weights-too-few": "fewer weights are given than the layer has",
    "weights-too-many": "more weights are given than the layer has",
    "weights-alone": "the file holds weights alone, and no model that they belong to",
}

#: Kinds that combine several operands.
_OPERANDS = ("elementwise", "concat", "stack")
#: Kinds that read channels.
_CHANNELED = frozenset({
    "conv", "conv_transpose", "separable_conv", "local_conv", "conv_lstm", "max_pool", "avg_pool", "lp_pool",
    "batch_norm", "group_norm", "instance_norm", "module", "input", "unknown",
})  # fmt: skip
_TURNED = "the axes of one operand are in another order than those of the other"
_RANKS = "the inputs do not have the same number of axes"
_WINDOW = "the window is larger than what it is laid on"

#: What a cause is called at kinds for which its own words are not true.
_OF_KINDS = {
    **{(cause, kind): _TURNED for cause in ("channels-last", "batch-first") for kind in _OPERANDS},
    **{
        (cause, kind): _RANKS
        for cause in ("missing-axis", "extra-axis", "not-flattened")
        for kind in _OPERANDS
    },
    **{("space", kind): _WINDOW for kind in ("conv", "max_pool", "avg_pool", "lp_pool")},
    ("features", "attention"): "query, key and value do not fit each other or the layer",
    ("features", "elementwise"): "the two shapes cannot be broadcast together",
    ("batch-first", "loss"): "batch and time are in the other order than the loss expects",
    ("channels-last", "loss"): "the classes are on another axis than the loss expects",
    ("not-flattened", "loss"): "the outputs and the targets do not have the axes that the loss compares",
    ("missing-axis", "loss"): "the outputs and the targets do not have the axes that the loss compares",
    ("extra-axis", "loss"): "the outputs have one axis too many for the targets",
    ("space", "loss"): "the outputs and the targets have different spatial sizes",
    ("index-range", "gather"): "an index is out of range for its axis",
    ("index-range", "index"): "an index is out of range for its axis",
    ("index-range", "take_along"): "an index is out of range for its axis",
    ("index-range", "scatter"): "an index is out of range for its axis",
    ("input-size", "reshape"): "the input size does not lead to the number of elements that are asked for",
    ("input-size", "linear"): CAUSES["input-size"],
}
#: What is said of a cause at all other kinds, where its own words are about one kind.
_ELSEWHERE = {
    "input-size": "the input has another size than the network is made for",
}


def sentence(cause: str, kind: str) -> str:
    """Return what is wrong, in words that hold for a layer of this kind.

    Args:
        cause: a key of ``CAUSES``.
        kind: the kind of the layer that refuses.

    Example:
        >>> sentence("missing-axis", "concat")
        'the inputs do not have the same number of axes'
        >>> sentence("missing-axis", "conv")
        'the input has one axis too few'
    """
    if (cause, kind) in _OF_KINDS:
        return _OF_KINDS[cause, kind]
    if cause == "channels-last" and kind not in _CHANNELED:
        return CAUSES["swapped-axes"]
    return _ELSEWHERE.get(cause, CAUSES[cause])
