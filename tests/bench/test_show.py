"""``shapeinspect show`` against what a person would otherwise run."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import measure, python, shapeinspect

pytestmark = pytest.mark.bench


@pytest.fixture(scope="session")
def resnet50(tmp_path_factory: pytest.TempPathFactory) -> str:
    import keras

    path = tmp_path_factory.mktemp("bench") / "resnet50.keras"
    keras.applications.ResNet50(weights=None).save(path)
    return str(path)


def test_keras_file(compare, resnet50: str) -> None:
    peer = python("import sys, keras; keras.saving.load_model(sys.argv[1]).summary()", resnet50)
    faster, smaller = compare("show resnet50.keras", shapeinspect("show", resnet50), peer, runs=3)
    assert faster >= 10
    assert smaller >= 10


def test_onnx_file(compare) -> None:
    import onnx

    path = str(Path(onnx.__file__).parent / "backend/test/data/light/light_resnet50.onnx")
    peer = python("import sys, onnx; onnx.shape_inference.infer_shapes(onnx.load(sys.argv[1]))", path)
    faster, _ = compare("show light_resnet50.onnx", shapeinspect("show", path), peer)
    assert faster >= 1 / 1.6


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    ours, bare = measure(shapeinspect("--help"), 9), measure(python("pass"), 9)
    extra = ours.seconds - bare.seconds
    with capsys.disabled():
        print(f"\n--help: {extra * 1000:.0f} ms over a bare interpreter ({bare.seconds * 1000:.0f} ms)")
    assert extra <= 0.150
