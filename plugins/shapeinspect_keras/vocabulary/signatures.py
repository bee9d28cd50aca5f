"""Operations of ``keras.ops`` without a formula of their own, as signatures: letters of axes in and out.

Source: ``compute_output_spec`` of keras/src/ops/math.py, linalg.py, nn.py, numpy.py and core.py, 3.15. What
depends on the ranks of a call is in ``calls.by_rank``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

_Settings: TypeAlias = "Mapping[str, Any]"
#: A signature, or what writes it from the settings.
_Row: TypeAlias = "str | Callable[[_Settings], str]"

_SAME = "... -> ..."
_BOTH = "..., ... -> ..."
_MATRIX = "... i j -> ... i j"


#: The largest number that is written into a signature; a file may hold any.
_LARGEST = 2**40


def whole(value: Any, least: int = 0) -> int:
    """Return a whole number of a configuration.

    Args:
        value: what the file holds.
        least: the smallest that makes sense.

    Raises:
        ValueError: if it is anything else, or without bounds.

    Example:
        >>> whole(3)
        3
    """
    if type(value) is not int or not least <= value <= _LARGEST:
        raise ValueError(f"no length: {value!r:.40}")
    return value


def _pair(value: Any) -> tuple[int, int]:
    first, second = value if isinstance(value, list | tuple) else (value, value)
    return whole(first, 1), whole(second, 1)


def _qr(config: _Settings) -> str:
    if config.get("mode", "reduced") == "complete":
        return "... i j -> ... i i; ... i j"
    return "... i j -> ... i min(i,j); ... min(i,j) j"


def _svd(config: _Settings) -> str:
    if not config.get("compute_uv", True):
        return "... i j -> ... min(i,j)"
    if config.get("full_matrices", True):
        return "... i j -> ... i i; ... min(i,j); ... j j"
    return "... i j -> ... i min(i,j); ... min(i,j); ... min(i,j) j"


def _sequences(config: _Settings) -> str:
    size, step = whole(config["sequence_length"]), whole(config["sequence_stride"], 1)
    return f"... t -> ... (t-{size})/{step}+1 {size}"


def _rfft(config: _Settings) -> str:
    length = config.get("fft_length")
    bins = "t/2+1" if length is None else str(whole(length) // 2 + 1)
    return f"... t -> ... {bins}; ... {bins}"


def _irfft(config: _Settings) -> str:
    length = config.get("fft_length")
    return f"... b, ... b -> ... {'2*b-2' if length is None else whole(length)}"


def _stft(config: _Settings) -> str:
    length, step = whole(config["fft_length"]), whole(config["sequence_stride"], 1)
    missing = length % 2 if config.get("center", True) else length
    frames = f"(t-{missing})/{step}+1" if missing else f"t/{step}+1"
    return f"... t -> ... {frames} {length // 2 + 1}; ... {frames} {length // 2 + 1}"


def _istft(config: _Settings) -> str:
    length, step = whole(config["fft_length"]), whole(config["sequence_stride"], 1)
    if config.get("length") is not None:
        return f"... f b, ... f b -> ... {whole(config['length'])}"
    cut = 2 * (length // 2) if config.get("center", True) else 0
    return f"... f b, ... f b -> ... {step}*(f-1)+{length - cut}"


def _fold(config: _Settings) -> str:
    (height, width), (rows, columns) = _pair(config["output_size"]), _pair(config["kernel_size"])
    return f"n k l -> n k/{rows * columns} {height} {width}"


def _decoded(config: _Settings) -> str:
    paths = 1 if config.get("strategy", "greedy") == "greedy" else whole(config.get("top_paths", 1))
    return f"n t c, n -> {paths} n t; n {paths}"


def _counts(config: _Settings) -> str:
    bins = whole(config.get("bins", 10))
    return f"* -> {bins}; {bins + 1}"


def _unraveled(config: _Settings) -> str:
    axes = len(config["shape"])
    return f"... -> {'; '.join(['...'] * min(axes, 100))}"


def _scattered(config: _Settings) -> str:
    return f"*, * -> {' '.join(str(whole(length)) for length in config['shape'])}"


_ROWS: dict[str, _Row] = {
    **dict.fromkeys(("Cholesky", "CholeskyInverse"), _MATRIX),
    **dict.fromkeys(("Inv", "Pinv"), "... i j -> ... j i"),
    **dict.fromkeys(("Det", "Logdet", "MatrixRank"), "... i j -> ..."),
    **dict.fromkeys(("Eig", "Eigh"), "... i j -> ... i; ... i j"),
    "LuFactor": "... i j -> ... i j; ... min(i,j)",
    "Slogdet": "... i j -> ...; ...",
    "Qr": _qr,
    "SVD": _svd,
    "CDist": "... p m, ... r m -> ... p r",
    "ExtractSequences": _sequences,
    **dict.fromkeys(("FFT", "FFT2", "IFFT2"), "..., ... -> ...; ..."),
    "RFFT": _rfft,
    "IRFFT": _irfft,
    "STFT": _stft,
    "ISTFT": _istft,
    "InTopK": "..., ... c -> ...",
    "ViewAsComplex": "... c -> ...",
    "ViewAsReal": "... -> ... 2",
    **dict.fromkeys(("Polar", "BinaryCrossentropy"), _BOTH),
    "CTCDecode": _decoded,
    "CTCLoss": "n t, n s c, n, n -> n",
    "DotProductAttention": "b t n h, b s k h, b s k v -> b t n v",
    "Fold": _fold,
    **dict.fromkeys(("PSNR", "AllClose"), "*, * -> "),
    **dict.fromkeys(("Argpartition", "Array", "Digitize", "IsIn"), _SAME),
    "SearchSorted": "v, ... -> ...",
    "Bincount": "... n -> ... ?",
    "Histogram": _counts,
    "Scatter": _scattered,
    "ScatterUpdate": _SAME,
    "SliceUpdate": _SAME,
    "UnravelIndex": _unraveled,
}


#: The multiply-accumulates, in the letters of the signature; those of the others that multiply are unknown.
_WORK: dict[str, str] = {
    "DotProductAttention": "b*t*n*s*(h+v)",
    **dict.fromkeys(
        (
            *("Cholesky", "CholeskyInverse", "Inv", "Pinv", "Det", "Logdet", "Slogdet", "MatrixRank", "Eig"),
            *("Eigh", "LuFactor", "Qr", "SVD", "CDist", "FFT", "FFT2", "IFFT2", "RFFT", "IRFFT", "STFT"),
            *("ISTFT", "CTCDecode", "CTCLoss"),
        ),
        "?",
    ),
}


def signature(operation: str) -> Callable[[_Settings], dict[str, Any]]:
    """Return a reader of the settings of an operation that its signature describes.

    Args:
        operation: its class.

    Example:
        >>> signature("STFT")({"sequence_length": 16, "sequence_stride": 5, "fft_length": 32})["signature"]
        '... t -> ... t/5+1 17; ... t/5+1 17'
    """
    row = _ROWS[operation]
    work = {"work": _WORK[operation]} if operation in _WORK else {}
    return lambda config: {"signature": row if isinstance(row, str) else row(config), **work}


#: The operations that have a row.
SIGNED = frozenset(_ROWS)
