"""The lengths of what linear algebra and Fourier transforms return: one row for each function.

Source: https://docs.pytorch.org/docs/stable/linalg.html and .../fft.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from shapeinspect_torch.script.signatures.signature import Given, Lengths, Row, broadcast, changed, each

# Linear algebra, of stacks of matrices


def _svd(a: Given) -> list[Lengths]:
    """Write the factors as ``torch.svd`` returns them: the third is not transposed."""
    return _factors(a, full=not a.option("some", True), flipped=False)


def _linalg_svd(a: Given) -> list[Lengths]:
    return _factors(a, full=bool(a.option("full_matrices", True)), flipped=True)


def _factors(a: Given, full: bool, flipped: bool) -> list[Lengths]:
    if not a.option("compute_uv", True):
        raise ValueError("compute_uv")
    *batch, rows, columns = a.tensor("self").letters
    least = f"min({rows},{columns})"
    left, right = (rows, columns) if full else (least, least)
    return [
        [*batch, rows, left],
        [*batch, least],
        [*batch, *((right, columns) if flipped else (columns, right))],
    ]


def _singular_values(a: Given) -> list[Lengths]:
    *batch, rows, columns = a.tensor("self").letters
    return [[*batch, f"min({rows},{columns})"]]


def _qr(a: Given) -> list[Lengths]:
    *batch, rows, columns = a.tensor("self").letters
    mode = a.option("mode", "reduced" if a.option("some", True) else "complete")
    if mode not in ("reduced", "complete"):
        return [["0"], [*batch, f"min({rows},{columns})", columns]]
    inner = f"min({rows},{columns})" if mode == "reduced" else rows
    return [[*batch, rows, inner], [*batch, inner, columns]]


def _matrices(*cut: int) -> Callable[[Given], list[Lengths]]:
    """Write stacks of matrices without the last axes."""
    return lambda a: [list(x.letters[: x.rank - gone]) for x in [a.tensor("self")] for gone in cut]


def _pinv(a: Given) -> list[Lengths]:
    *batch, rows, columns = a.tensor("self").letters
    return [[*batch, columns, rows]]


def _solved(a: Given) -> list[Lengths]:
    left, right = a.tensor("A"), a.tensor("B")
    if right.rank == 1 or (right.rank == left.rank - 1 and right.shape == left.shape[:-1]):
        if left.rank - right.rank != 1:
            raise ValueError("a vector for several matrices")
        return [list(right.letters)]
    batch = broadcast((left.letters[:-2], left.shape[:-2]), (right.letters[:-2], right.shape[:-2]))
    return [[*batch, *right.letters[-2:]]]


def _least_squares(a: Given) -> list[Lengths]:
    left, right = a.tensor("A"), a.tensor("B")
    if left.rank != right.rank:
        raise ValueError("a vector")
    return [[*left.letters[:-2], left.letters[-1], right.letters[-1]], None, None, None]


# Spectra


def _spectrum(half: str = "") -> Callable[[Given], list[Lengths]]:
    """Write a transform along one axis: ``real`` keeps half of it, ``back`` makes it whole again."""

    def lengths(a: Given) -> list[Lengths]:
        x = a.tensor("self")
        axis = a.axis("dim", -1, x.rank)
        return [changed(x.letters, axis, _frequencies(x.letters[axis], a.option("n"), half))]

    return lengths


def _frequencies(length: str, count: object, half: str) -> str:
    if half == "back":
        return f"2*({length}-1)" if count is None else str(count)
    whole = length if count is None else str(count)
    return f"{whole}/2+1" if half else whole


def _spectra(axes: int | None, half: str = "") -> Callable[[Given], list[Lengths]]:
    """Write a transform along the last axes, or along those that are given."""

    def lengths(a: Given) -> list[Lengths]:
        x, sizes = a.tensor("self"), a.option("s")
        places = a.axes("dim", x.rank)
        if places is None:
            count = axes or (x.rank if sizes is None else len(sizes))
            places = list(range(x.rank - count, x.rank))
        letters = list(x.letters)
        for at, axis in enumerate(places):
            size = None if sizes is None or sizes[at] == -1 else sizes[at]
            letters[axis] = _frequencies(letters[axis], size, half if axis == places[-1] else "")
        return [letters]

    return lengths


MATRIX_ROWS: Final[Mapping[str, Row]] = {
    "svd": Row("self some compute_uv", _svd),
    "linalg_svd": Row("self full_matrices", _linalg_svd),
    "linalg_svdvals": Row("self", _singular_values),
    "qr": Row("self some", _qr),
    "linalg_qr": Row("self mode", _qr),
    **each("linalg_eigh linalg_eig", Row("self", _matrices(1, 0))),
    **each("linalg_eigvalsh linalg_eigvals", Row("self", _matrices(1))),
    **each("det linalg_det logdet linalg_matrix_rank", Row("self", _matrices(2))),
    **each("slogdet linalg_slogdet", Row("self", _matrices(2, 2))),
    **each("linalg_pinv pinverse adjoint matrix_H mH", Row("self", _pinv)),
    **each("linalg_solve linalg_solve_triangular", Row("A B", _solved)),
    "triangular_solve": Row("B A", lambda a: [*_solved(a), list(a.tensor("A").letters)]),
    "linalg_lstsq": Row("A B", _least_squares),
    **each("fft_fft fft_ifft", Row("self n dim", _spectrum())),
    **each("fft_rfft fft_ihfft", Row("self n dim", _spectrum("real"))),
    **each("fft_irfft fft_hfft", Row("self n dim", _spectrum("back"))),
    **each("fft_fft2 fft_ifft2", Row("self s dim", _spectra(2))),
    **each("fft_fftn fft_ifftn", Row("self s dim", _spectra(None))),
    "fft_rfft2": Row("self s dim", _spectra(2, "real")),
    "fft_rfftn": Row("self s dim", _spectra(None, "real")),
    "fft_irfft2": Row("self s dim", _spectra(2, "back")),
    "fft_irfftn": Row("self s dim", _spectra(None, "back")),
}
