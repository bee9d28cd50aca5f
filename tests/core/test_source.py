"""What a user may name, and what a file may name."""

from __future__ import annotations

from pathlib import Path

import pytest

from shapeinspect.dims import UNKNOWN, symbol
from shapeinspect.errors import ModelCodeError, UnreadableFileError, UsageError
from shapeinspect.sources.imports import from_import_string
from shapeinspect.sources.input_shapes import InputSpec
from shapeinspect.sources.links import check_inside
from shapeinspect.sources.source import from_object, from_path, is_import_string, with_inputs


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("1,3,224,224", InputSpec((1, 3, 224, 224))),
        ("1x3x224x224", InputSpec((1, 3, 224, 224))),
        ("ids=2,17:int64", InputSpec((2, 17), "ids", "int64")),
        ("batch,3,?,W", InputSpec((symbol("batch"), 3, UNKNOWN, symbol("W")))),
        ("x=(5,)", InputSpec((5,), "x")),
        ("s=:float32", InputSpec((), "s", "float32")),
        (" a.b = 4 , 6 ", InputSpec((4, 6), "a.b")),
    ],
)
def test_an_input_is_read(text: str, spec: InputSpec) -> None:
    assert InputSpec.parse(text) == spec


@pytest.mark.parametrize("text", ["1,x-,3", "1,,3", "1,-3", "1.5,2", "2,3:float31", "a=1,2:"])
def test_an_input_that_is_no_shape_is_refused_by_name(text: str) -> None:
    if text.endswith(":"):
        with pytest.raises(UsageError, match="is not a dtype"):
            InputSpec.parse(text)
        return
    with pytest.raises(UsageError, match="--input") as caught:
        InputSpec.parse(text)
    assert caught.value.expected


@pytest.mark.parametrize(
    ("given", "shapes"),
    [
        ((1, 3, 8, 9), [(None, (1, 3, 8, 9))]),
        ([(1, 3), (2, 5)], [(None, (1, 3)), (None, (2, 5))]),
        ({"a": (1, 3), "b": "2,5:int64"}, [("a", (1, 3)), ("b", (2, 5))]),
        ("ids=2,17", [("ids", (2, 17))]),
        ((None, 7), [(None, (UNKNOWN, 7))]),
    ],
)
def test_inputs_may_be_given_in_many_forms(given: object, shapes: list[tuple[str | None, object]]) -> None:
    source = with_inputs(from_object(3), given)
    assert [(spec.name, spec.shape) for spec in source.inputs] == shapes


def test_a_tensor_is_an_example() -> None:
    class Tensor:
        shape = (2, 3)

    tensor = Tensor()
    assert with_inputs(from_object(3), tensor).example == ((tensor,), {})
    assert with_inputs(from_object(3), (tensor, tensor)).example == ((tensor, tensor), {})
    assert with_inputs(from_object(3), {"x": tensor}).example == ((), {"x": tensor})
    with pytest.raises(UsageError):
        with_inputs(from_object(3), 2.5)


@pytest.mark.parametrize(
    "name", ["../a", "/etc/passwd", "a/../../b", "C:\\x", "a\\b", "a\0b", "", "a//b", "file:x", ".."]
)
def test_a_path_in_a_file_cannot_lead_outside(name: str) -> None:
    with pytest.raises(UnreadableFileError, match="outside"):
        check_inside(name, "m.onnx")


def test_paths_inside_are_allowed() -> None:
    check_inside("a", "m")
    check_inside("a/b.c/..d", "m")


def test_a_file_is_looked_at_once(tmp_path: Path) -> None:
    path = tmp_path / "big.bin"
    with path.open("wb") as file:
        file.write(b"head")
        file.truncate(10_000_000)
    source = from_path(path)
    assert (source.head[:4], len(source.head), source.size) == (b"head", 4096, 10_000_000)
    assert source.sibling("big.bin").size == 10_000_000
    assert from_path(tmp_path).entries == ("big.bin",)


def test_a_missing_path_names_close_ones(tmp_path: Path) -> None:
    (tmp_path / "resnet50.onnx").write_bytes(b"x")
    with pytest.raises(UsageError, match=r'no such file: ".*resnet5.onnx"') as caught:
        from_path(tmp_path / "resnet5.onnx")
    assert caught.value.hint is not None
    assert "resnet50.onnx" in caught.value.hint


def test_import_strings() -> None:
    assert is_import_string("a.b:c.d")
    for text in ("a.b", "a:", "https://x", "a b:c", "m.onnx", "1a:b"):
        assert not is_import_string(text)
    assert from_import_string("fractions:Fraction").target == 0


def test_an_import_string_that_leads_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_nets.py").write_text(
        "import json\nmodel = {}\n"
        "def broken():\n    raise RuntimeError('no weights')\n"
        "def needs(size):\n    return size\n"
    )
    (tmp_path / "bad_import.py").write_text("import a_package_that_is_not_there\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no module named"):
        from_import_string("no_such_module_at_all:x")
    with pytest.raises(UsageError, match="no attribute") as caught:
        from_import_string("my_nets:modle")
    assert caught.value.hint == 'did you mean "model"?'
    with pytest.raises(ModelCodeError, match="RuntimeError: no weights") as raised:
        from_import_string("my_nets:broken")
    assert isinstance(raised.value.__cause__, RuntimeError)
    with pytest.raises(ModelCodeError, match="failed") as needs:
        from_import_string("my_nets:needs")
    assert "no arguments" in str(needs.value)
    with pytest.raises(ModelCodeError, match="a_package_that_is_not_there"):
        from_import_string("bad_import:x")


@pytest.mark.parametrize("name", ["a" * 256, "é" * 128, "/".join(["a"] * 1200) + "/" + "b" * 1000, "a\ud800"])
def test_a_name_that_no_file_can_have(name: str) -> None:
    with pytest.raises(UnreadableFileError):
        check_inside(name, "m.onnx")
