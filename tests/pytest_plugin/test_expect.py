"""Expectations of an architecture, the same lines in Python and in TOML."""

from __future__ import annotations

from pathlib import Path

import pytest

import shapeinspect
from shapeinspect.check import expect, load, verdict
from shapeinspect.errors import UnreadableFileError, UsageError
from shapeinspect.ir import Layer, Model

LENET = Path(__file__).parents[1] / "data" / "lenet.onnx"


@pytest.fixture(scope="module")
def lenet() -> Model:
    return shapeinspect.inspect(LENET).model


@pytest.mark.parametrize(
    "line",
    [
        "conv1: conv i=1 o=6 k=5 s=1 p=0 d=1 g=1 -> n 6 28 28",
        "conv2: Conv k=5x5",
        "fc*: linear",
        "fc3: in=84 out=10 -> _ 10",
        "pool?: max_pool k=2 s=2",
        "relu1: function=relu",
        "conv2: k=5,5",
        "conv2: k=(5,5)",
        "params == 61706",
        "params < 62k",
        "bytes <= 0.25 MB",
        "macs < 1M",
        "no layer: *dropout*",
        "# nothing",
        "",
    ],
)
def test_what_holds(lenet: Model, line: str) -> None:
    assert expect(lenet, [line]) == ()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("conv2: k=3", ["conv2: k is 5, not 3"]),
        ("conv2: o=16 s=2 k=3", ["conv2: s is 1, not 2", "conv2: k is 5, not 3"]),
        ("fc1: conv", ["fc1: its kind is linear, not conv"]),
        ("fc1: heads=8", ["fc1: it has no num_heads; its settings are i, o"]),
        (
            "conv1: kk=5",
            ["conv1: it has no kk; its settings are i, o, k, s, p, d, data_format, g"],
        ),
        (
            "conv1: -> n 6 28 27",
            ["conv1: axis 3 is 28, not 27\n    at conv1 (conv 1→6 k5): N C1 H32 W32 → N C6 H28 W28"],
        ),
        (
            "flatten: -> n 10",
            ["flatten: axis 1 is 400, not 10\n    at flatten (flatten axis 1): N C16 H5 W5 → N (C H W)=400"],
        ),
        ("conv3: conv", ["no layer matches conv3; did you mean conv2, conv1?"]),
        ("params < 61k", ["params is 61,706"]),
        ("trainable > 0", ["trainable is unknown"]),
        ("no layer: pool*", ["the model has pool1, pool2"]),
    ],
)
def test_what_does_not_hold_says_expected_and_got(lenet: Model, line: str, said: list[str]) -> None:
    assert [str(failure) for failure in expect(lenet, [line])] == [f"{line}\n  {text}" for text in said]


def test_layers_of_which_the_same_is_said_are_told_together(lenet: Model) -> None:
    told = verdict(expect(lenet, ["*[12]: k=3", "relu?: function=tanh"]), 2)
    assert told.splitlines() == [
        "2 of 2 expectations do not hold",
        "*[12]: k=3",
        "  conv1, conv2: k is 5, not 3",
        "  relu1, relu2: it has no kernel_size; its settings are function",
        "  pool1, pool2: k is 2, not 3",
        "  fc1, fc2: it has no kernel_size; its settings are i, o",
        "relu?: function=tanh",
        "  relu1, relu2, relu3 and 1 more: function is relu, not tanh",
    ]


def test_a_name_with_the_signs_of_a_glob_is_found() -> None:
    layers = tuple(Layer(path, "relu", "Relu") for path in ("blocks[0]", "blocks0"))
    model = Model("m", "onnx", "onnx", "onnx", layers=layers)
    assert expect(model, ["blocks[0]: relu"]) == ()
    (failure,) = expect(model, ["blocks[0]: conv"])
    assert failure.about == "blocks[0]"


def test_names_bind_from_line_to_line(lenet: Model) -> None:
    lines = ["conv1: -> n c h w", "pool1: -> n c h/2 w/2", "pool2: -> n 16 h/4 w/4"]
    (failure,) = expect(lenet, lines)
    assert failure.problem == "axis 2 is 5, not h/4 = 7"
    assert failure.call == "pool2 (max_pool k2 s2): N C16 H10 W10 → N C16 H5 W5"


def test_one_text_may_hold_many_lines(lenet: Model) -> None:
    failures = expect(lenet, ["# the head\nfc2: o=84\n\nfc3: o=11", "params < 62k"])
    assert [str(failure) for failure in failures] == ["fc3: o=11\n  fc3: o is 10, not 11"]


@pytest.mark.parametrize(
    "line", ["conv1", "params ~ 3", "params < many", "-> n c", "fc1: o=", "fc1: =3", "conv1: conv, k=5"]
)
def test_what_is_no_expectation_is_refused(lenet: Model, line: str) -> None:
    with pytest.raises(UsageError, match="invalid expectation"):
        expect(lenet, [line])


def test_a_file_of_them(lenet: Model, tmp_path: Path) -> None:
    path = tmp_path / "lenet.toml"
    path.write_text(
        'input = "7,1,32,32"\nexpect = ["# all", "conv1: -> n 6 h w", "params < 1k"]\n[bind]\nh = 28\n'
    )
    spec = load(path)
    assert (spec.inputs, len(spec.lines)) == (("7,1,32,32",), 2)
    assert [failure.problem for failure in spec.failures(lenet)] == ["params is 61,706"]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("expect = [", UnreadableFileError, "invalid TOML"),
        ("expects = []", UsageError, "unknown key 'expects'"),
        ("expect = 3", UsageError, 'invalid "expect" in'),
        ("bind = {n = 'x'}", UsageError, 'invalid "bind" in'),
    ],
)
def test_a_file_that_is_wrong(tmp_path: Path, text: str, error: type[Exception], message: str) -> None:
    path = tmp_path / "spec.toml"
    path.write_text(text)
    with pytest.raises(error, match=message):
        load(path)
    with pytest.raises(UsageError, match="no such file"):
        load(tmp_path / "none.toml")
