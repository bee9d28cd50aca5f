"""Every command, and every text that a result gives, on models whose every name is hostile."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import shapeinspect
from shapeinspect.check.expect import Failure, expect, verdict
from shapeinspect.check.snapshot import text as snapshot
from shapeinspect.cli import main

#: How each format holds names; the tables of this directory are loaded with it.
NAMES: Any = sys.modules["make_names"]
#: An error that a name would bring along on a line of its own.
FORGED = "\nerror: forged"
#: A color, a direction, ends of lines, a separator, a terminal's title, a zero-width character, C1.
EVIL = f"\x1b[31m\u202e{FORGED}\r\u2028\x1b]0;t\x07\u200b\x9b1m"
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def clean(text: str) -> None:
    """No character acts on a terminal, and no name makes a line."""
    found = RAW.search(text)
    assert found is None, repr(text[max(found.start() - 90, 0) : found.end()])
    assert not re.search(r"(?m)^\s*error: forged", text), text


def network(path: Path, out_channels: int) -> str:
    """A convolution and a product of an ONNX file, whose names, lengths and producer are hostile."""
    weight = numpy_helper.from_array(np.zeros((out_channels, 3, 2, 2), np.float32), f"{EVIL}w")
    node = helper.make_node("Conv", [f"{EVIL}in", f"{EVIL}w"], [f"{EVIL}out"], f"{EVIL}conv")
    odd = helper.make_node(f"Odd{EVIL}", [f"{EVIL}out"], [f"{EVIL}end"], f"{EVIL}odd", domain=f"{EVIL}d")
    given = helper.make_tensor_value_info(f"{EVIL}in", TensorProto.FLOAT, [f"{EVIL}N", 3, f"{EVIL}H", 9])
    end = helper.make_tensor_value_info(f"{EVIL}end", TensorProto.FLOAT, None)
    graph = helper.make_graph([node, odd], f"{EVIL}g", [given], [end], [weight])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(f"{EVIL}d", 1)]
    made = helper.make_model(graph, opset_imports=opsets, producer_name=EVIL)
    path.write_bytes(made.SerializeToString())
    return str(path)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    pickled = tmp_path / "weights.pt"
    torch.save({f"{EVIL}fc.weight": torch.zeros(4, 3), f"{EVIL}fc.bias": torch.zeros(4)}, pickled)
    spec = tmp_path / "spec.toml"
    spec.write_text('expect = ["\\u001b[31mconv: conv o=9", "*: conv o=\\u202e"]')
    column = tmp_path / "column.json"
    column.write_text(json.dumps({f"{EVIL}conv": 0.25, f"{EVIL}odd": EVIL, EVIL: 3}))
    right = tmp_path / "right.toml"
    right.write_text('expect = ["*: conv o=9", "params == 3"]')
    return {
        "A": network(tmp_path / "a.onnx", 4),
        "B": network(tmp_path / "b.onnx", 5),
        "W": str(pickled),
        "SPEC": str(spec),
        "RIGHT": str(right),
        "COLUMN": str(column),
        "OUT": str(tmp_path / "out.safetensors"),
        "PAGE": str(tmp_path / "page.html"),
    }


FORMS = ("json", "html", "markdown", "csv", "svg")
CHECKED = ("json", "github", "sarif", "junit", "markdown")
COMMANDS = [
    *(f"show {model}{more}" for model in "AW" for more in ("", " --unfold", " --width 60")),
    *(f"show {model} --format {form}" for model in "AW" for form in FORMS),
    *(f"check {model} --format {form}" for form in CHECKED
      for model in ("A", "A --input 1,4,9,9", "A --spec SPEC", "W", "none")),
    "check A --input 1,4,9,9 --page PAGE", "check A --spec SPEC --page PAGE",
    "view --diff A B -o PAGE", "view --diff A B --values -o PAGE", "view --diff A W -o PAGE",
    "view --diff A none -o PAGE", "view A -o PAGE --data COLUMN", "view A -o PAGE --data SPEC",
    "show A --order calls", "show A --sort path", "show A --columns layer,kind,from,settings",
    "show A --layout none",
    "view A -o PAGE", "view W -o PAGE", "view none -o PAGE", "layouts", f"layouts {EVIL}", "adapters",
    "diverge A B", "diverge A B --format json", "diverge A A --all", f"diverge A A --input {EVIL}=1",
    "diverge A W", "normalize A -o OUT --like B", "normalize A -o OUT --like A --loader -",
    "normalize A -o OUT --like W", "normalize W -o OUT --like A --strict", "normalize A -o OUT --to mlx",
    "normalize A -o OUT --to none",
    "show A --legend",
    *(f"show {model} --format {form}" for model in "AW" for form in ("markdown", "csv", "svg")),
    "show A --filter none", "show A --input 1,4,9,9", f"show A --input {EVIL}=1", "show A --layer none",
    "explain A", "explain A none", "explain A --format json", "fit A", "fit A --format json",
    "check A", "check A --input 1,4,9,9", "check A --spec SPEC", "check A --spec RIGHT", "check W",
    "diff A B", "diff A W", "diff A B --format json", "diff A B --values", "diff A B --all",
    "normalize A -o OUT", "normalize W -o OUT", "normalize W -o OUT --keep-unknown", f"show {EVIL}",
]  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=[repr(words) for words in COMMANDS])
def test_no_command_writes_a_raw_character(
    files: dict[str, str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with contextlib.suppress(SystemExit):
        main([files.get(word, word) for word in words.split(" ")])
    out, err = capsys.readouterr()
    assert out + err, "it says something"
    assert "Traceback" not in err
    clean(out)
    clean(err)
    for page in Path(files["PAGE"]).parent.glob("*.html"):
        clean(page.read_text())


#: Every string of a model of each format: what acts on a terminal, half of a character, ten thousand letters.
ODD = [f"{EVIL}{at}" for at in range(3)] + ["n" * 10_000]
HALF = ["a\ud800b"]
HOLDS: dict[str, list[str]] = {
    "torch": ODD + HALF, "safetensors": ODD, "gguf": [name[:60] for name in ODD], "msgpack": ODD,
    "numpy": ODD, "onnx": ODD, "keras": ODD + HALF, "tensorflow": [name.replace(":", ";") for name in ODD],
}  # fmt: skip


@pytest.mark.parametrize("kind", HOLDS)
def test_no_command_writes_a_raw_character_of_any_format(
    files: dict[str, str], kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build, called, _ = NAMES.FORMATS[kind]
    path = tmp_path / called
    path.write_bytes(build(HOLDS[kind]))
    for words in ("show X", "show X --format json", "explain X", "explain X none", "fit X", "check X",
                  "check X --spec SPEC", "diff X A --all", "normalize X -o OUT --keep-unknown"):  # fmt: skip
        with contextlib.suppress(SystemExit):
            main([{**files, "X": str(path)}.get(word, word) for word in words.split(" ")])
        out, err = capsys.readouterr()
        assert out + err, words
        clean(out)
        clean(err)


def test_no_file_beside_a_model_is_named_in_raw_characters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (f"model{EVIL}.onnx", f"modle.onnx{EVIL}", f"{EVIL}.safetensors", f"{EVIL}.pt"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / os.fsdecode(b"model\xff.onnx")).write_bytes(b"")
    for words in (
        ["show", "model.onnx"],
        ["show", "."],
        ["explain", "modle.onnx"],
        ["diff", "model.pt", "modl.pt"],
    ):
        with contextlib.suppress(SystemExit):
            main([words[0], *(str(tmp_path / word) for word in words[1:])])
        out, err = capsys.readouterr()
        assert out + err, words
        clean(out)
        clean(err)


def test_no_drawing_and_no_answer_of_a_layer_holds_a_raw_character(
    files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with contextlib.suppress(SystemExit):
        main(["explain", files["A"], f"{EVIL}conv", "--svg", str(tmp_path / "out.svg")])
    out, err = capsys.readouterr()
    assert out + err
    clean(out)
    clean(err)
    clean((tmp_path / "out.svg").read_text())


def test_no_diagnosis_holds_a_raw_character() -> None:
    """Keys of a checkpoint, names of modules, and what a call is given."""
    net = torch.nn.Module()
    net.add_module(f"{EVIL}fc".replace(".", ""), torch.nn.Linear(3, 4))
    odd = {f"{EVIL}{key}": value for key, value in net.state_dict().items()}
    with pytest.raises(RuntimeError) as caught, shapeinspect.debug(net):
        net.load_state_dict(odd)
    notes = "\n".join(getattr(caught.value, "__notes__", ()))  # Python 3.10 has none
    told = notes or str(caught.value).partition("shapeinspect:")[2]
    assert "checkpoint" in told
    clean(told)


def test_no_part_of_a_failed_expectation_makes_a_line() -> None:
    failed = Failure(EVIL, EVIL, EVIL, EVIL)
    clean(str(failed))
    clean(verdict([failed], 2, EVIL))


def of_an_error(call: Callable[[], object]) -> str:
    with pytest.raises(shapeinspect.ShapeInspectError) as caught:
        call()
    return str(caught.value)


def test_no_text_of_a_result_holds_a_raw_character(files: dict[str, str]) -> None:
    report = shapeinspect.inspect(files["A"])
    explained = shapeinspect.explain(files["A"])
    fitted = shapeinspect.fit(files["A"])
    different = shapeinspect.diff(files["A"], files["B"])
    odd = network(Path(files["A"]).with_name(f"{EVIL}.onnx"), 4)
    texts: list[Any] = [
        shapeinspect.inspect(odd), shapeinspect.fit(odd), shapeinspect.diff(odd, odd),
        report, explained, fitted, different, *report, *expect(report.model, ("*: conv o=9",), {}),
        snapshot(report.model), of_an_error(lambda: report["none"]),
        of_an_error(lambda: shapeinspect.inspect(files["A"], {EVIL: (1,)})),
        of_an_error(lambda: shapeinspect.inspect(f"{EVIL}.onnx")),
    ]  # fmt: skip
    assert len(texts) > 9
    for one in texts:
        for text in (str(one), *([] if isinstance(one, str) else [repr(one)])):
            clean(text)


def test_a_failed_assertion_of_pytest_holds_no_raw_character(
    files: dict[str, str], pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(
        test_net=f"""
        def test_weights(shapes):
            shapes({files["A"]!r}).expect("*: conv o=9")

        def test_snapshot(shapes):
            shapes.snapshot({files["A"]!r}, name="one")
            shapes.snapshot({files["B"]!r}, name="one")

        def test_layer(shapes):
            assert shapes({files["A"]!r})["none"] is None
        """
    )
    result = pytester.runpytest_subprocess("-q", "--color=no", "--tb=short")
    result.assert_outcomes(failed=3)
    text = "\n".join([*result.outlines, *result.errlines])
    clean(text)
