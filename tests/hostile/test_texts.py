"""Every command, and every text that a result gives, on models whose every name is hostile."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import shapeinspect
from shapeinspect.check.expect import expect
from shapeinspect.check.snapshot import text as snapshot
from shapeinspect.cli import main

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
    right = tmp_path / "right.toml"
    right.write_text('expect = ["*: conv o=9", "params == 3"]')
    return {
        "A": network(tmp_path / "a.onnx", 4),
        "B": network(tmp_path / "b.onnx", 5),
        "W": str(pickled),
        "SPEC": str(spec),
        "RIGHT": str(right),
        "OUT": str(tmp_path / "out.safetensors"),
    }


COMMANDS = [
    *(f"show {model}{more}" for model in "AW" for more in ("", " --unfold", " --format json", " --width 60")),
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


def of_an_error(call: Callable[[], object]) -> str:
    with pytest.raises(shapeinspect.ShapeInspectError) as caught:
        call()
    return str(caught.value)


def test_no_text_of_a_result_holds_a_raw_character(files: dict[str, str]) -> None:
    report = shapeinspect.inspect(files["A"])
    explained = shapeinspect.explain(files["A"])
    fitted = shapeinspect.fit(files["A"])
    different = shapeinspect.diff(files["A"], files["B"])
    texts: list[Any] = [
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
