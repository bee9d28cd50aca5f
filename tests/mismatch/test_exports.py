"""Sizes that do not fit an exported model: what is suggested for the program, and that it runs with it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from shapeinspect.api.debugging import explain_error
from shapeinspect.mismatch import Diagnosis
from shapeinspect.plugin_api.arrays.edits import arrangements
from shapeinspect.plugin_api.programs.source_edit import edited
from shapeinspect.plugin_api.suggestions import Suggestion
from shapeinspect_onnx.debug.debugger import DEBUGGER

Run = Callable[[str], None]

EXPORT = """
import numpy as np
import onnxruntime
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(6, 8)
    def forward(self, x):
        {forward}

def export(path):
    torch.onnx.export(Net().eval(), (torch.zeros({example}),), path, input_names=["x"],
                      {axes}dynamo=False)

export("{path}")
session = onnxruntime.InferenceSession("{path}", providers=["CPUExecutionProvider"])
"""


def failed(run: Run, text: str, path: Path, **parts: str) -> tuple[str, Diagnosis, list[Suggestion]]:
    for name, part in {**parts, "path": str(path / "net.onnx")}.items():
        text = text.replace(f"{{{name}}}", part)
    with pytest.raises(Exception, match="ONNXRuntimeError") as caught:
        run(text)
    found = explain_error(caught.value)
    assert found is not None
    return text, found, [*DEBUGGER.suggestions(caught.value)]


def first_that_runs(run: Run, text: str, suggestions: list[Suggestion]) -> tuple[str, Suggestion]:
    """The line of the first suggestion, by its rank, with which the program really runs."""
    for one in sorted(suggestions, key=lambda one: one.rank):
        new = edited(text, one.edits)
        try:
            run(new)
        except Exception:  # noqa: BLE001  # the next one is tried
            continue
        lines = zip(text.splitlines(), new.splitlines(), strict=False)
        return next(after.strip() for before, after in lines if before != after), one
    return "", Suggestion("", (), 0.0)


@pytest.mark.parametrize(
    ("forward", "fix"),
    [
        (
            "n, t, c = (int(s) for s in x.shape)\n        return self.fc(x).view(n, t, 2, 4)",
            "n, t, c = x.shape",
        ),
        ("return self.fc(x).view(1, 5, 2, 4)", "return self.fc(x).view(1, -1, 2, 4)"),
        ("n, t, c = x.shape\n        t = 5\n        return self.fc(x).view(n, t, 2, 4)", "t = x.shape[1]"),
        (
            "return self.fc(x).view(1, int(x.shape[1]), 2, 4) + torch.ones(int(x.shape[1]), 1, 1)",
            "return self.fc(x).view(1, x.shape[1], 2, 4) + torch.ones(x.shape[1], 1, 1)",
        ),
        (
            "mask = x.sum(-1, keepdim=True).eq(0).data\n        return self.fc(x) * mask.float()",
            "mask = x.sum(-1, keepdim=True).eq(0)",
        ),
    ],
)
def test_a_baked_length_is_mended_in_the_module(run: Run, tmp_path: Path, forward: str, fix: str) -> None:
    call = 'y = session.run(None, {"x": np.zeros((1, 9, 6), "float32")})\nassert y[0].shape[1] == 9\n'
    parts = {"forward": forward, "example": "1, 5, 6", "axes": 'dynamic_axes={"x": {1: "time"}}, '}
    text, found, suggestions = failed(run, EXPORT + call, tmp_path, **parts)
    assert found.cause == "baked-code"
    told = " ".join(found.because)
    assert "axis 1 of x (time) open, and it runs with time = 5" in told
    assert "; with 9 and" in told
    line, one = first_that_runs(run, text, suggestions)
    assert line == fix
    assert one.cause == "baked-code"
    assert one.why.startswith("train.py:1")


@pytest.mark.parametrize("axes", ["", 'dynamic_axes={"x": {0: "n"}}, '])
def test_a_length_is_left_open_in_the_export(run: Run, tmp_path: Path, axes: str) -> None:
    call = 'x = np.ones((1, 3 * 3, 6), "float32")\ny = session.run(None, {"x": x})\n'
    text, _, suggestions = failed(
        run, EXPORT + call, tmp_path, forward="return self.fc(x)", example="1, 5, 6", axes=axes
    )
    line, one = first_that_runs(run, text, suggestions)
    named = '{0: "n", 1: "length"}' if axes else '{1: "length"}'
    assert f'dynamic_axes={{"x": {named}}}' in line
    assert "fixes axis 1 of x at the length of its example" in one.why


GATED = """
import numpy as np
import onnxruntime
import torch

class Gated(torch.nn.Module):
    def forward(self, sound, gate):
        return sound * gate.unsqueeze(-1)

example = torch.zeros(1, 5, 6), torch.zeros(1, 5)
torch.onnx.export(Gated(), example, "{path}", input_names=["sound", "gate"], dynamo=False,
                  dynamic_axes={axes})
session = onnxruntime.InferenceSession("{path}", providers=["CPUExecutionProvider"])
feed = {"sound": np.ones((3, 11, 6), "float32"), "gate": np.ones((3, 11), "float32")}
y = session.run(None, feed)
assert y[0].shape == (3, 11, 6)
"""


def test_an_axis_that_is_open_in_another_input_is_open_by_the_same_name(run: Run, tmp_path: Path) -> None:
    axes = '{"sound": {0: "n", 1: "ticks"}, "gate": {0: "n"}}'
    text, _, suggestions = failed(run, GATED, tmp_path, axes=axes)
    line, one = first_that_runs(run, text, suggestions)
    assert line == 'dynamic_axes={"sound": {0: "n", 1: "ticks"}, "gate": {0: "n", 1: "ticks"}})'
    assert one.why.endswith(
        "torch.onnx.export fixes axis 1 of gate at the length of its example; "
        'axis 1 of sound ("ticks") is left open'
    )
    assert not one.alters


@pytest.mark.parametrize(
    ("source", "fix"),
    [
        ("STEPS = 9\nx = np.ones((1, STEPS, 6), 'float32')", "STEPS = 5"),
        ("class A:\n    steps = 9\nx = np.ones((1, A().steps, 6), 'float32')", "steps = 5"),
        ("def made(n=9):\n    return np.ones((1, n, 6), 'float32')\nx = made()", "x = made(n=5)"),
        ("def made():\n    return np.ones((1, 9, 6), 'f')\nx = made()", "return np.ones((1, 5, 6), 'f')"),
        ("def made(k=(9, 9)):\n    return np.ones((1, *k), 'f')\nx = made()", "x = made(k=(5, 6))"),
    ],
)  # fmt: skip
def test_the_size_is_changed_where_the_program_writes_it(
    run: Run, tmp_path: Path, source: str, fix: str
) -> None:
    text, _, suggestions = failed(
        run,
        f'{EXPORT}{source}\ny = session.run(None, {{"x": x}})\n',
        tmp_path,
        forward="return self.fc(x)",
        example="1, 5, 6",
        axes="",
    )
    assert first_that_runs(run, text, suggestions)[0] == fix


def test_other_axes_and_another_size_are_one_suggestion(run: Run, tmp_path: Path) -> None:
    source = "SIZE = 7\npicture = np.ones((SIZE, 6, 3), 'float32')\n"
    text, _, suggestions = failed(
        run,
        f'{EXPORT}{source}y = session.run(None, {{"x": picture}})\n',
        tmp_path,
        forward="return self.fc(x)",
        example="1, 3, 5, 6",
        axes="",
    )
    line, one = first_that_runs(run, text, suggestions)
    assert (line, len(one.edits), one.cause) == ("SIZE = 5", 2, "channels-last")
    assert edited(text, one.edits).splitlines()[-1] == (
        'y = session.run(None, {"x": np.expand_dims(picture.transpose(2, 0, 1), 0)})'
    )


@pytest.mark.parametrize("key", ["name", '"pictures"'])
def test_axes_in_another_order_are_no_other_sizes(run: Run, tmp_path: Path, key: str) -> None:
    text = f"""
import numpy as np
import onnxruntime
from onnx import TensorProto, helper

ROWS, COLUMNS = 40, 56
x = helper.make_tensor_value_info("pictures", TensorProto.FLOAT, ["n", 40, 56, 3])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
nodes = [helper.make_node("ReduceMean", ["pictures"], ["y"], axes=[1, 2], keepdims=0)]
graph = helper.make_graph(nodes, "net", [x], [y])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
colors = np.ones((2, 3, ROWS, COLUMNS), "float32")
y = session.run(None, {{{key}: colors}})
"""
    text, found, suggestions = failed(run, text, tmp_path)
    assert found.cause == "channels-last"
    line, one = first_that_runs(run, text, suggestions)
    assert "colors.transpose(0, 2, 3, 1)" in line
    assert one.cause == "channels-last"
    assert all("ROWS, COLUMNS = 40, 56" in edited(text, each.edits) for each in suggestions)


def test_another_session_has_to_run_first(run: Run, tmp_path: Path) -> None:
    assert "onnxruntime" in sys.modules
    body = 'export("{path}")\nfirst = session\n'
    body += "class Head(Net):\n    def __init__(self):\n        super().__init__()\n"
    body += "        self.fc = torch.nn.Linear(8, 3)\n    def forward(self, x):\n"
    body += "        return self.fc(x[:, 0])\nrows = torch.zeros(1, 5, 8)\n"
    body += 'torch.onnx.export(Head(), (rows,), "{path}2", input_names=["h"], dynamo=False)\n'
    body += 'head = onnxruntime.InferenceSession("{path}2", providers=["CPUExecutionProvider"])\n'
    body += 'x = np.ones((1, 5, 6), "float32")\ny = head.run(None, {"h": x})\n'
    parts = {"forward": "return self.fc(x)", "example": "1, 5, 6", "axes": ""}
    _, found, _ = failed(run, EXPORT + body, tmp_path, **parts)
    assert found.cause == "other-model"
    assert found.fixes[0].text.startswith('head.run(None, {"h": ')
    assert '.run(None, {"x": x})[0]}) instead of head.run(None, {"h": x})' in found.fixes[0].text


def test_a_recording_in_stereo_is_mixed_down() -> None:
    import numpy as np

    sound = np.arange(2400.0).reshape(1200, 2)
    (edit,) = arrangements(sound.shape, (1, "time"))
    assert edit.text("sound") == "sound.mean(1)[None]"
    assert np.allclose(edit.of(sound)[0], (sound[:, 0] + sound[:, 1]) / 2)
