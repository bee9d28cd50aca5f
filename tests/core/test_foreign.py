"""Files that are no model: each is told by its first bytes, and the error says what to do."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import struct
import tarfile
import zipfile
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from shapeinspect.errors import UnreadableFileError, UsageError
from shapeinspect.registry import choose
from shapeinspect.sources.not_a_model import foreign
from shapeinspect.sources.source import from_object, from_path

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 123\n"


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("notes.txt", "text")


def tarred(path: Path) -> None:
    (path.parent / "notes.txt").write_text("text")
    with tarfile.open(path, "w") as file:
        file.add(path.parent / "notes.txt", "notes.txt")


def holding(data: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(data) and None


@pytest.mark.parametrize(("make", "what", "todo"), [
    (holding(LFS), "Git LFS pointer", "git lfs pull"),
    (holding(b"\n<!DOCTYPE html>\n<title>404 Not\nFound</title>"), 'model: "404 Not Found"', "download"),
    (holding(b'<?xml version="1.0"?><Error><Code>NoAccess</Code>'), 'error response: "NoAccess"', "download"),
    (holding(b'{"error":"Entry not found"}'), 'response, not a model: "Entry not found"', "download"),
    (holding(gzip.compress(b"weights", mtime=0)), "packed with gzip", "gzip -dc"),
    (holding(bz2.compress(b"weights")), "packed with bzip2", "bzip2 -dc"),
    (holding(lzma.compress(b"weights")), "packed with xz", "xz -dc"),
    (tarred, "tar archive with no model", "tar xf"),
    (holding(b'{"model_type": "bert"}'), "JSON, which may describe a model", "directory"),
    (holding(bytes(100)), "begins with zeros", "again"),
    (holding(b"to do:\n- train"), "a text file that begins with 'to do:'", "weights"),
    (holding(b"[model]\nlayers = 3"), "a text file that begins with '[model]'", "weights"),
    (holding(b""), "empty", "again"),
])  # fmt: skip
@pytest.mark.parametrize("name", ["model.dat", "model.bin"])
def test_what_is_no_model(
    tmp_path: Path, make: Callable[[Path], None], what: str, todo: str, name: str
) -> None:
    path = tmp_path / name
    make(path)
    with pytest.raises(UnreadableFileError) as caught:
        choose(from_path(path))
    assert what in caught.value.reason
    assert todo in str(caught.value.hint)


@pytest.mark.parametrize(
    "name", ["m.safetensors", "m.gguf", "m.h5", "m.onnx", "m.keras", "m.tflite", "m.npz"]
)
@pytest.mark.parametrize("data", [LFS, b"<html>", gzip.compress(b"weights", mtime=0), b'{"error": "no"}'])
def test_no_ending_makes_it_a_model(tmp_path: Path, name: str, data: bytes) -> None:
    """What is no model of any format is refused before a name is believed."""
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(UnreadableFileError) as caught:
        choose(from_path(path))
    assert caught.value.reason == foreign(from_path(path)).reason


def test_a_zip_of_something_else(tmp_path: Path) -> None:
    zipped(tmp_path / "model.zip")
    with pytest.raises(UnreadableFileError, match="zip archive with no model") as caught:
        choose(from_path(tmp_path / "model.zip"))
    assert "unzip" in str(caught.value.hint)


def test_a_header_length_that_begins_as_gzip_does(tmp_path: Path) -> None:
    """The eight bytes of a safetensors header of this length are those of a gzip file."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [3], "data_offsets": [0, 3]}}).encode()
    length = int.from_bytes(b"\x1f\x8b\x08\0\0\0\0\0", "little")
    path = tmp_path / "m.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + header.ljust(length) + b"abc")
    assert gzip.compress(b"", mtime=0)[:8] == path.read_bytes()[:8]
    assert choose(from_path(path)).name == "safetensors"


def test_a_title_cannot_reach_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "m.bin"
    path.write_bytes(b"<html><title>\x1b[31mred\x9b</title>")
    with pytest.raises(UnreadableFileError) as caught:
        choose(from_path(path))
    assert "\x1b" not in str(caught.value)
    assert "\x9b" not in str(caught.value)


def test_a_directory_of_models_names_them(tmp_path: Path) -> None:
    for place in ("unet", "runs/one/checkpoints"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "unet" / "model.safetensors").write_bytes(bytes(8))
    (tmp_path / "runs" / "one" / "checkpoints" / "last.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(UnreadableFileError, match="itself is not a model") as caught:
        choose(from_path(tmp_path))
    assert str(tmp_path / "unet") in str(caught.value.hint)
    with pytest.raises(UnreadableFileError, match="itself is not a model") as caught:
        choose(from_path(tmp_path / "runs"))
    assert str(tmp_path / "runs" / "one" / "checkpoints" / "last.npz") in str(caught.value.hint)


def test_a_directory_without_models(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="the directory is empty"):
        choose(from_path(tmp_path))
    (tmp_path / "notes.txt").write_text("text")
    # A cache whose files are numbers looks like a directory of checkpoints, one for each step.
    (tmp_path / ".cache" / "17").mkdir(parents=True)
    (tmp_path / ".cache" / "17" / "20").touch()
    with pytest.raises(UnreadableFileError, match="no model of a known format") as caught:
        choose(from_path(tmp_path))
    assert "a live" not in str(caught.value.hint)


#: The first bytes, in base64, of files that openvino 2026.4, coremltools 9.0, MNN 3.6, scikit-learn 1.9
#: and joblib 1.6 wrote.
WRITTEN = {
    "openvino": ("PD94bWwgdmVyc2lvbj0iMS4wIj8+CjxuZXQgbmFtZT0ib25ueF9Gcm9udGVuZF9JUiIgdmVyc2lvbj0iMTEiPg=="),
    "coreml": ("CAESJwoTCgRkYXRhGgsqCQoDAwgIEMCABFIQCgNvdXQaCSoHCgEEEMCABKIfuRgKthgKAmZjEgRkYXRhGgNvdQ=="),
    "coreml-program": (
        "CAYSyAEKEAoBeBoLKgkKAwHAARCggARSEAoCZmMaCioICgIBKBCggASiBqABogYrCiRjb20uZ2l0aHViLmFwcA=="
    ),
    "coreml-weights": (
        "AgAAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAO++rd4B"
        "AAAAADwAAAAAAACAAAAAAAAAAAAAAAAAAAAA"
    ),
    "mnn": (
        "IAAAABwAJAAIAAAADAAQABQABQAGABgAHAAHAAAAIAAcAAAAAAADAPQ0BwDcNAcAuAIAAKQCAAA4AAAAAAAAAAQAAAAk"
        "AAAAMWNmZDBiZWItYWVhMS00MDc0LWE4ZTkt"
    ),
    "lr2": ("gAJjc2tsZWFybi5saW5lYXJfbW9kZWwuX2xvZ2lzdGljCkxvZ2lzdGljUmVncmVzc2lvbgpxACmBcQF9cQIoWA=="),
    "lr5": ("gAWVuQIAAAAAAACMHnNrbGVhcm4ubGluZWFyX21vZGVsLl9sb2dpc3RpY5SMEkxvZ2lzdGljUmVncmVzc2lvbg=="),
    "pipeline": ("gASVzQEAAAAAAACMEHNrbGVhcm4ucGlwZWxpbmWUjAhQaXBlbGluZZSTlCmBlH2UKIwFc3RlcHOUXZQojA5zdA=="),
    "zlib": (
        "eF7dWX1sFMcVvzv77LPxx0EMdjCqCEWRScgVFLBAgMYEgoENF4OhRRV0tXdeexZuP9jdw3GcKEQFg9uFpmGvapI2qloi"
        "1P5BjBpFVC01QlHSptDwEYErKDhQCq1Jw0eqtFVV+mZ3Zz/OMfgC7R+sTjc7c/PmvXnv/X5vdm9Lce5oOGRdRlzbmOE5"
        "VUoogsJnBIk3jVgLvd1tTnvRfN5sMKKaziuauR5uqzSdk9o4tU1LcxleNY16dwWVV1Q5zWuaIHUk2DZO50yjqtWZ3mpP"
        "d5cs6xR0zIo8J5k7jJjV0fQ2uC9Oy0oXtFUS285zelblNVaQWJOJGtUSq3GikoERjedhzJggZUWlK8GmZZVPiNmMLnCq"
        "ynWZRgkxjyP6jKg1B9o2vUvhyUikfY7Zu2O7ucpsYIqM8HwzmUwuvwWX9cWEdDO1KGY7aHGT2QPzjCixFBQ+sEFOZYRU"
        "wlqTVYQ0uM80xiZJdyFR/TWVUxT/RmNaNpXOcJpm4vFGKXEdMZDYpWEO7GGi2+BeVtuIM8OLXDvxRKOcy2TkTlYUOQUc"
        "Um/rtORZLiN0SCIv6WyqS+c1k4lnU6XEeriaTryuXpTf70fP9vXNn3Wg/9jaa63164/29yV2x1/40Qvo+ciFn1bt/HV/"
        "7hF7jyGjeDOnsib+sh1u/DBuwNOIXfhRPB0/hic="
    ),
}


def written(name: str) -> bytes:
    return b64decode(WRITTEN[name])


def paddle_program() -> bytes:
    # blocks { idx: 0, parent_idx: -1, vars { name: "x" } }
    block = b"\x08\x00\x10" + b"\xff" * 9 + b"\x01" + b"\x1a\x03\x0a\x01x"
    return b"\x0a" + bytes([len(block)]) + block


def paddle_parameters() -> bytes:
    description = b"\x08\x05\x10\x03\x10\x07"  # float32, 3×7
    return struct.pack("<IQIi", 0, 0, 0, len(description)) + description + bytes(84)


def tensor() -> bytes:
    return numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(2, 3), "x").SerializeToString()


def lists() -> bytes:
    return helper.make_tensor("y", TensorProto.INT64, (2, 3), range(6)).SerializeToString()


def record() -> bytes:
    # The checksums are those of TensorFlow: tf.io.TFRecordWriter wrote this record of eight bytes.
    return bytes.fromhex("0800000000000000ff86240f0a06736861706573acd968ff")


@pytest.mark.parametrize(
    ("name", "data", "what", "todo"),
    [
        ("m.xml", written("openvino"), "the graph of an OpenVINO model", "that it was made from"),
        ("m.mlmodel", written("coreml"), "a Core ML model", "that it was made from"),
        ("m.mlmodel", written("coreml-program"), "a Core ML model", "that it was made from"),
        ("weight.bin", written("coreml-weights"), "weights of a Core ML package", "that it was made from"),
        ("m.mnn", written("mnn"), "an MNN model", "that it was made from"),
        ("m.pkl", written("lr2"), "a pickle of a scikit-learn estimator", "skl2onnx"),
        ("m.pt", written("lr5"), "a pickle of a scikit-learn estimator", "skl2onnx"),
        ("m.joblib", written("pipeline"), "a pickle of a scikit-learn estimator", "skl2onnx"),
        ("m.bin", written("zlib"), "a pickle of a scikit-learn estimator", "skl2onnx"),
        ("m.pdmodel", paddle_program(), "the program of a Paddle model", "paddle2onnx"),
        ("m.json", b'{"base_code":{"magic":"pir","version":1}', "Paddle model (PIR)", "paddle2onnx"),
        ("m.pdiparams", paddle_parameters(), "the parameters of a Paddle model", "paddle2onnx"),
        ("m.param", b"7767517\n75 83\nInput data 0 1 data\n", "the graph of an ncnn model", "made from"),
        ("m.param.bin", struct.pack("<III", 7767517, 75, 83), "an ncnn model, in binary", "made from"),
        ("m.cfg", b"# yolo\n[net]\nbatch=1\n\n[convolutional]\n", "a Darknet network", "ONNX"),
        ("m.weights", struct.pack("<iiiQ4f", 0, 2, 5, 32013312, 1, 2, 3, 4), "of a Darknet network", "ONNX"),
        ("m.engine", b"ftrt" + bytes(60), "a TensorRT engine", "built from"),
        ("m.plan", b"ptrt" + bytes(60), "a TensorRT engine", "built from"),
        ("m.engine", b'\x2c\0\0\0{"description": "Ultralytics YOLO"}ftrt', "a TensorRT engine", "built from"),
        ("m.rknn", b"RKNN" + struct.pack("<IQ", 0, 6), "Rockchip's NPU", "made from"),
        ("m.pte", b"\x20\0\0\0ET12" + bytes(60), "an ExecuTorch program", "torch.export.save"),
        ("m.circle", b"\x20\0\0\0CIR0" + bytes(60), "a Circle model", "TFLite"),
        ("ggml.bin", b"lmgg" + bytes(60), "a ggml model from before GGUF", "convert_hf_to_gguf"),
        ("input_0.pb", tensor(), "one tensor and no model", "name the model.onnx"),
        ("m.onnx", lists(), "one tensor and no model", "name the model.onnx"),
        ("m.tfrecord", record(), "a TFRecord file", "SavedModel"),
        ("m.json", b'{"class_name": "Functional"}', "model.to_json() of Keras", "model_from_json"),
        ("m.json", b'{"module": "keras", "class_name": "Mine"}', "model.to_json() of Keras", "load_weights"),
        ("model.json", b'{"format": "layers-model"}', "TensorFlow.js", "tensorflowjs_converter"),
        ("m-symbol.json", b'{\n "nodes": [{"op": "null"}]}', "graph of an MXNet model", "mxnet.onnx"),
        ("m.params", struct.pack("<QQQ", 0x112, 0, 3), "parameters of an MXNet model", "mxnet.onnx"),
        ("m.prototxt", b'name: "LeNet"\nlayer {\n  name: "data"', "a Caffe network", "caffemodel"),
        ("m.onnx", b'ir_version: 8\nproducer_name: "x"', "ONNX model written as text", "textproto"),
        ("m.txt", b"<\n  ir_version: 8,\n", "ONNX model written as text", "parse_model"),
        ("m.txt", b"tree\nversion=v4\nnum_class=1\n", "a LightGBM model", "onnxmltools"),
        ("m.cbm", b"CBM1" + bytes(20), "a CatBoost model", "save_model"),
        ("m.json", b'{"learner":{"attributes":{}}', "an XGBoost model", "onnxmltools"),
        ("m.py", b"# a net\nimport torch\n", "Python code", "package.module:attribute"),
        ("m.bin", b"\x89PNG\r\n\x1a\n" + bytes(20), "a picture", "model"),
    ],
)  # fmt: skip
def test_files_of_other_tools(tmp_path: Path, name: str, data: bytes, what: str, todo: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(UnreadableFileError) as caught:
        choose(from_path(path))
    assert what in caught.value.reason
    assert todo in str(caught.value.hint)
    if name not in ("m.mnn", "m.weights"):  # the name does not matter
        (tmp_path / "model.bin").write_bytes(data)
        again = foreign(from_path(tmp_path / "model.bin"), unknown=True)
        assert again is not None
        assert again.reason == caught.value.reason


@pytest.mark.parametrize(
    ("graph", "begins", "what"),
    [
        ("m.xml", b'<?xml version="1.0"?>\n<net name="n" version="11">', "of the OpenVINO model"),
        ("m.param", b"7767517\n3 3\n", "of the ncnn model"),
    ],
)
def test_plain_numbers_are_told_by_the_file_beside_them(
    tmp_path: Path, graph: str, begins: bytes, what: str
) -> None:
    path = tmp_path / "m.bin"
    path.write_bytes(struct.pack("<6f", 0.5, 0.25, -2, 3, 7, 11))
    with pytest.raises(UnreadableFileError, match="unknown format"):
        choose(from_path(path))
    (tmp_path / graph).write_bytes(begins)
    with pytest.raises(UnreadableFileError, match=what):
        choose(from_path(path))


def test_a_package_and_a_directory_of_another_tool(tmp_path: Path) -> None:
    package = tmp_path / "m.mlpackage"
    (package / "Data").mkdir(parents=True)
    (package / "Manifest.json").write_text("{}")
    with pytest.raises(UnreadableFileError, match="a Core ML package"):
        choose(from_path(package))
    folder = tmp_path / "exported"
    folder.mkdir()
    (folder / "inference.pdmodel").write_bytes(paddle_program())
    with pytest.raises(
        UnreadableFileError, match=r"in it, inference\.pdmodel: it is the program of a Paddle model"
    ):
        choose(from_path(folder))


def test_the_models_in_an_archive_are_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as file:
        for name in ("notes.txt", "deep/er/b.onnx", "deep/a.pt", "readme.md"):
            file.writestr(name, "text")
    with pytest.raises(UnreadableFileError) as caught:
        choose(from_path(tmp_path / "all.zip"))
    assert caught.value.hint == "unzip it, and name deep/a.pt or deep/er/b.onnx"


@pytest.mark.parametrize(
    ("module", "what", "todo"),
    [
        ("tf_keras.src.engine.training", "a model of Keras 2", 'save("model.h5")'),
        ("sklearn.svm", "scikit-learn", "skl2onnx"),
    ],
)
def test_an_object_of_another_tool(module: str, what: str, todo: str) -> None:
    kind = type("Model", (), {"__module__": module})
    with pytest.raises(UsageError) as caught:
        choose(from_object(kind()))
    assert what in str(caught.value.got)
    assert todo in str(caught.value.hint)
