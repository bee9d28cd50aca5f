"""Every function of ``keras.ops`` in a functional model, held against the shapes that Keras computes.

The functions are found in the module; one that takes more than tensors of any shape has its call in
``CALLS``. All are in one model, which is read live and from a ``.keras`` file.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

import shapeinspect
from shapeinspect.dims import substitute
from shapeinspect.rules import signature
from shapeinspect_keras.calls.arguments import Arguments
from shapeinspect_keras.calls.by_call import call_steps
from shapeinspect_keras.calls.by_rank import BY_RANK
from shapeinspect_keras.vocabulary.kinds import describe
from shapeinspect_keras.vocabulary.old_names import UNEXPECTED_FORM
from shapeinspect_keras.vocabulary.signatures import SIGNED

#: What a symbolic tensor cannot go through, and why.
WITHOUT = {
    **dict.fromkeys(
        ("associative_scan", "cond", "custom_gradient", "fori_loop", "jvp", "map", "scan", "switch"), "code"
    ),
    **dict.fromkeys(("vectorize", "vectorized_map", "while_loop"), "it calls a function of the user's"),
    **dict.fromkeys(
        ("convert_to_numpy", "is_tensor", "dtype", "ndim", "shape", "size"), "no tensor comes out"
    ),
    **dict.fromkeys(
        (
            *("arange", "bartlett", "blackman", "empty", "eye", "full", "geomspace", "hamming", "hanning"),
            *("identity", "kaiser", "linspace", "logspace", "ones", "tri", "zeros"),
        ),
        "it makes a tensor from numbers",
    ),
}

#: The tensors that the calls take; no two axes have one length, except where a matrix has to be square.
INPUTS = {
    "x": ((6, 7, 8), "float32"),
    "y": ((6, 7, 8), "float32"),
    "m": ((5, 9), "float32"),
    "v": ((5, 9), "float32"),
    "square": ((5, 5), "float32"),
    "side": ((5, 3), "float32"),
    "i": ((6, 7, 8), "int32"),
    "j": ((6, 7, 8), "int32"),
    "b": ((6, 7, 8), "bool"),
    "row": ((11,), "float32"),
    "ids": ((4,), "int32"),
    "image": ((16, 12, 8), "float32"),
    "wave": ((128,), "float32"),
    "pair": ((6, 2), "float32"),
    "spectrum": ((9, 11), "float32"),
}

Call = Callable[[dict[str, Any]], Any]


def _named(name: str, *keys: str, **options: Any) -> Call:
    """Call a function on some of the inputs."""
    return lambda t: getattr(ops, name)(*(t[key] for key in keys), **options)


def _complex(t: dict[str, Any]) -> Any:
    return ops.view_as_complex(t["pair"])


#: The calls of functions that take more than tensors of any shape; several of one function are a tuple.
CALLS: dict[str, Call | tuple[Call, ...]] = {
    "adaptive_average_pool": lambda t: ops.adaptive_average_pool(t["image"], (5, 3)),
    "adaptive_max_pool": lambda t: ops.adaptive_max_pool(t["image"], (5, 3)),
    "append": lambda t: ops.append(t["x"], t["y"], axis=2),
    "argpartition": lambda t: ops.argpartition(t["x"], 2),
    "array_split": lambda t: ops.array_split(t["x"], 3, axis=2),
    "average_pool": lambda t: ops.average_pool(t["image"], 2),
    "batch_normalization": lambda t: ops.batch_normalization(t["x"], ops.ones(8), ops.ones(8), -1),
    "binary_crossentropy": lambda t: ops.binary_crossentropy(t["x"], t["y"]),
    "bincount": lambda t: ops.bincount(t["ids"], minlength=9),
    **{
        name: _named(name, "i", "j")
        for name in (
            *("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift"),
            *("left_shift", "right_shift", "gcd", "lcm", "ldexp"),
        )
    },
    "bitwise_invert": lambda t: ops.bitwise_invert(t["i"]),
    "bitwise_not": lambda t: ops.bitwise_not(t["i"]),
    "broadcast_to": lambda t: ops.broadcast_to(ops.ones((7, 1)), (6, 7, 8)) + t["x"],
    "cast": lambda t: ops.cast(t["x"], "float16"),
    "categorical_crossentropy": lambda t: ops.categorical_crossentropy(t["x"], t["y"]),
    "cdist": lambda t: ops.cdist(t["m"], ops.concatenate([t["v"], t["v"]], 1)),
    "cholesky": lambda t: ops.cholesky(t["square"]),
    "cholesky_inverse": lambda t: ops.cholesky_inverse(t["square"]),
    "clip": lambda t: ops.clip(t["x"], 0, 1),
    "concatenate": lambda t: ops.concatenate([t["x"], t["y"]], 2),
    "conv": (
        lambda t: ops.conv(t["image"], ops.ones((3, 5, 8, 4)), 2, "same"),
        lambda t: ops.conv(t["m"], ops.ones((3, 9, 4))),
    ),
    "conv_transpose": lambda t: ops.conv_transpose(t["image"], ops.ones((3, 3, 4, 8)), 2, "same"),
    "corrcoef": lambda t: ops.corrcoef(ops.reshape(t["m"], (-1, 9))),
    "correlate": lambda t: ops.correlate(t["row"][0], t["wave"][0], mode="same"),
    "cross": lambda t: ops.cross(t["side"], t["side"]),
    "ctc_decode": lambda t: ops.ctc_decode(t["spectrum"], ops.cast(t["ids"][:, 0], "int32")),
    "ctc_loss": lambda t: ops.ctc_loss(t["ids"], t["spectrum"], t["ids"][:, 0], t["ids"][:, 1]),
    "depth_to_space": lambda t: ops.depth_to_space(t["image"], 2),
    "depthwise_conv": lambda t: ops.depthwise_conv(t["image"], ops.ones((3, 5, 8, 2))),
    "det": lambda t: ops.det(t["square"]),
    "diag": (lambda t: ops.diag(t["m"][0]), lambda t: ops.diag(t["row"][0], k=-2)),
    "diagflat": lambda t: ops.diagflat(t["m"][0]),
    "diagonal": (
        lambda t: ops.diagonal(t["x"], axis1=1, axis2=2),
        lambda t: ops.diagonal(t["x"], offset=3, axis1=2, axis2=3),
        lambda t: ops.diagonal(t["x"], offset=-4, axis1=-1, axis2=1),
    ),
    "diff": (lambda t: ops.diff(t["x"], 2), lambda t: ops.diff(t["x"], axis=1)),
    "digitize": lambda t: ops.digitize(t["x"], ops.convert_to_tensor([0.0, 1.0])),
    "dot": lambda t: ops.dot(t["x"], ops.ones((8, 3))),
    "dot_product_attention": (
        lambda t: ops.dot_product_attention(t["x"], t["y"], t["y"]),
        lambda t: ops.dot_product_attention(t["x"], t["image"][:, :, :7], t["image"][:, :, :7]),
    ),
    "dsplit": lambda t: ops.dsplit(t["image"], 4),
    "dstack": lambda t: ops.dstack([t["x"], t["y"]]),
    "eig": lambda t: ops.eig(t["square"]),
    "eigh": lambda t: ops.eigh(t["square"]),
    "einsum": lambda t: ops.einsum("nabc,nab->nc", t["x"], t["y"][..., 0]),
    "expand_dims": (lambda t: ops.expand_dims(t["x"], 2), lambda t: ops.expand_dims(t["x"], (1, 3))),
    "extract_sequences": lambda t: ops.extract_sequences(t["wave"], 16, 5),
    "fft": lambda t: ops.fft((t["x"], t["y"])),
    "fft2": lambda t: ops.fft2((t["x"], t["y"])),
    "ifft2": lambda t: ops.ifft2((t["x"], t["y"])),
    "rfft": (lambda t: ops.rfft(t["wave"]), lambda t: ops.rfft(t["x"], fft_length=20)),
    "irfft": (
        lambda t: ops.irfft((t["x"], t["y"])),
        lambda t: ops.irfft((t["x"], t["y"]), fft_length=13),
    ),
    "stft": (
        lambda t: ops.stft(t["wave"], 16, 5, 32),
        lambda t: ops.stft(t["wave"], 16, 5, 32, center=False),
    ),
    "istft": lambda t: ops.istft((t["spectrum"], t["spectrum"]), 16, 5, 20),
    "flip": (lambda t: ops.flip(t["x"]), lambda t: ops.flip(t["x"], 1)),
    "fold": lambda t: ops.fold(ops.transpose(t["image"][:, :, :, 0], (0, 2, 1)), (9, 9), (2, 2), stride=2),
    "full_like": lambda t: ops.full_like(t["x"], 2),
    "get_item": lambda t: ops.get_item(t["x"], (slice(None), 2, slice(1, 5, 2))),
    "histogram": lambda t: ops.histogram(t["x"], 12),
    "hsplit": lambda t: ops.hsplit(t["image"], 2),
    "hstack": lambda t: ops.hstack([t["x"], t["y"]]),
    "in_top_k": lambda t: ops.in_top_k(t["ids"][:, 0], t["row"], 3),
    "inner": lambda t: ops.inner(t["m"], ops.ones((4, 9))),
    "inv": lambda t: ops.inv(t["square"]),
    "isin": lambda t: ops.isin(t["i"], ops.convert_to_tensor([1, 2])),
    "kron": lambda t: ops.kron(t["m"], t["side"]),
    "layer_normalization": lambda t: ops.layer_normalization(t["x"]),
    "logdet": lambda t: ops.logdet(t["square"]),
    "lstsq": lambda t: ops.lstsq(t["square"][0], t["side"][0]),
    "lu_factor": lambda t: ops.lu_factor(t["square"]),
    "matmul": (
        lambda t: ops.matmul(t["m"], ops.ones((9, 4))),
        lambda t: ops.matmul(t["square"], t["side"]),
    ),
    "matrix_rank": lambda t: ops.matrix_rank(t["m"]),
    "max_pool": lambda t: ops.max_pool(t["image"], 3, 2, "same"),
    "meshgrid": (
        lambda t: ops.meshgrid(t["row"][0], t["wave"][0]),
        lambda t: ops.meshgrid(t["row"][0], t["wave"][0], indexing="ij"),
    ),
    "moments": (
        lambda t: ops.moments(t["x"], axes=[1]),
        lambda t: ops.moments(t["x"], axes=[1, 3], keepdims=True),
    ),
    "moveaxis": lambda t: ops.moveaxis(t["x"], 1, 3),
    "multi_hot": lambda t: ops.multi_hot(t["ids"], 13),
    "norm": (lambda t: ops.norm(t["x"], axis=(1, 2)), lambda t: ops.norm(t["x"])),
    "one_hot": (lambda t: ops.one_hot(t["ids"], 13), lambda t: ops.one_hot(t["ids"], 13, axis=1)),
    "outer": lambda t: ops.outer(t["row"][0], t["wave"][0]),
    "pad": lambda t: ops.pad(t["x"], ((0, 0), (1, 2), (0, 3), (4, 0))),
    "pinv": lambda t: ops.pinv(t["m"]),
    "qr": (lambda t: ops.qr(t["m"]), lambda t: ops.qr(t["side"], mode="complete")),
    **{name: _named(name, "x", q=[0.2, 0.5, 0.7], axis=1) for name in ("quantile", "nanquantile")},
    **{name: _named(name, "x", q=20, axis=2, keepdims=True) for name in ("percentile", "nanpercentile")},
    "rearrange": lambda t: ops.rearrange(t["x"], "n a b c -> n (a b) c"),
    "repeat": lambda t: ops.repeat(t["x"], 3, axis=2),
    "reshape": lambda t: ops.reshape(t["x"], (-1, 42, 8)),
    "roll": lambda t: ops.roll(t["x"], 2, axis=1),
    "rot90": (lambda t: ops.rot90(t["x"], axes=(1, 2)), lambda t: ops.rot90(t["x"], k=2, axes=(1, 3))),
    "saturate_cast": lambda t: ops.saturate_cast(t["x"], "int8"),
    "scatter": lambda t: ops.scatter(t["ids"][:, :1], t["row"][:, 0], (10,)),
    "scatter_update": lambda t: ops.scatter_update(t["row"], t["ids"][:, :2], t["m"][:, 0, 0]),
    "searchsorted": lambda t: ops.searchsorted(ops.convert_to_tensor([0.0, 1.0, 2.0]), t["row"][0]),
    **{
        f"segment_{name}": (
            lambda t, name=name: getattr(ops, f"segment_{name}")(t["x"], t["ids"][:, 0], num_segments=10),
            lambda t, name=name: getattr(ops, f"segment_{name}")(t["row"], t["ids"][:, 0]),
        )
        for name in ("sum", "max", "min", "prod")
    },
    "select": lambda t: ops.select([t["b"], t["b"]], [t["x"], t["y"]]),
    "separable_conv": lambda t: ops.separable_conv(
        t["image"], ops.ones((3, 3, 8, 2)), ops.ones((1, 1, 16, 5))
    ),
    "slice": lambda t: ops.slice(t["x"][0], (0, 1, 2), (3, 4, 5)),
    "slice_update": lambda t: ops.slice_update(t["x"][0], (0, 1, 2), t["x"][0, :2, :2, :2]),
    "slogdet": lambda t: ops.slogdet(t["square"]),
    "solve": lambda t: ops.solve(t["square"], t["side"]),
    "solve_triangular": lambda t: ops.solve_triangular(t["square"], t["side"]),
    "space_to_depth": lambda t: ops.space_to_depth(t["image"], 2),
    "sparse_categorical_crossentropy": lambda t: ops.sparse_categorical_crossentropy(
        t["ids"][:, 0], t["row"]
    ),
    "split": (
        lambda t: ops.split(t["image"], 4, axis=1),
        lambda t: ops.split(t["image"], [3, 7], axis=2),
    ),
    "squeeze": lambda t: ops.squeeze(t["x"][:, :, :1], 2),
    "stack": lambda t: ops.stack([t["x"], t["y"]], 2),
    "svd": (
        lambda t: ops.svd(t["m"]),
        lambda t: ops.svd(t["m"], full_matrices=False),
        lambda t: ops.svd(t["m"], compute_uv=False),
    ),
    "swapaxes": lambda t: ops.swapaxes(t["x"], 1, 3),
    "take": (lambda t: ops.take(t["x"], [1, 3], axis=1), lambda t: ops.take(t["x"], t["ids"], axis=2)),
    "take_along_axis": lambda t: ops.take_along_axis(t["x"], t["i"][:, :, :, :3], axis=3),
    "tensordot": lambda t: ops.tensordot(t["x"], ops.ones((7, 8, 3)), 2),
    "threshold": lambda t: ops.threshold(t["x"], 0.5, 1.0),
    "tile": lambda t: ops.tile(t["x"], (1, 2, 1, 3)),
    "top_k": lambda t: ops.top_k(t["x"], 3),
    "trace": (
        lambda t: ops.trace(t["x"], axis1=1, axis2=2),
        lambda t: ops.trace(t["x"], offset=2, axis1=-1, axis2=-2),
    ),
    "transpose": (lambda t: ops.transpose(t["x"], (0, 3, 1, 2)), lambda t: ops.transpose(t["x"])),
    "trapezoid": (lambda t: ops.trapezoid(t["x"]), lambda t: ops.trapezoid(t["x"], axis=1)),
    "tril": lambda t: ops.tril(t["square"]),
    "triu": lambda t: ops.triu(t["square"], 1),
    "unfold": lambda t: ops.unfold(ops.transpose(t["image"], (0, 3, 1, 2)), 2),
    "unique": lambda t: ops.unique(t["ids"][0], size=3),
    "unravel_index": lambda t: ops.unravel_index(t["ids"], (3, 5, 7)),
    "unstack": lambda t: ops.unstack(t["x"], axis=1),
    "vander": (lambda t: ops.vander(t["row"][0]), lambda t: ops.vander(t["row"][0], 4)),
    "vdot": lambda t: ops.vdot(t["row"][0], t["row"][1]),
    "view": lambda t: ops.view(t["x"], "int32"),
    "view_as_complex": _complex,
    "view_as_real": lambda t: ops.view_as_real(_complex(t)),
    "vsplit": lambda t: ops.vsplit(t["image"][0], 4),
    "vstack": lambda t: ops.vstack([t["x"], t["y"]]),
    "where": lambda t: ops.where(t["b"], t["x"], t["y"]),
    "average": lambda t: ops.average(t["x"], axis=1),
    "isreal": lambda t: ops.isreal(t["x"]),
    "polar": lambda t: ops.polar(t["x"], t["y"]),
    "psnr": lambda t: ops.psnr(t["x"], t["y"], 1.0),
    "allclose": lambda t: ops.allclose(t["x"], t["y"]),
    **{
        name: _named(name, "x", axis=1)
        for name in (
            "argmax",
            "argmin",
            "nanargmax",
            "nanargmin",
            "cumsum",
            "nancumsum",
            "cumprod",
            "nancumprod",
        )
    },
}
#: What stays open in a file, and what is printed.
OPEN = {"view": "(17, 6, 7, ?), Keras (17, 6, 7, 8)"}
#: No axis of an input has this length.
_BATCH = 17

#: With axes, too: the functions that combine entries.
REDUCING = (
    *("all", "amax", "amin", "any", "count_nonzero", "logsumexp", "max", "mean", "median", "min", "nanmax"),
    *("nanmean", "nanmedian", "nanmin", "nanprod", "nanstd", "nansum", "nanvar", "prod", "ptp", "std"),
    *("sum", "var"),
)


def functions() -> dict[str, Any]:
    """Return the public functions of ``keras.ops``."""
    return {name: value for name, value in vars(ops).items() if inspect.isfunction(value)}


def calls() -> Iterator[tuple[str, Call]]:
    """Yield the calls of every function that a symbolic tensor goes through."""
    for name, function in functions().items():
        if name in WITHOUT:
            continue
        if name in REDUCING:
            yield f"{name} 1 3", _named(name, "x", axis=(1, 3))
        if name in CALLS:
            given = CALLS[name]
            for index, call in enumerate(given if isinstance(given, tuple) else (given,)):
                yield f"{name} {index}", call
        else:
            parameters = inspect.signature(function).parameters.values()
            required = [parameter for parameter in parameters if parameter.default is parameter.empty]
            yield name, _named(name, *"xy"[: len(required)])


def _outputs(result: Any) -> list[Any]:
    return [item for item in keras.tree.flatten(result) if isinstance(item, keras.KerasTensor)]


@dataclass(frozen=True)
class Made:
    """A model of all calls, the outputs of each, and the calls that Keras itself refuses."""

    model: Any
    outputs: dict[str, list[Any]]
    refused: dict[str, str]


@pytest.fixture(scope="module")
def made() -> Made:
    """Make a model of all calls."""
    return make()


def make() -> Made:
    keras.backend.clear_session()
    tensors = {name: keras.Input(shape, dtype=kind) for name, (shape, kind) in INPUTS.items()}
    results, refused = {}, {}
    for name, call in calls():
        try:
            results[name] = _outputs(call(tensors))
        except TypeError as error:
            refused[name] = str(error)
    model = keras.Model(list(tensors.values()), [item for found in results.values() for item in found])
    return Made(model, results, refused)


def ran(name: str) -> list[tuple[int | None, ...]]:
    """Run a call on numbers, for what Keras computes on symbols may be wrong itself."""
    fed = {
        key: ops.cast(np.random.default_rng(3).random((_BATCH, *shape)), kind)
        for key, (shape, kind) in INPUTS.items()
    }
    result = keras.tree.flatten(dict(calls())[name](fed))
    return [tuple(item.shape) for item in result]


def wrong(report: Any, made: Made) -> Iterator[tuple[str, str]]:
    """Yield the outputs that differ from Keras's, or are not known.

    Args:
        report: the report of the model.
        made: what Keras computes.
    """
    names = iter(report.model.outputs)
    for name, found in made.outputs.items():
        shapes = [report.model.values[next(names)].shape for _ in found]
        wanted = [tuple(item.shape) for item in found]
        if not all(map(_fits, shapes, wanted)):
            wanted = ran(name)
            shapes = [shape and tuple(substitute(dim, {"N": _BATCH}) for dim in shape) for shape in shapes]
        for shape, want in zip(shapes, wanted, strict=True):
            if not _fits(shape, want):
                yield name, f"{shape}, Keras {want}"


def _fits(shape: Any, want: Any) -> bool:
    return (
        shape is not None
        and len(shape) == len(want)
        and all(length is None or dim == length for dim, length in zip(shape, want, strict=True))
    )


def test_every_function_is_called(made: Made) -> None:
    """Nothing of the module is left out, and nothing is excused that is not in it."""
    assert WITHOUT.keys() <= functions().keys()
    called = {name.split()[0] for name in made.outputs}
    assert functions().keys() - WITHOUT.keys() - called == {"rearrange"}
    assert made.refused.keys() == {"rearrange 0"}, "Keras splits no open axis here"


def test_the_shapes_of_every_function(made: Made, tmp_path: Path) -> None:
    """Before the signatures, 137 of the 404 outputs in a file were unknown."""
    made.model.save(tmp_path / "operations.keras")
    assert [*wrong(shapeinspect.inspect(made.model), made)] == []
    report = shapeinspect.inspect(tmp_path / "operations.keras")
    assert {name.split()[0]: text for name, text in wrong(report, made)} == OPEN
    assert {row.type for row in report if row.kind == "unknown"} == set()


#: What a file may hold in place of a setting.
JUNK = (None, 0, -1, 3, 10**9, 10**30, "x", [], [1], [0, 1], [None], {}, {"a": 1}, 1.5, True)
SETTINGS = (
    *("k", "offset", "axis", "axis1", "axis2", "n", "axes", "N", "keepdims", "mode", "indexing", "bins"),
    *("indices_or_sections", "num_segments", "size", "sequence_length", "sequence_stride", "fft_length"),
    *("length", "center", "output_size", "kernel_size", "strategy", "top_paths", "shape", "full_matrices"),
)


def test_settings_of_any_form_end_in_shapes_or_none() -> None:
    """Whatever a file holds, an operation has the shapes of a signature that can be read, or is unknown."""
    ranks = ((), (3,), (3, 5), (3, 5, 7), (2,) * 20)
    tried = 0
    for operation in (*SIGNED, *BY_RANK):
        for value, rank in itertools.product(JUNK, ranks):
            config = dict.fromkeys(SETTINGS, value)
            try:
                steps = (describe(operation, config, "keras.src.ops.numpy"),)
            except UNEXPECTED_FORM:
                continue
            shapes = (rank, rank[1:])
            steps = call_steps(operation, config, Arguments((None, value)), shapes) or steps
            for kind, settings in steps:
                assert kind in ("operation", "unknown"), operation
                text = settings.get("signature", "")
                assert all(
                    not isinstance(n, int) or n >= 0 or operation in SIGNED
                    for shape in signature.shapes(text, settings, shapes)
                    for n in shape or ()
                ), (operation, text)
                tried += 1
    assert tried > 1000
