"""What is read from arrays and archives that numpy wrote."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file

import shapeinspect
from shapeinspect.dims import UNKNOWN
from shapeinspect.errors import UnreadableFileError
from shapeinspect.ir import Model, Weight
from shapeinspect.render.totals import of_model
from shapeinspect.sources.source import from_path
from shapeinspect_numpy.adapter import ADAPTER

ARRAYS: dict[str, Any] = {
    "encoder/dense/kernel": np.arange(15, dtype=np.float32).reshape(3, 5),
    "encoder/dense/bias": np.arange(5, dtype=np.float16),
    "encoder/conv.0/kernel": np.asfortranarray(np.arange(2 * 3 * 5 * 7, dtype=">i4").reshape(2, 3, 5, 7)),
    "step": np.int64(7),
    "empty": np.zeros((0, 4), np.uint8),
    "text": np.array(["naïve", "層"]),
    "when": np.array(["2024-02-29"], "M8[D]"),
    "flags": np.array([True, False, True]),
    "wave": np.array([1 + 2j], np.complex64),
    "rows": np.array([(1.0, [2, 3])], dtype=[("x", "<f4"), ("y", "<i8", (2,))]),
}


def _read(path: Path) -> Model:
    return ADAPTER.read(from_path(path))


def _weights(path: Path) -> dict[str, Weight]:
    return {weight.name: weight for layer in _read(path).layers for weight in layer.weights}


@pytest.fixture(params=[np.savez, np.savez_compressed], ids=["stored", "compressed"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    request.param(tmp_path / "m.npz", **ARRAYS)
    return tmp_path / "m.npz"


def test_an_archive_is_listed_as_numpy_lists_it(archive: Path) -> None:
    assert ADAPTER.match(from_path(archive)) == 2
    found = _weights(archive)
    with np.load(archive) as theirs:
        assert set(found) == set(theirs.files) == set(ARRAYS)
        for name, weight in found.items():
            array = theirs[name]
            named = "structured" if array.dtype.fields else array.dtype.name
            assert (weight.shape, weight.dtype, weight.nbytes) == (array.shape, named, array.nbytes), name


def test_numbers_are_read_when_asked_for(archive: Path) -> None:
    for name, weight in _weights(archive).items():
        assert weight.values is not None
        assert (weight.values() == ARRAYS[name]).all()


def test_layers_are_the_prefixes(archive: Path) -> None:
    model = _read(archive)
    assert [(layer.path, layer.parts, layer.kind) for layer in model.layers] == [
        ("encoder/dense", ("encoder", "dense"), "unknown"),
        ("encoder/conv.0", ("encoder", "conv.0"), "unknown"),
        ("(root)", ("(root)",), "unknown"),
    ]
    assert [weight.role for weight in model.layers[0].weights] == ["kernel", "bias"]
    assert "prove no kinds" in model.notes[0].text


def test_dots_part_names_that_have_no_slashes(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", **{"block.0.weight": np.zeros((2, 3)), "block.1.weight": np.zeros(5)})
    assert [layer.path for layer in _read(tmp_path / "m.npz").layers] == ["block.0", "block.1"]


def test_a_prefix_may_be_called_root(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", **{"(root)/w": np.zeros(2), "w": np.zeros(3)})
    assert [layer.path for layer in _read(tmp_path / "m.npz").layers] == ["(root)", ""]


@pytest.mark.parametrize("name", sorted(ARRAYS))
def test_a_single_array(tmp_path: Path, name: str) -> None:
    path = tmp_path / "one.npy"
    np.save(path, ARRAYS[name])
    assert ADAPTER.match(from_path(path)) == 2
    model = _read(path)
    weight = model.layers[0].weights[0]
    array = np.load(path)
    assert (model.format, weight.name, weight.shape, weight.nbytes) == (
        "npy",
        "one",
        array.shape,
        array.nbytes,
    )
    assert weight.values is not None
    assert (weight.values() == array).all()


def test_every_version_of_the_header(tmp_path: Path) -> None:
    path = tmp_path / "one.npy"
    array = np.zeros((3, 5), np.float32)
    for version in ((1, 0), (2, 0), (3, 0)):
        with path.open("wb") as file:
            np.lib.format.write_array(file, array, version=version)
        assert _read(path).layers[0].weights[0].shape == (3, 5)
    wide = np.zeros(2, dtype=[(f"field {index} 層", "<f4") for index in range(1200)])
    with pytest.warns(UserWarning, match="3.0"):
        np.save(path, wide)
    assert _weights(path)["one"].nbytes == wide.nbytes


def test_a_header_of_python_2(tmp_path: Path) -> None:
    text = b"{'descr': '<f4', 'fortran_order': False, 'shape': (3L, 5L), }"
    path = tmp_path / "one.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(60))
    assert _weights(path)["one"].shape == (3, 5)


def test_objects_are_shown_and_not_unpickled(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "went off",))

    np.savez(tmp_path / "m.npz", good=np.zeros(3), bad=np.array([Bomb()], object))
    found = _weights(tmp_path / "m.npz")
    assert (found["bad"].dtype, found["bad"].shape, found["bad"].nbytes) == ("object", (1,), None)
    assert found["bad"].values is None
    assert any("pickled and were not read: bad" in note.text for note in _read(tmp_path / "m.npz").notes)
    assert not (tmp_path / "went off").exists()


def test_bfloat16_is_said_to_be_raw(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", w=np.zeros((2, 3), ml_dtypes.bfloat16))
    model = _read(tmp_path / "m.npz")
    assert model.layers[0].weights[0].dtype == "void16"
    assert any("bfloat16" in note.text for note in model.notes)


def test_other_files_of_an_archive_are_counted(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", w=np.zeros(3))
    with zipfile.ZipFile(tmp_path / "m.npz", "a") as archive:
        archive.writestr("readme.txt", "hello")
    model = _read(tmp_path / "m.npz")
    assert [note.text for note in model.notes][1:] == ["besides arrays, the archive holds 1 file"]
    np.savez(tmp_path / "empty.npz")
    assert [note.text for note in _read(tmp_path / "empty.npz").notes] == ["the archive holds no arrays"]


def test_a_suffix_that_lies_is_refused(tmp_path: Path) -> None:
    for suffix in (".npy", ".npz"):
        path = tmp_path / f"m{suffix}"
        path.write_bytes(b"nothing of the kind, and long enough to be looked at")
        assert ADAPTER.match(from_path(path)) == 1
        with pytest.raises(UnreadableFileError):
            _read(path)


@pytest.mark.parametrize("case", ["mlx_3_affine", "mlx_4_affine", "mlx_4_nvfp4"])
def test_words_that_mlx_packed_are_unknown_and_never_counted_as_weights(case: str, tmp_path: Path) -> None:
    stored = load_file(f"tests/data/quantized/{case}/model.safetensors")
    np.savez(tmp_path / "model.npz", **stored, other=np.zeros((3, 5), np.uint32))
    model = ADAPTER.read(from_path(tmp_path / "model.npz"))
    totals = of_model(model)
    assert (totals.params, totals.unknown) == (15, 2)
    shapes = {weight.name: weight.shape for layer in model.layers for weight in layer.weights}
    assert (shapes["up.weight"], shapes["down.weight"]) == ((16, UNKNOWN), (24, UNKNOWN))
    assert any("packed by MLX" in note.text and "2 weights" in note.text for note in model.notes)


@pytest.mark.parametrize(("case", "label"), [("mlx_3_affine", "int3 g32"), ("mlx_4_affine", "int4 g32")])
def test_words_that_mlx_packed_are_read_with_the_configuration_beside_them(
    case: str, label: str, tmp_path: Path
) -> None:
    folder = Path("tests/data/quantized").resolve() / case
    np.savez(tmp_path / "weights.npz", **load_file(folder / "model.safetensors"))
    shutil.copy(folder / "config.json", tmp_path)
    model = shapeinspect.inspect(tmp_path / "weights.npz").model
    weights = {w.name: w for layer in model.layers for w in layer.weights if w.quantization is not None}
    expected = load_file(folder / "expected.safetensors")
    assert weights.keys() == {f"{name}.weight" for name in expected}
    for name, matrix in expected.items():
        weight = weights[f"{name}.weight"]
        assert (weight.shape, weight.quantization and weight.quantization.label) == (matrix.shape, label)
        assert weight.values is not None
        np.testing.assert_allclose(weight.values(), matrix, rtol=1e-5, atol=1e-7)
    assert of_model(model).params == sum(matrix.size for matrix in expected.values())
    assert not any("packed by MLX" in note.text for note in model.notes)


def test_settings_that_do_not_fit_the_words_are_not_believed(tmp_path: Path) -> None:
    folder = Path("tests/data/quantized").resolve() / "mlx_4_affine"
    np.savez(tmp_path / "weights.npz", **load_file(folder / "model.safetensors"))
    for settings in ({"bits": 8, "group_size": 32}, {"bits": "4", "group_size": 32}, {"bits": 4}, [4]):
        (tmp_path / "config.json").write_text(json.dumps({"quantization": settings}))
        model = shapeinspect.inspect(tmp_path / "weights.npz").model
        assert (of_model(model).params, of_model(model).unknown) == (0, 2)
