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


def _one(value: Any) -> int:
    """Return a whole number; anything else has no length."""
    if type(value) is not int:
        raise TypeError(value)
    return value


def _pair(value: Any) -> tuple[int, int]:
    first, second = value if isinstance(value, list | tuple) else (value, value)
    return _one(first), _one(second)


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
    size, step = _one(config["sequence_length"]), _one(config["sequence_stride"])
    return f"... t -> ... (t-{size})/{step}+1 {size}"


def _rfft(config: _Settings) -> str:
    length = config.get("fft_length")
    bins = "t/2+1" if length is None else str(_one(length) // 2 + 1)
    return f"... t -> ... {bins}; ... {bins}"


def _irfft(config: _Settings) -> str:
    length = config.get("fft_length")
    return f"... b, ... b -> ... {'2*b-2' if length is None else _one(length)}"


def _stft(config: _Settings) -> str:
    length, step = _one(config["fft_length"]), _one(config["sequence_stride"])
    missing = length % 2 if config.get("center", True) else length
    frames = f"(t-{missing})/{step}+1" if missing else f"t/{step}+1"
    return f"... t -> ... {frames} {length // 2 + 1}; ... {frames} {length // 2 + 1}"


def _istft(config: _Settings) -> str:
    length, step = _one(config["fft_length"]), _one(config["sequence_stride"])
    if config.get("length") is not None:
        return f"... f b, ... f b -> ... {_one(config['length'])}"
    cut = 2 * (length // 2) if config.get("center", True) else 0
    return f"... f b, ... f b -> ... {step}*(f-1)+{length - cut}"


def _fold(config: _Settings) -> str:
    (height, width), (rows, columns) = _pair(config["output_size"]), _pair(config["kernel_size"])
    return f"n k l -> n k/{rows * columns} {height} {width}"


def _decoded(config: _Settings) -> str:
    paths = 1 if config.get("strategy", "greedy") == "greedy" else _one(config.get("top_paths", 1))
    return f"n t c, n -> {paths} n t; n {paths}"


def _counts(config: _Settings) -> str:
    bins = _one(config.get("bins", 10))
    return f"* -> {bins}; {bins + 1}"


def _unraveled(config: _Settings) -> str:
    axes = len(config["shape"])
    return f"... -> {'; '.join(['...'] * min(axes, 100))}"


def _scattered(config: _Settings) -> str:
    return f"*, * -> {' '.join(str(_one(length)) for length in config['shape'])}"


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


def signature(operation: str) -> Callable[[_Settings], dict[str, Any]]:
    """Return a reader of the settings of an operation that its signature describes.

    Args:
        operation: its class.

    Example:
        >>> signature("STFT")({"sequence_length": 16, "sequence_stride": 5, "fft_length": 32})["signature"]
        '... t -> ... t/5+1 17; ... t/5+1 17'
    """
    row = _ROWS[operation]
    return lambda config: {"signature": row if isinstance(row, str) else row(config)}


#: The operations that have a row.
SIGNED = frozenset(_ROWS)
