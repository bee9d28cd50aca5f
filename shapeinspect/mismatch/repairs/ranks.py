"""The ladder of fixes: the one table from which their order is read.

A fix on a higher rung (a smaller rank) is tried first and shown first. Rungs of equal rank keep the order
in which ``proposals`` yields them. Where a family of fixes has several candidates (the nearest divisor, the
second nearest), they take consecutive ranks: ``Rung.DIVISOR + 1``.
"""

from __future__ import annotations

from enum import Enum


class Rung(int, Enum):
    """One rung of the ladder: its rank, and what the fix on it does."""

    meaning: str

    def __new__(cls, index: int, meaning: str) -> Rung:
        """Turn the rank into a number; the meaning distinguishes rungs of equal rank."""
        rung = int.__new__(cls, index)
        rung._value_ = (index, meaning)
        rung.meaning = meaning
        return rung

    def __repr__(self) -> str:
        """Name the rung."""
        return f"Rung.{self.name}"

    # The cause is certain: the framework, the file or the numbers prove it.
    SQUEEZE_KEEPS_BATCH = 4, "replace a squeeze that removed the batch axis"
    TRANSPOSED_VALUE = 4, "transpose a weight that the user sets"
    EDITED = 4, "edit the user's own statement as the debugger found it"
    LOADED = 4, "load stored weights as was tried"
    RENAMED_INPUT = 4, "feed an array under the input's own name"
    DIVISOR = 5, "choose the nearest setting that divides"
    OUTPUT_TARGETS = 5, "give each output a target"
    SPLIT_ARRAY = 5, "split an array into the inputs"
    FIRST_OUTPUT = 5, "take the first of several outputs"
    EQUAL_SAMPLES = 5, "resize the samples of a batch to one size"
    DTYPE = 5, "cast to the dtype that the call takes"
    OUT_OF_PLACE = 5, "compute a new value instead of overwriting one"
    CHECKPOINT_SIZES = 5, "build the layers as the checkpoint has them"
    EXCHANGED_INPUTS = 5, "pass two inputs in the other order"
    ALL_STEPS = 5, "let a recurrent layer return all its steps"
    LAST_STEP = 5, "let a recurrent layer return its last step"
    SPARSE_LOSS = 5, "choose the loss for class indices, or the one for one-hot rows"
    CONTIGUOUS = 5, "copy a tensor before a view"
    LARGER_TABLE = 5, "build a table that includes the largest index"
    LABELS_FROM_ZERO = 5, "count labels from 0"
    DECLARED_SHAPE = 5, "declare the shape that the layers produce"
    PADDED_SAMPLES = 6, "pad the samples of a batch to one size"
    MORE_SAMPLES = 6, "feed batches of two samples or more"
    PARTIAL_LOAD = 6, "leave out the weights that do not fit"
    LOADED_IN_PART = 6, "load the stored weights that fit, as was tried"
    MORE_CLASSES = 6, "build a last layer that includes the largest label"
    MISSING_INPUT = 6, "feed the missing inputs"
    EVALUATION = 7, "switch to evaluation mode"

    # One array or state has another axis order than its reader; nothing else explains the lengths so well.
    TRANSPOSED_MASK = 8, "transpose a mask"
    ARRANGED_MASK = 8, "bring a mask into the shape that attention reads, with all its entries"
    FED_STATES = 8, "feed states of the layer's own shape"
    SPLIT_SAMPLES = 8, "split the samples that were flattened together"
    ARGMAX_OF_ONE_HOT = 9, "look up class numbers instead of one-hot rows"
    BATCH_OF_VECTOR = 9, "add the batch axis to a vector"
    ARRANGED_STATE = 9, "swap or add an axis of a state"
    STATE_WIDTH = 9, "build the layer for the width of the fed states"
    MISSING_FEED_AXIS = 9, "add an axis to a feed, the first one first"
    TARGETS_ARGMAX = 9, "turn one-hot targets into class indices"
    PLAIN_BATCH = 9, "add the batch axis: all other axes fit"
    EXTRA_STEP_AXIS = 9, "remove an axis of length 1 from a sequence"

    # Rearrangements that make every length fit. For inputs of a layer in the middle: see BELOW_INPUTS.
    CHANNELS_MOVED = 10, "move the channels to where the layer reads them"
    CHANNEL_ADDED = 10, "add the channel axis"
    CHANNELS_MOVED_BATCH_ADDED = 10, "move the channels and add the batch axis"
    FLATTENED = 10, "flatten to the features that the layer takes"
    STEPS_SWAPPED = 10, "move the features of a sequence to the last axis"
    STEP_AXIS = 10, "add the axis of a single feature"
    STEPS_OF_IMAGE = 10, "flatten each step of a sequence of images"
    HEADS_SWAPPED = 10, "move the embedding to the last axis"
    NORM_CHANNELS = 10, "move the channels to where the norm reads them"
    PRODUCT_RIGHT = 10, "transpose the right matrix of a product"
    GATHER_AXIS = 10, "add the axis that the indices lack"
    DOT_AXES = 10, "multiply along axes of one length"
    LATER_TARGETS = 10, "drop the first targets of a sequence"
    SHUFFLE_CHANNELS = 10, "produce as many channels as a pixel shuffle spreads"
    FEED_PERMUTED = 10, "permute a feed"
    FEED_FLATTENED = 10, "flatten a feed"
    LOSS_TIME_FIRST = 10, "swap batch and time of the outputs"
    LOSS_SQUEEZED = 10, "remove an axis of length 1 from the targets"
    LOSS_CHANNELS = 10, "move the classes to axis 1"
    LOSS_FLATTENED = 10, "flatten outputs of single numbers"
    LOSS_ALIGNED = 10, "remove an axis of length 1 that outputs or targets lack"
    LOSS_ROWS = 11, "merge batch and time, so that classes stand on axis 1"
    BATCH_RESHAPED = 11, "add the batch axis while reshaping"
    BATCH_AND_CHANNEL = 11, "add the batch axis and the channel axis"
    BATCH_OF_SEQUENCE = 11, "add the batch axis to a sequence"
    IMAGE_TO_STEPS = 11, "make one spatial axis of an image the time"
    PRODUCT_LEFT = 11, "transpose the left matrix of a product"
    FEED_SQUEEZED = 11, "remove an axis of length 1 from a feed"
    EXTRA_AXIS = 12, "remove an axis of length 1"
    UNBUILT_AXIS = 12, "add an axis for a layer that takes any number of channels"
    POOLED_TO_CHANNELS = 12, "average over space, then flatten"
    SEQUENCE_AXIS = 12, "add the axis of a single step"
    NORM_FLATTENED = 12, "flatten to what the norm takes"
    PRODUCT_CHANNELS = 12, "move the channels of the left operand of a product"
    PRODUCT_MATRICES = 12, "turn the vectors of a product into matrices"
    EINSUM_SWAPPED = 12, "permute an operand to the letters of an einsum"
    LOSS_MERGED = 12, "merge axes, so that outputs and targets are equally many"
    FEED_BATCH_AND_CHANNEL = 12, "add the batch axis and the channel axis to a feed"
    STORED_TRANSPOSED = 12, "transpose a stored matrix"
    FRAMES_MERGED = 13, "merge the batch and an axis that is too many"
    SPACE_ADDED = 13, "add the spatial axes that are missing"
    LINEAR_PERMUTED = 13, "move the features to the last axis"
    NORM_BATCH = 13, "add the batch axis to what a norm reads"
    LOSS_EXTRA_AXIS = 13, "remove an axis of length 1 from the outputs"
    BATCH_SWAPPED = 14, "swap the batch and the channels"
    STEPS_FLATTENED = 14, "flatten a sequence into a single step"
    NORM_SPACE = 14, "add the spatial axes that a norm needs"
    NORM_INSIDE = 14, "permute around a norm"
    LOSS_BATCH = 14, "add the batch axis to the outputs"
    CHANNELS_FROM_INSIDE = 15, "move the channels out of the spatial axes"
    SINGLE_FEATURE = 15, "add the axis of a single feature to what a linear layer reads"
    NORM_SPACE_FLATTENED = 15, "flatten the spatial axes for a norm of sequences"
    EXPANDED = 16, "expand what is stored for one sample"
    OPERAND_PERMUTED = 18, "permute one operand of a sum or concatenation"
    LAST_STATE = 18, "take the state of the last layer for each step"
    MEMORY_SWAPPED = 18, "swap batch and time of what attention looks at"
    LINEAR_SQUEEZED = 18, "remove an axis of length 1 before a linear layer"

    # It fits, but another reading is possible.
    INTEGER_INDICES = 20, "cast indices to integers"
    MULTIPLE = 20, "round a length up to a multiple of the setting"
    OTHER_AXIS = 20, "join along another axis"
    FEWER_AXES = 20, "permute only the axes that there are"
    ONE_HOT_TARGETS = 20, "turn class indices into one-hot rows"
    FEED_RESHAPED = 20, "reshape a feed"
    WINDOW_AXIS = 20, "add an axis that a window needs"
    COLOR_LAYER = 21, "build a layer of one channel for the channels that it gets"
    COLOR_INPUT = 22, "average or repeat the color channels of the input"
    TRAILING_AXES = 22, "add trailing axes, so that a vector spreads over space"
    INNER_AXES = 23, "add inner axes, so that a vector spreads over time"
    SPACE_SWAPPED = 24, "swap height and width"
    SINGLE_AXIS = 24, "add an axis where the other operand has length 1"
    REPEATED = 25, "repeat a per-sample tensor along time or space"
    LAST_WIDTH = 25, "build the last layer for the width of the targets"
    OPERAND_FLATTENED = 26, "flatten one operand to the axes of the other"
    ONE_COLOR = 26, "take one color of labels that are read as colored pictures"
    FEED_RESIZED = 26, "feed another shape"
    BATCH_FIRST_SETTING = 27, "change batch_first"
    TRIMMED = 27, "reduce the output padding of a transposed convolution"
    EXTENDED = 27, "add output padding to the last transposed convolutions"
    PADDED = 28, "pad the last convolutions of a branch so that they keep the size"
    REMADE = 28, "make a mask or a state for the lengths that are there"
    RECOUNTED = 28, "state the lengths of the sequence itself"
    BATCH_FIRST_INPUT = 28, "swap batch and time of the input"
    OPERAND_SQUEEZED = 28, "remove an axis of length 1 from one operand"
    CUT_INPUT = 29, "cut the input to the length of a stored table"
    NO_STATE = 29, "leave out a first state of zeros"
    CONSTANT_STATE = 29, "create the first state in the layer's shape"
    CUT_MASK = 29, "cut a mask to the lengths of queries and keys"
    DECLARED_IMAGE = 29, "feed the declared shape, for images"
    EDITED_OTHERWISE = 29, "edit that statement so that it means something else"
    RESIZED_OUTPUT = 29, "resize the outputs to the targets"

    # Another input size (see SIZES_FROM), or another size of a layer.
    INPUT_SIZE = 30, "feed another input size"
    OTHER_RESHAPE = 30, "let one axis of a reshape follow from the others"
    OPERAND_AXIS = 30, "add an axis to one operand"
    STATE_MAKER = 30, "build the layer that produced the state like the one that reads it"
    LOSS_LAST_STEP = 30, "compare the last step with the targets"
    LOSS_RESIZED = 30, "resize the outputs to the targets, the channels being on axis 1"
    STATE_READER = 31, "build the layer that reads the state like the one that produced it"
    NEW_MASK = 31, "create the mask anew"
    LOSS_ALL_STEPS = 31, "flatten the outputs of all steps"
    BATCH_KEPT = 32, "flatten all but the batch"
    RESHAPED_WIDTH = 32, "build the layer before for what the reshape asks for"
    CUT_STATE = 33, "cut the state to a smaller batch"

    # The model is changed to suit what it is fed (see SETTINGS_FROM).
    CUT_OPERAND = 34, "cut the longer sequence"
    WIDER_PADDING = 35, "pad more"
    NEW_STATE = 35, "create the state anew"
    SMALLER_KERNEL = 36, "take a smaller window"
    SAME_PADDING = 37, "pad to keep the size"
    KEYS_WIDTH = 37, "build the layer before for the width of attention"
    KEYS_SETTING = 38, "build attention for the widths of keys and values"
    PROJECTED = 38, "project the operand with fewer channels"
    PROJECTED_DOWN = 39, "project the operand with more channels"
    OWN_WIDTH = 40, "build the layer for the width that it gets"
    OPERAND_WIDTH = 41, "build the layer that produced an operand for the width of the other"
    OTHER_OPERAND_WIDTH = 42, "build the last layer for the width of the targets of a loss"
    WIDTH_BEFORE = 42, "build the layer before for the width that the next one takes"
    BATCH_AND_REST = 42, "reshape to the batch and the rest"
    STORED_MATRIX = 43, "store a matrix of another size"
    DECLARED_TABLE = 43, "feed the declared shape, for tables"
    SWAPPED_RESHAPE = 44, "reshape to the lengths in the other order"
    POOLED = 45, "pool to one size before the flatten"

    # Two branches differ in spatial size: a layer is inserted.
    STRIDED_SHORTCUT = 50, "stride the shortcut"
    CROPPED = 52, "crop the larger operand"
    INTERPOLATED = 54, "resize one operand to the other"


#: How far a rearrangement of an inner layer's input ranks below one of the model's own input.
BELOW_INPUTS = 2
#: From this rank on, a fix is tried only after the search for input sizes, which has this rank.
SIZES_FROM = Rung.INPUT_SIZE
#: From this rank on, a fix changes the model to suit an input; if one before SIZES_FROM helps, it is
#: omitted.
SETTINGS_FROM = Rung.CUT_OPERAND
