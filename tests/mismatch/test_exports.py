"""Sizes that do not fit an exported model: where the program makes them, and the export that fixed them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shapeinspect.api.debugging import explain_error
from shapeinspect.mismatch import Diagnosis

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


def diagnosed(run: Run, text: str, **parts: str) -> Diagnosis:
    for name, part in parts.items():
        text = text.replace(f"{{{name}}}", part)
    with pytest.raises(Exception, match="ONNXRuntimeError") as caught:
        run(text)
    found = explain_error(caught.value)
    assert found is not None
    return found


def test_a_baked_length_is_mended_in_the_module(run: Run, tmp_path: object) -> None:
    parts = {
        "forward": "n, t, c = (int(s) for s in x.shape)\n        return self.fc(x).view(n, t, 2, 4)",
        "example": "1, 5, 6",
        "axes": 'dynamic_axes={"x": {1: "time"}}, ',
        "path": f"{tmp_path}/net.onnx",
    }
    found = diagnosed(run, EXPORT + 'y = session.run(None, {"x": np.zeros((1, 9, 6), "float32")})\n', **parts)
    assert found.cause == "baked-code"
    assert found.fixes[0].text == "n, t, c = x.shape instead of n, t, c = (int(s) for s in x.shape)"
    assert "runs with time = 5;" in " ".join(found.because)
    assert found.fixes[0].claim.rest == "so does the rest of the program"


def test_a_length_is_left_open_in_the_export(run: Run, tmp_path: object) -> None:
    parts = {"forward": "return self.fc(x)", "example": "1, 5, 6", "axes": "", "path": f"{tmp_path}/net.onnx"}
    call = 'x = np.ones((1, 3 * 3, 6), "float32")\ny = session.run(None, {"x": x})\n'
    found = diagnosed(run, EXPORT + call, **parts)
    assert 'dynamic_axes={"x": {1: "length"}}) instead of torch.onnx.export(' in found.fixes[0].text


def test_the_size_is_changed_where_the_program_writes_it(run: Run, tmp_path: object) -> None:
    parts = {"forward": "return self.fc(x)", "example": "1, 5, 6", "axes": "", "path": f"{tmp_path}/net.onnx"}
    call = 'STEPS = 9\nx = np.ones((1, STEPS, 6), "float32")\ny = session.run(None, {"x": x})\n'
    found = diagnosed(run, EXPORT + call, **parts)
    assert found.fixes[0].text == "STEPS = 5 instead of STEPS = 9"
    assert found.because == ("train.py:19  STEPS = 9",)


def test_a_recording_in_stereo_is_mixed_down() -> None:
    import numpy as np

    from shapeinspect.plugin_api.array_edits import arrangements

    sound = np.arange(2400.0).reshape(1200, 2)
    (edit,) = arrangements(sound.shape, (1, "time"))
    assert edit.text("sound") == "sound.mean(1)[None]"
    assert np.allclose(edit.of(sound)[0], (sound[:, 0] + sound[:, 1]) / 2)
