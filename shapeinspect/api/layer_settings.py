"""The common settings of layers, declared with their types, so that editors and type checkers know them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, overload

from shapeinspect.dims import Dim

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

_MISSING = object()


class Setting(Generic[T]):
    """A setting that layers of some kinds have; reading it from a layer that lacks it is an AttributeError.

    Args:
        doc: what it is, in one sentence.

    Example:
        >>> LayerSettings.stride.__doc__
        'The step of the window, one per spatial axis.'
    """

    def __init__(self, doc: str) -> None:
        self.__doc__ = doc
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, layer: None, owner: type) -> Setting[T]: ...
    @overload
    def __get__(self, layer: LayerSettings, owner: type) -> T: ...
    def __get__(self, layer: LayerSettings | None, owner: type) -> Setting[T] | T:
        if layer is None:
            return self
        value: Any = layer.attributes.get(self.name, _MISSING)
        if value is _MISSING:
            raise AttributeError(self.name)  # the owner's __getattr__ writes the message
        setting: T = value
        return setting

    def __set__(self, layer: LayerSettings, value: NoReturn) -> None:
        raise AttributeError(f"the setting {self.name!r} of a layer cannot be changed")


class LayerSettings:
    """The common settings of layers, under the field's standard names.

    A layer has the settings of its kind (``plugins/README.md`` lists them); any other raises an
    AttributeError that names the layer's kind and the settings that it has. So does a setting that the
    source does not record: there are no default values here.

    ``UNKNOWN`` (``shapeinspect.dims.UNKNOWN``, printed ``?``) stands for a number that exists but is only
    known when the model runs, as where an ONNX graph computes it; an expression or a symbol for one that
    depends on the size of an input. None has a meaning of its own, which the setting's docstring gives.
    """

    if TYPE_CHECKING:

        @property
        def attributes(self) -> Mapping[str, Any]:
            """Every setting by its name."""

    # Windows: convolutions, pooling, unfold.
    kernel_size = Setting[tuple[int, ...]]("The lengths of the kernel, one per spatial axis.")
    stride = Setting[tuple[int, ...]]("The step of the window, one per spatial axis.")
    dilation = Setting[tuple[int, ...]]("The distance between the taps, one per spatial axis.")
    padding = Setting[tuple[tuple[Dim, Dim], ...] | str](
        "The padding before and after, a pair per spatial axis; or 'valid', 'same', 'same_lower', 'causal'."
    )
    output_padding = Setting[tuple[int, ...]]("What a transposed convolution adds at the end of each axis.")
    padding_mode = Setting[str]("What the padding holds: 'zeros', 'reflect', 'replicate', 'circular'.")
    ceil_mode = Setting[bool]("Whether the output size is rounded up.")
    count_include_pad = Setting[bool]("Whether an average counts the padding.")
    groups = Setting[int]("The number of groups that the channels are split into.")
    depth_multiplier = Setting[int]("The output channels for each input channel of a depthwise convolution.")
    data_format = Setting[str]("The position of the channels: 'channels_first' or 'channels_last'.")

    # Products and tables.
    in_features = Setting[Dim]("The length of the input's last axis.")
    out_features = Setting[Dim]("The length of the output's last axis.")
    num_embeddings = Setting[int]("The number of rows of an embedding's table.")
    embedding_dim = Setting[int]("The length of each row of an embedding's table.")
    equation = Setting[str]("An einsum's equation.")

    # Normalization.
    num_features = Setting[Dim]("The number of channels that are normalized.")
    num_channels = Setting[int]("The number of channels of a group norm.")
    num_groups = Setting[int]("The number of groups of a group norm.")
    normalized_shape = Setting[tuple[int, ...]]("The lengths of the axes that are normalized together.")
    eps = Setting[float]("What is added to the variance.")
    momentum = Setting[float | None]("The share of the new batch in running statistics; None: they average.")

    # Recurrent layers.
    input_size = Setting[int]("The number of features of each input step.")
    hidden_size = Setting[int]("The number of features of the hidden state.")
    num_layers = Setting[int]("The number of recurrent layers that are stacked.")
    bidirectional = Setting[bool]("Whether a second pass reads the sequence backwards.")
    proj_size = Setting[int]("The number of features that the hidden state is projected to; 0 for none.")
    return_sequences = Setting[bool]("Whether the output holds every step, not just the last.")
    return_state = Setting[bool]("Whether the final states are returned, too.")

    # Attention.
    embed_dim = Setting[int]("The number of features of the query.")
    num_heads = Setting[int]("The number of heads of the query.")
    num_kv_heads = Setting[int]("The number of heads of keys and values.")
    head_dim = Setting[int]("The number of features of each head.")
    kdim = Setting[int]("The number of features of the key.")
    vdim = Setting[int]("The number of features of the value.")
    batch_first = Setting[bool]("Whether the batch is the first axis, and not the second.")
    need_weights = Setting[bool]("Whether the attention weights are returned, too.")

    # Functions and axes.
    function = Setting[str]("The function of an activation: 'relu', 'gelu', …")
    op = Setting[str]("The operation of an elementwise op or a reduction: 'add', 'mean', …")
    axis = Setting[int | tuple[int, ...] | None]("The axis, or the axes, it works on; None: all of them.")
    axes = Setting[tuple[int, ...] | Dim | None]("The axes it works on; None: all of them.")
    start_axis = Setting[int]("The first axis that is flattened.")
    end_axis = Setting[int]("The last axis that is flattened.")
    keepdims = Setting[bool]("Whether a reduced axis stays, with length 1.")
    output_size = Setting[tuple[int | None, ...] | None](
        "The spatial size of the output; None: that of the input."
    )
