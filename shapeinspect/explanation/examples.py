"""What the calculator takes: for every kind an example that works, and its settings by name."""

from __future__ import annotations

from dataclasses import dataclass

_WINDOW = "kernel_size stride padding dilation data_format"
_CONV = f"in_channels out_channels {_WINDOW} groups padding_mode"
_POOL = f"{_WINDOW} ceil_mode count_include_pad return_indices"
_CELL = "input_size hidden_size cell_function gate_function"
_RECURRENT = (
    f"{_CELL} num_layers bidirectional proj_size batch_first return_sequences return_state layout packed "
    "reset_after merge_mode initial_states"
)
_NORM = "eps momentum axis affine data_format"


@dataclass(frozen=True, slots=True)
class Example:
    """How one kind is asked for.

    Args:
        words: what stands behind ``shapeinspect explain KIND``.
        settings: the attributes it knows, as the vocabulary names them.

    Example:
        >>> EXAMPLES["linear"].words
        '--input 2,300 --out 7'
    """

    words: str
    settings: frozenset[str]


def _table(rows: dict[str, tuple[str, str]]) -> dict[str, Example]:
    return {
        kind: Example(words, frozenset(settings.split()))
        for kinds, (words, settings) in rows.items()
        for kind in kinds.split()
    }


#: For each kind that has a rule, but for ``input``: an example, and its settings.
EXAMPLES: dict[str, Example] = _table({
    "conv": ("--input 300 --kernel 5 --in 8 --out 16", f"{_CONV} depth_multiplier"),
    "local_conv": ("--input 9,11 --kernel 3,5 --in 3 --out 7", f"{_CONV} depth_multiplier"),
    "conv_transpose": (
        "--input 7,9 --kernel 4 --stride 2 --padding 1 --in 3 --out 5", f"{_CONV} output_padding output_shape"
    ),
    "separable_conv": (
        "--input 9,11 --kernel 3 --in 3 --out 8 --set depth_multiplier=2", f"{_CONV} depth_multiplier"
    ),
    "conv_lstm": (
        "--input 2,5,3,9,11 --kernel 3,3 --hidden-size 7 --set return_sequences=true",
        f"{_CONV} hidden_size return_sequences return_state",
    ),
    "linear": (
        "--input 2,300 --out 7", "in_features out_features num_heads num_kv_heads head_dim num_experts"
    ),
    "bilinear": (
        "--input 2,3 --input 2,5 --set in1_features=3 --set in2_features=5 --out 7",
        "in1_features in2_features out_features",
    ),
    "matmul": ("--input 8,2,3 --input 3,5", ""),
    "gemm": ("--input 3,2 --input 3,5 --set trans_a=true", "trans_a trans_b added_first"),
    "batch_dot": ("--input 2,3,5 --input 2,7,5 --axes 2,2", "axes"),
    "einsum": ("--input 2,3,5 --input 2,5,7 --equation bij,bjk->bik", "equation sizes"),
    "embedding": (
        "--input 2,7 --set num_embeddings=50 --set embedding_dim=5", "num_embeddings embedding_dim"
    ),
    "embedding_bag": (
        "--input 2,7 --set num_embeddings=50 --set embedding_dim=5",
        "num_embeddings embedding_dim mode include_last_offset",
    ),
    "attention": (
        "--input 2,7,12 --set embed_dim=12 --heads 3 --set batch_first=true",
        "embed_dim num_heads num_kv_heads head_dim kdim vdim out_features batch_first need_weights "
        "value_head_dim projected past_length average_weights output_projected one_input scaled_dot_product",
    ),
    "rnn lstm gru": ("--input 7,2,3 --hidden-size 5", _RECURRENT),
    "rnn_cell lstm_cell gru_cell": ("--input 2,3 --hidden-size 5", _CELL),
    "batch_norm": ("--input 2,3,5,7", f"num_features {_NORM}"),
    "instance_norm": ("--input 2,3,5,7", f"num_features {_NORM}"),
    "group_norm": ("--input 2,6,5,7 --set num_groups=3", f"num_groups num_channels {_NORM}"),
    "layer_norm rms_norm": ("--input 2,3,5 --set normalized_shape=5", "normalized_shape eps axis"),
    "local_response_norm": ("--input 2,3,5,7", "size data_format"),
    "normalize": ("--input 2,3,5 --axis 1", "axis"),
    "max_pool avg_pool lp_pool": ("--input 112,96 --kernel 3 --stride 2 --padding 1", _POOL),
    "adaptive_avg_pool adaptive_max_pool": (
        "--input 15,17 --output-size 10,11", "output_size data_format return_indices"
    ),
    "global_avg_pool global_max_pool global_lp_pool": ("--input 2,3,5,7", "keepdims data_format"),
    "fractional_max_pool": (
        "--input 3,9,11 --kernel 2,2 --output-size 4,5",
        "kernel_size output_size output_ratio return_indices",
    ),
    "max_unpool": ("--input 3,4,5 --kernel 2,2", "kernel_size stride padding output_size"),
    "resize": (
        "--input 15,17 --scale 0.5 --mode bilinear",
        "size scale_factor mode align_corners data_format single_precision",
    ),
    "grid_sample": ("--input 2,3,9,11 --input 2,5,7,2", "mode align_corners"),
    "pixel_shuffle depth_to_space": ("--input 1,12,5,7 --factor 2", "factor data_format"),
    "pixel_unshuffle space_to_depth": ("--input 1,3,10,14 --factor 2", "factor data_format"),
    "channel_shuffle": ("--input 1,6,5,7 --groups 3", "groups data_format"),
    "unfold": ("--input 1,3,9,11 --kernel 2,3", _WINDOW),
    "fold": ("--input 1,12,48 --kernel 2,2 --output-size 7,9", f"{_WINDOW} output_size"),
    "pad": ("--input 2,3,5,7 --padding 1+2,0+3", "padding mode data_format value"),
    "crop": ("--input 2,3,5,7 --padding 1+2,0+3", "padding crop data_format"),
    "flatten": ("--input 1,16,5,7", "start_axis end_axis axis"),
    "reshape": ("--input 2,3,8 --shape 4,-1", "shape zero_copies batch_kept"),
    "unflatten": ("--input 2,12 --axis 1 --sizes 3,-1", "axis sizes"),
    "permute": ("--input 2,3,5,7 --axes 0,2,3,1", "axes"),
    "transpose2": ("--input 2,3,5 --set axis0=1 --set axis1=2", "axis0 axis1"),
    "movedim": ("--input 2,3,5,7 --set source=1 --set destination=-1", "source destination"),
    "squeeze": ("--input 2,1,5 --axes 1", "axes"),
    "unsqueeze": ("--input 2,5 --axes 1", "axes"),
    "concat": ("--input 1,4,7 --input 1,5,7 --axis 1", "axis"),
    "stack": ("--input 2,3 --input 2,3 --axis 1", "axis"),
    "split": ("--input 2,7 --axis 1 --set chunks=3", "axis sizes chunk chunks sections indices"),
    "unstack": ("--input 3,2,5 --axis 0", "axis"),
    "slice": (
        "--input 2,10,7 --axes 1 --set starts=2 --set ends=9 --set steps=3", "starts ends axes steps"
    ),
    "index": ("--input 2,3,5 --axis 1 --set index=0", "axis index"),
    "gather": ("--input 50,5 --input 2,7 --axis 0", "axis"),
    "take_along": ("--input 2,9 --input 2,4 --axis 1", "axis"),
    "scatter": ("--input 2,9,5 --input 2,4,5 --axis 1", "axis"),
    "topk": ("--input 2,9 --axis 1 --set k=4", "axis k"),
    "one_hot": ("--input 2,7 --set depth=11", "depth axis"),
    "lookup": ("--input 2,7 --set output_mode=multi_hot --set depth=11", "output_mode depth length"),
    "roi_align": ("--input 2,3,20,24 --input 6,5 --output-size 7,9", "output_size"),
    "repeat": ("--input 2,3 --axis 1 --set count=4", "axis count new_axis"),
    "tile": ("--input 2,3 --set repeats=4,1,2", "repeats"),
    "expand": ("--input 2,1,5 --shape 2,3,5", "shape"),
    "constant": ("--input 1 --shape 2,3", "shape fill op start step"),
    "shape_of": ("--input 2,3,5", "start end"),
    "reduce": ("--input 2,3,5,7 --axes 2,3 --set op=mean", "op axes axis keepdims"),
    "argmax": ("--input 1,21,5,7 --axis 1", "axis axes keepdims"),
    "softmax": ("--input 1,21,5,7 --axis 1", "axis log"),
    "glu": ("--input 2,6,5 --axis 1", "axis"),
    "activation": ("--input 2,3,5 --set function=relu", "function axis"),
    "prelu": ("--input 2,3,5 --set num_parameters=3", "num_parameters"),
    "elementwise": ("--input 2,1,5 --input 3,1", "op"),
    "cast": ("--input 2,3,5", "dtype"),
    "dropout identity unary quantize dequantize augment": ("--input 2,3,5", ""),
    "distance": ("--input 2,3,5 --input 2,1,5 --axis 2", "function axis keepdims"),
    "loss": (
        "--input 2,5 --input 2 --set reduction=none --set a_target=true",
        "reduction a_target log_probabilities",
    ),
})  # fmt: skip


def kinds() -> tuple[str, ...]:
    """Return the kinds that the calculator knows, in alphabetical order.

    Example:
        >>> kinds()[:3]
        ('activation', 'adaptive_avg_pool', 'adaptive_max_pool')
    """
    return tuple(sorted(EXAMPLES))


def command(kind: str) -> str:
    """Return a whole command that works for a kind.

    Args:
        kind: one of ``kinds()``.

    Example:
        >>> command("softmax")
        'shapeinspect explain softmax --input 1,21,5,7 --axis 1'
    """
    words = EXAMPLES[kind].words
    quoted = words.replace("bij,bjk->bik", "'bij,bjk->bik'")
    return f"shapeinspect explain {kind} {quoted}"
