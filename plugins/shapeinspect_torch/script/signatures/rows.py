"""The lengths of what torch's functions return that no kind describes: one row each.

Source: https://docs.pytorch.org/docs/stable/torch.html, and ``aten/src/ATen/native/native_functions.yaml``
for the order of the arguments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

from shapeinspect_torch.script.signatures.matrix_rows import MATRIX_ROWS
from shapeinspect_torch.script.signatures.signature import (
    Given,
    Lengths,
    Operand,
    Row,
    broadcast,
    changed,
    each,
    left,
    place,
)


def _times(*terms: str) -> str:
    kept = [term for term in terms if term != "1"]
    return "*".join(kept) or "1"


def _sum(terms: list[str]) -> str:
    return "+".join(terms) or "0"


def _more(term: str, number: int) -> str:
    return f"{term}+{number}" if number > 0 else f"{term}-{-number}" if number else term


def _same(count: int = 1, name: str = "self") -> Callable[[Given], list[Lengths]]:
    return lambda a: [list(a.tensor(name).letters) for _ in range(count)]


def _common(a: Given) -> list[str]:
    return broadcast(*((one.letters, one.shape) for one in (a.tensor("self"), a.tensor("other"))))


# Products


def _kron(a: Given) -> list[Lengths]:
    first, second = a.tensor("self").letters, a.tensor("other").letters
    rank = max(len(first), len(second))
    pairs = zip(["1"] * (rank - len(first)) + first, ["1"] * (rank - len(second)) + second, strict=True)
    return [[_times(*pair) for pair in pairs]]


def _inner(a: Given) -> list[Lengths]:
    return [[*a.tensor("self").letters[:-1], *a.tensor("other").letters[:-1]]]


def _vecdot(a: Given) -> list[Lengths]:
    whole = _common(a)
    return [left(whole, [a.axis("dim", -1, len(whole))], keep=False)]


def _chain(a: Given) -> list[Lengths]:
    first, *_, last = a.tensors("tensors")
    return [[*first.letters[:-1], *last.letters[1:]]]


def _cdist(a: Given) -> list[Lengths]:
    first, second = a.tensor("x1"), a.tensor("x2")
    batch = broadcast((first.letters[:-2], first.shape[:-2]), (second.letters[:-2], second.shape[:-2]))
    return [[*batch, first.letters[-2], second.letters[-2]]]


def _pdist(a: Given) -> list[Lengths]:
    rows = a.tensor("self").letters[0]
    return [[f"{rows}*({rows}-1)/2"]]


def _tensordot(a: Given) -> list[Lengths]:
    first, second = a.tensor("self"), a.tensor("other")
    gone, away = a.axes("dims_self", first.rank) or [], a.axes("dims_other", second.rank) or []
    return [[*left(first.letters, gone, keep=False), *left(second.letters, away, keep=False)]]


def _covariance(a: Given) -> list[Lengths]:
    x = a.tensor("self")
    return [[] if x.rank < 2 else [x.letters[0]] * 2]


# Joining


def _at_least(one: Operand, rank: int) -> list[str]:
    """Write the lengths behind ``atleast_2d`` or ``atleast_3d``."""
    letters = one.letters or ["1"]
    if rank > 1 and len(letters) == 1:
        letters = ["1", *letters]
    return [*letters, "1"] if rank == 3 and len(letters) == 2 else letters


def _columns(one: Operand) -> list[str]:
    return one.letters if one.rank > 1 else [_times(*one.letters), "1"]


def _joined(parts: list[list[str]], axis: int) -> list[Lengths]:
    axis = min(axis, len(parts[0]) - 1)
    return [changed(parts[0], axis, _sum([part[axis] for part in parts]))]


def _stacked(rank: int, axis: int) -> Callable[[Given], list[Lengths]]:
    return lambda a: _joined([_at_least(one, rank) for one in a.tensors("tensors")], axis)


def _grown(rank: int) -> Callable[[Given], list[Lengths]]:
    return lambda a: [_at_least(a.tensor("self"), rank)]


def _block_diag(a: Given) -> list[Lengths]:
    parts = [_at_least(one, 2) for one in a.tensors("tensors")]
    return [[_sum([part[axis] for part in parts]) for axis in (0, 1)]]


def _meshgrid(a: Given) -> list[Lengths]:
    letters = [_times(*one.letters) for one in a.tensors("tensors")]
    if a.option("indexing", "ij") == "xy" and len(letters) > 1:
        letters[:2] = letters[1::-1]
    return [list(letters) for _ in letters]


def _cartesian(a: Given) -> list[Lengths]:
    letters = [_times(*one.letters) for one in a.tensors("tensors")]
    return [letters if len(letters) == 1 else [_times(*letters), str(len(letters))]]


def _combinations(a: Given) -> list[Lengths]:
    size, again = a.whole("r", 2), a.option("with_replacement", False)
    if not 1 <= size <= 8:
        raise ValueError(size)
    (count,) = a.tensor("self").letters
    factors = [f"({_more(count, at if again else -at)})" for at in range(size)]
    return [[f"{_times(*factors)}/{math.factorial(size)}", str(size)]]


def _broadcast_tensors(a: Given) -> list[Lengths]:
    parts = a.tensors("tensors")
    return [broadcast(*((one.letters, one.shape) for one in parts)) for _ in parts]


def _pieces(axis: int) -> Callable[[Given], list[Lengths]]:
    def lengths(a: Given) -> list[Lengths]:
        x, count = a.tensor("self"), a.whole("sections")
        at = 0 if axis == 1 and x.rank == 1 else axis
        length = x.shape[at]
        if not isinstance(length, int) or count < 1 or length % count:
            raise ValueError(length)
        return [changed(x.letters, at, str(length // count)) for _ in range(count)]

    return lengths


def _repeated(a: Given) -> list[Lengths]:
    if a.option("dim") is not None:
        raise TypeError("dim")
    return [[_times(*a.tensor("self").letters, str(a.whole("repeats")))]]


# Axes


def _windows(a: Given) -> list[Lengths]:
    x, size = a.tensor("self"), a.whole("size")
    if not x.rank:
        return [[str(size)]]
    axis = a.axis("dimension", 0, x.rank)
    moved = f"({_more(x.letters[axis], -size)})/{a.whole('step')}+1"
    return [[*changed(x.letters, axis, moved), str(size)]]


def _turned(a: Given) -> list[Lengths]:
    x = a.tensor("self")
    first, second = a.axes("dims", x.rank) or [0, 1]
    letters = list(x.letters)
    if a.whole("k", 1) % 2:
        letters[first], letters[second] = letters[second], letters[first]
    return [letters]


def _diagonal(a: Given) -> list[Lengths]:
    x, offset = a.tensor("self"), a.whole("offset", 0)
    first, second = a.axis("dim1", 0, x.rank), a.axis("dim2", 1, x.rank)
    return [[*left(x.letters, [first, second], keep=False), _on(x, first, second, offset)]]


def _on(x: Operand, first: int, second: int, offset: int) -> str:
    """Write the length of a diagonal."""
    rows, columns = (
        (length if isinstance(length, int) else letter)
        for length, letter in ((x.shape[axis], x.letters[axis]) for axis in (first, second))
    )
    if rows == columns and not offset:
        return x.letters[first]
    rows, columns = _more(str(rows), min(offset, 0)), _more(str(columns), -max(offset, 0))
    return f"max(min({rows},{columns}),0)"


def _diag(a: Given) -> list[Lengths]:
    x, offset = a.tensor("self"), a.whole("diagonal", 0)
    if x.rank == 1:
        return [[_more(x.letters[0], abs(offset))] * 2]
    return [[_on(x, 0, 1, offset)]]


def _diag_embed(a: Given) -> list[Lengths]:
    x = a.tensor("self")
    size = _more(x.letters[-1], abs(a.whole("offset", 0)))
    first, second = a.axis("dim1", -2, x.rank + 1), a.axis("dim2", -1, x.rank + 1)
    rest = iter(x.letters[:-1])
    return [[size if at in (first, second) else next(rest) for at in range(x.rank + 1)]]


def _diagflat(a: Given) -> list[Lengths]:
    return [[_more(_times(*a.tensor("self").letters), abs(a.whole("offset", 0)))] * 2]


def _vander(a: Given) -> list[Lengths]:
    (rows,) = a.tensor("self").letters
    return [[rows, str(a.option("N", rows))]]


def _strided(a: Given) -> list[Lengths]:
    sizes = a.option("size")
    if not isinstance(sizes, list) or any(type(size) is not int for size in sizes):
        raise TypeError("size")
    return [[str(size) for size in sizes]]


# Differences and reductions


def _diff(a: Given) -> list[Lengths]:
    x = a.tensor("self")
    axis = a.axis("dim", -1, x.rank)
    around = [a.tensor(name) for name in ("prepend", "append") if a.option(name) is not None]
    length = _sum([x.letters[axis], *(one.letters[axis] for one in around)])
    less = f"{length}-{a.whole('n', 1)}"
    return [changed(x.letters, axis, f"max({less},0)" if isinstance(x.shape[axis], int) else less)]


def _gradient(a: Given) -> list[Lengths]:
    x = a.tensor("self")
    axes = a.axes("dim", x.rank)
    return [list(x.letters) for _ in (range(x.rank) if axes is None else axes)]


def _trapezoid(less: bool) -> Callable[[Given], list[Lengths]]:
    def lengths(a: Given) -> list[Lengths]:
        y = a.tensor("y")
        axis = a.axis("dim", -1, y.rank)
        if less:
            return [changed(y.letters, axis, f"{y.letters[axis]}-1")]
        return [left(y.letters, [axis], keep=False)]

    return lengths


def _reduced(count: int, default: int | None = None) -> Callable[[Given], list[Lengths]]:
    """Write a reduction over some axes, or over all of them, that returns one tensor or several."""

    def lengths(a: Given) -> list[Lengths]:
        x = a.tensor("self")
        axes = a.axes("dim", x.rank) if default is None or a.option("dim") is not None else [default]
        axes = list(range(x.rank)) if axes is None else [place(axis, x.rank) for axis in axes]
        return [left(x.letters, axes, bool(a.option("keepdim", False))) for _ in range(count)]

    return lengths


def _chosen(a: Given) -> list[Lengths]:
    """Write the values and the indices of a reduction along an axis; over all axes, there are none."""
    return _reduced(1 if a.option("dim") is None else 2)(a)


def _moments(a: Given) -> list[Lengths]:
    x, axes = a.tensor("self"), a.option("dim")
    if isinstance(axes, bool):
        return [[], []]
    places = list(range(x.rank)) if axes is None else a.axes("dim", x.rank) or list(range(x.rank))
    return [left(x.letters, places, bool(a.option("keepdim", False))) for _ in range(2)]


def _quantile(a: Given) -> list[Lengths]:
    (reduced,) = _reduced(1)(a)
    q = a.option("q")
    return [[*(q.letters if isinstance(q, Operand) else ()), *(reduced or ())]]


def _matrix_norm(a: Given) -> list[Lengths]:
    x = a.tensor("self")
    axes = a.axes("dim", x.rank) or [x.rank - 2, x.rank - 1]
    return [left(x.letters, axes, bool(a.option("keepdim", False)))]


def _index_of(name: str) -> Callable[[Given], list[Lengths]]:
    return lambda a: [list(a.tensor(name).letters)]


def _drawn(a: Given) -> list[Lengths]:
    return [[*a.tensor("self").letters[:-1], str(a.whole("num_samples"))]]


def _adaptive(space: int) -> Callable[[Given], list[Lengths]]:
    def lengths(a: Given) -> list[Lengths]:
        x, sizes = a.tensor("self"), a.option("output_size")
        sizes = sizes if isinstance(sizes, list) else [sizes] * space
        if any(type(size) is not int for size in sizes) or len(sizes) != space:
            raise TypeError("output_size")
        return [[*x.letters[:-space], *map(str, sizes)] for _ in range(2)]

    return lengths


def _affine_grid(a: Given) -> list[Lengths]:
    sizes = a.option("size")
    if any(type(size) is not int for size in sizes):
        raise TypeError("size")
    return [[str(sizes[0]), *map(str, sizes[2:]), str(len(sizes) - 2)]]


def _class_loss(a: Given) -> list[Lengths]:
    """Write the losses of samples: one for each class that is named, or row of probabilities."""
    x, target = a.tensor("self"), a.tensor("target")
    return [
        left(x.letters, [min(1, x.rank - 1)], keep=False) if x.rank == target.rank else list(target.letters)
    ]


def _stft(a: Given) -> list[Lengths]:
    *batch, length = a.tensor("self").letters
    size = a.whole("n_fft")
    step = a.whole("hop_length", size // 4)
    bands = size // 2 + 1 if a.option("onesided", True) else size
    parts = [] if a.option("return_complex", False) else ["2"]
    return [[*batch, str(bands), f"({length}-{size})/{step}+1", *parts]]


def _kept(names: str, count: int = 1) -> dict[str, Row]:
    return each(names, Row("self", _same(count)))


_REDUCED = "self dim keepdim"
_TRAPEZOID = "y x dim"
#: Functions of a kind whose rule does not know this form of the call.
OVERRIDING: Final = frozenset({"repeat_interleave"})
#: Functions that return a list of tensors.
LISTED: Final = frozenset({
    "split", "split_with_sizes", "chunk", "unbind", "tensor_split", "hsplit", "vsplit", "dsplit", "meshgrid",
    "broadcast_tensors", "gradient", "unsafe_split", "unsafe_chunk", "unsafe_split_with_sizes",
})  # fmt: skip
ROWS: Final[Mapping[str, Row]] = {
    **_kept(
        "renorm fake_quantize_per_tensor_affine bernoulli poisson msort matrix_exp linalg_matrix_exp inverse "
        "linalg_inv matrix_power linalg_matrix_power linalg_cholesky cholesky put select_scatter "
        "slice_scatter diagonal_scatter lu_solve cholesky_inverse cholesky_solve linalg_householder_product "
        "isin prelu real imag resolve_conj resolve_neg fft_fftshift fft_ifftshift as_strided_scatter"
    ),
    **_kept("frexp cummax cummin sort", 2),
    **each("complex polar normal cross linalg_cross", Row("self other", lambda a: [_common(a)])),
    "kron": Row("self other", _kron),
    "inner": Row("self other", _inner),
    "vdot": Row("self other", lambda _a: [[]]),
    "linalg_vecdot": Row("self other dim", _vecdot),
    "addmv": Row("self mat vec", lambda a: [a.tensor("mat").letters[:1]]),
    "addr": Row("self vec1 vec2", lambda a: [[*a.tensor("vec1").letters, *a.tensor("vec2").letters]]),
    "addbmm": Row(
        "self batch1 batch2", lambda a: [[a.tensor("batch1").letters[1], a.tensor("batch2").letters[2]]]
    ),
    **each("chain_matmul linalg_multi_dot", Row("tensors", _chain)),
    "cdist": Row("x1 x2", _cdist),
    "pdist": Row("self", _pdist),
    "tensordot": Row("self other dims_self dims_other", _tensordot),
    **each("cov corrcoef", Row("self", _covariance)),
    "hstack": Row("tensors", lambda a: _joined([one.letters or ["1"] for one in a.tensors("tensors")], 1)),
    **each("vstack row_stack", Row("tensors", _stacked(2, 0))),
    "dstack": Row("tensors", _stacked(3, 2)),
    "column_stack": Row("tensors", lambda a: _joined([_columns(one) for one in a.tensors("tensors")], 1)),
    "block_diag": Row("tensors", _block_diag),
    "meshgrid": Row("tensors indexing", _meshgrid),
    "cartesian_prod": Row("tensors", _cartesian),
    "combinations": Row("self r with_replacement", _combinations),
    "broadcast_tensors": Row("tensors", _broadcast_tensors),
    "vsplit": Row("self sections", _pieces(0)),
    "hsplit": Row("self sections", _pieces(1)),
    "dsplit": Row("self sections", _pieces(2)),
    "repeat_interleave": Row("self repeats dim", _repeated),
    **{f"atleast_{rank}d": Row("self", _grown(rank)) for rank in (1, 2, 3)},
    "unfold": Row("self dimension size step", _windows),
    "rot90": Row("self k dims", _turned),
    **each("diagonal linalg_diagonal", Row("self offset dim1 dim2", _diagonal)),
    "diag": Row("self diagonal", _diag),
    "diag_embed": Row("self offset dim1 dim2", _diag_embed),
    "diagflat": Row("self offset", _diagflat),
    "vander": Row("self N", _vander),
    "view_as_real": Row("self", lambda a: [[*a.tensor("self").letters, "2"]]),
    "view_as_complex": Row("self", lambda a: [a.tensor("self").letters[:-1]]),
    "as_strided": Row("self size", _strided),
    "diff": Row("self n dim prepend append", _diff),
    "gradient": Row("self spacing dim", _gradient),
    **each("trapz trapezoid", Row(_TRAPEZOID, _trapezoid(less=False))),
    "cumulative_trapezoid": Row(_TRAPEZOID, _trapezoid(less=True)),
    "var_mean": Row("self dim unbiased keepdim", _moments),
    "std_mean": Row("self dim unbiased keepdim", _moments),
    "aminmax": Row(_REDUCED, _reduced(2)),
    **each("max min median nanmedian", Row(_REDUCED, _chosen)),
    "mode": Row(_REDUCED, _reduced(2, -1)),
    "kthvalue": Row("self k dim keepdim", _reduced(2, -1)),
    **each("quantile nanquantile", Row("self q dim keepdim", _quantile)),
    **each("frobenius_norm nuclear_norm", Row(_REDUCED, _reduced(1))),
    "linalg_matrix_norm": Row("self ord dim keepdim", _matrix_norm),
    **each("dist trace", Row("self", lambda _a: [[]])),
    "searchsorted": Row("sorted self", _index_of("self")),
    "take": Row("self index", _index_of("index")),
    "histc": Row("self bins", lambda a: [[str(a.whole("bins", 100))]]),
    "multinomial": Row("self num_samples", _drawn),
    **{f"adaptive_max_pool{n}d": Row("self output_size", _adaptive(n)) for n in (1, 2, 3)},
    "topk": Row("self k dim", lambda a: [
        changed(x.letters, a.axis("dim", -1, x.rank), str(a.whole("k")))
        for x in [a.tensor("self")] for _ in range(2)]),
    **each("numpy_T", Row("self", lambda a: [a.tensor("self").letters[::-1]])),
    "stft": Row("self n_fft hop_length win_length window normalized onesided return_complex", _stft),
    **each("mse_loss l1_loss smooth_l1_loss huber_loss binary_cross_entropy "
            "binary_cross_entropy_with_logits kl_div soft_margin_loss poisson_nll_loss hinge_embedding_loss",
            Row("self other", lambda a: [_common(a)])),
    **each("cross_entropy_loss nll_loss nll_loss_nd nll_loss2d", Row("self target", _class_loss)),
    "affine_grid_generator": Row("theta size", _affine_grid),
    **MATRIX_ROWS,
}  # fmt: skip
