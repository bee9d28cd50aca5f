"""The example networks of the other tests: torch ones, pairs of torch and Keras, and a file."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

TESTS = Path(__file__).parents[1]


def _load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Data classes look their own module up.
    pytest.MonkeyPatch().setitem(importlib.import_module("sys").modules, name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def nets() -> ModuleType:
    """ResNet, DenseNet, UNet, MobileNet, ViT, Tagger and others."""
    return _load("architecture_nets", TESTS / "torch_live" / "nets.py")


@pytest.fixture(scope="session")
def questions() -> ModuleType:
    """The networks of the questions that people ask."""
    return _load("architecture_questions", TESTS / "explain" / "networks.py")


@pytest.fixture(scope="session")
def pairs() -> ModuleType:
    """The same networks in torch and in Keras."""
    return _load("architecture_pairs", TESTS / "convert" / "conftest.py")


@pytest.fixture
def lenet() -> Path:
    """The file that the examples show."""
    return TESTS / "data" / "lenet.onnx"


@pytest.fixture(scope="session")
def ports() -> ModuleType:
    """Networks written again in the other framework."""
    return _load("architecture_ports", Path(__file__).with_name("ports.py"))


@pytest.fixture(scope="session")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The text network of the questions, as a Keras archive."""
    path = tmp_path_factory.mktemp("text") / "text.keras"
    _load("architecture_text", TESTS / "explain" / "conftest.py")._text(path)
    return path
