"""The multiply-accumulates of torch's functions that have no kind: of most none, of a few a formula.

As everywhere, the products of matrices are counted, and whatever works element by element, moves numbers,
looks them up, compares or adds them up is not. What a decomposition or a transform does follows from its
algorithm and is not counted by any convention: it stays unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from shapeinspect.dims import Dim, Shape, product

_Formula: TypeAlias = "Callable[[Sequence[Shape], Sequence[Shape]], Dim]"

#: Functions that sum no products.
_NONE: Final = frozenset(
    (
        # They move numbers, or write them somewhere else.
        "unfold", "as_strided", "as_strided_scatter", "getitem", "index", "take", "put", "diag",
        "diag_embed", "diagflat", "diagonal", "diagonal_scatter", "select_scatter", "slice_scatter",
        "copy", "fill", "fill_diagonal", "zero", "set", "resize", "resize_as", "tensor_split", "hsplit",
        "vsplit", "dsplit", "unsafe_split", "unsafe_chunk", "atleast_1d", "atleast_2d", "atleast_3d",
        "vstack", "hstack", "dstack", "row_stack", "column_stack", "block_diag", "rot90",
        "cartesian_prod", "combinations", "view_as_complex", "view_as_real", "imag", "real",
        "conj_physical", "resolve_conj", "resolve_neg", "meshgrid", "map", "map2", "apply", "reversed",
        "unravel_index", "cpu", "cuda", "to_dense", "to_sparse", "values", "indices", "coalesce",
        "sum_to_size", "alias", "native_channel_shuffle", "constant_pad_nd", "view", "t", "lift",
        "lift_fresh", "ravel", "swapdims", "broadcast_tensors", "numpy_T", "matrix_H", "mH", "prelu",
        "cat", "concat", "concatenate", "stack", "expand", "expand_as", "reshape", "reshape_as", "view_as",
        "flatten", "unflatten", "permute", "transpose", "movedim", "unsqueeze", "unbind", "repeat", "tile",
        "repeat_interleave", "flip", "roll", "narrow", "select", "index_select", "gather", "clone", "detach",
        "contiguous", "to", "split_with_sizes", "pixel_shuffle", "pixel_unshuffle", "tril", "triu",
        # They make numbers that come from nowhere else.
        "tensor", "as_tensor", "scalar_tensor", "zeros", "ones", "full", "empty", "rand", "randn", "arange",
        "range", "linspace", "logspace", "eye", "randint", "randperm", "zeros_like", "ones_like",
        "full_like", "empty_like", "rand_like", "randn_like", "randint_like", "new_zeros", "new_ones",
        "new_full", "new_empty", "new_tensor",
        # They search, sort, compare or count.
        "argsort", "argwhere", "nonzero", "nonzero_static", "unique", "unique_consecutive", "bincount",
        "histc", "histogram", "histogramdd", "searchsorted", "bucketize", "kthvalue", "mode", "aminmax",
        "cummax", "cummin", "msort", "sort", "topk", "median", "nanmedian", "quantile", "nanquantile",
        "isin", "equal", "allclose", "masked_select", "nms", "max", "min", "index_reduce",
        "where", "_unique2",
        # They keep lists, and count in them.
        "list", "_set_item", "append", "extend", "__range_length", "__derive_index",
        # They draw numbers.
        "bernoulli", "binomial", "cauchy", "exponential", "geometric", "log_normal", "multinomial",
        "normal", "poisson", "random", "uniform",
        # They add up, or work element by element.
        "var_mean", "std_mean", "trace", "cumulative_trapezoid", "trapezoid", "trapz", "diff", "gradient",
        "renorm", "dist", "logdet", "frexp", "histogram", "polar", "complex", "cross", "linalg_cross",
        "linalg_matrix_norm", "frobenius_norm", "norm_except_dim", "native_norm",
        "fake_quantize_per_tensor_affine", "gru_cell_gates", "fake_quantize_per_channel_affine",
        "fused_moving_avg_obs_fake_quant", "linalg_vander", "vander", "quantize_per_tensor",
        "quantize_per_channel", "dequantize", "int_repr", "fractional_max_pool2d",
        "fractional_max_pool3d", "fractional_max_pool2d_with_indices",
        "fractional_max_pool3d_with_indices", "adaptive_max_pool1d_with_indices",
        "adaptive_max_pool2d_with_indices", "adaptive_max_pool3d_with_indices", "batch_norm",
        "native_batch_norm", "native_group_norm", "native_layer_norm", "native_dropout", "ctc_loss",
        "cosine_embedding_loss", "gaussian_nll_loss", "hinge_embedding_loss", "margin_ranking_loss",
        "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss",
        "triplet_margin_loss", "triplet_margin_with_distance_loss", "grid_sampler", "grid_sampler_2d",
        "grid_sampler_3d", "interpolate", "roi_align", "roi_pool", "ps_roi_align", "ps_roi_pool", "split",
        "chunk", "squeeze",
    )
)  # fmt: skip


def _last(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> Dim:
    """Every number of the output is a sum over the last axis of the first input."""
    return product(outputs[0]) * inputs[0][-1]


def _vectors(inputs: Sequence[Shape], _outputs: Sequence[Shape]) -> Dim:
    """Every number of the input is a factor once."""
    return product(inputs[0])


def _added_matrix(inputs: Sequence[Shape], _outputs: Sequence[Shape]) -> Dim:
    """A summand, then two stacks of matrices, or a matrix and a vector."""
    left, right = inputs[1], inputs[2]
    return product(left) * (right[-1] if len(right) > 1 else 1)


def _outer(_inputs: Sequence[Shape], outputs: Sequence[Shape]) -> Dim:
    """Every number of the output is one product."""
    return product(outputs[0])


def _between_rows(inputs: Sequence[Shape], _outputs: Sequence[Shape]) -> Dim:
    rows, width = inputs[0]
    return rows * (rows - 1) // 2 * width


def _chain(inputs: Sequence[Shape], _outputs: Sequence[Shape]) -> Dim:
    """Two matrices; in which order more are multiplied is the library's choice."""
    left, right = inputs
    return product(left) * right[-1]


def _positions(_inputs: Sequence[Shape], outputs: Sequence[Shape]) -> Dim:
    """A position of every output, in 2 or 3 numbers, from one coordinate more."""
    return product(outputs[0]) * (outputs[0][-1] + 1)


#: Functions whose work follows from the shapes of their tensors.
#: Source: https://docs.pytorch.org/docs/stable/torch.html, "BLAS and LAPACK Operations".
_FORMULAS: Final[dict[str, _Formula]] = {
    **dict.fromkeys(("inner", "cdist", "cov", "corrcoef"), _last),
    **dict.fromkeys(("vdot", "linalg_vecdot"), _vectors),
    **dict.fromkeys(("baddbmm", "addbmm", "addmv"), _added_matrix),
    **dict.fromkeys(("kron", "addr"), _outer),
    "pdist": _between_rows,
    **dict.fromkeys(("chain_matmul", "linalg_multi_dot"), _chain),
    **dict.fromkeys(("affine_grid", "affine_grid_generator"), _positions),
}


def work_of(name: str, inputs: Sequence[Shape | None], outputs: Sequence[Shape | None]) -> Dim | None:
    """Return the multiply-accumulates of a call of a function that has no kind; None where nothing tells.

    Args:
        name: the function's plain name, as ``functions.plain_name`` gives it.
        inputs: the shapes of its tensors.
        outputs: the shapes of its results.

    Example:
        >>> work_of("unfold", [(2, 9)], [(2, 4, 3)])
        0
        >>> work_of("cdist", [(2, 7, 5), (2, 3, 5)], [(2, 7, 3)])
        210
        >>> work_of("linalg_svd", [(3, 5)], [(3, 3)]) is None
        True
    """
    if name in _NONE:
        return 0
    formula = _FORMULAS.get(name)
    given = [shape for shape in inputs if shape is not None]
    made = [shape for shape in outputs if shape is not None]
    if formula is None or len(given) < len(inputs) or len(made) < len(outputs):
        return None
    try:
        return formula(given, made)
    except (IndexError, ValueError):
        return None
