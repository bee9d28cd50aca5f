"""What a session is fed: the edits are in the user's own names, and few runs of the session try them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from shapeinspect.api.debugging import explain_error
from shapeinspect.mismatch import Diagnosis, describe
from shapeinspect_onnx.debug import feeding


def session(shape: tuple[Any, ...]) -> onnxruntime.InferenceSession:
    fed = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [fed], [made])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return onnxruntime.InferenceSession(onnx.ModelProto.SerializeToString(model))


def diagnosed(tmp_path: Path, body: str, **given: Any) -> tuple[Diagnosis, dict[str, Any]]:
    script = tmp_path / "feed.py"
    script.write_text(body)
    space = {"__name__": "__main__", **given}
    with pytest.raises(Exception, match=r"Got invalid dimensions|Invalid rank") as caught:
        exec(compile(body, str(script), "exec"), space)
    found = explain_error(caught.value)
    assert found is not None
    return found, space


@pytest.mark.parametrize(
    ("line", "name"), [("import numpy", "numpy"), ("import numpy as np", "np"), ("import numpy as n", "n")]
)
def test_numpy_is_called_as_the_user_calls_it(tmp_path: Path, line: str, name: str) -> None:
    body = f'{line}\nx = {name}.zeros((4, 7), "float32")\ny = run.run(None, {{"x": x}})\n'
    found, space = diagnosed(tmp_path, body, run=session(("N", 4, 7)))
    text = found.fixes[0].text
    assert text == f"feed {name}.expand_dims(x, 0)"
    assert eval(text.removeprefix("feed "), space).shape == (1, 4, 7)


def test_of_many_parts_the_first_and_the_last_are_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = 'import numpy as np\nx = np.zeros((600, 7), "float32")\ny = run.run(None, {"x": x})\n'
    runs = feeding.runs
    fed: list[Any] = []
    monkeypatch.setattr(feeding, "runs", lambda session, feed: fed.append(feed) or runs(session, feed))
    found, _ = diagnosed(tmp_path, body, run=session((1, 7)))
    assert "range(len(x))" in found.fixes[0].text
    assert found.fixes[0].claim.what == "session.run on the first and the last part"
    assert found.fixes[0].claim.rest == "the parts between them were not run"
    assert len(fed) < 10


def test_a_node_that_no_rule_refuses_is_told_by_its_own_message(tmp_path: Path) -> None:
    import numpy as np
    from onnx import numpy_helper

    weights = [numpy_helper.from_array(np.ones(shape, "float32"), name) for shape, name in
               (((3, 24, 6), "w"), ((1, 24, 8), "r"))]  # fmt: skip
    fed = helper.make_tensor_value_info("x", TensorProto.FLOAT, ("t", "n", 6))
    made = helper.make_tensor_value_info("h", TensorProto.FLOAT, None)
    node = helper.make_node("GRU", ["x", "w", "r"], ["", "h"], name="reader", hidden_size=8)
    graph = helper.make_graph([node], "g", [fed], [made], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    run = onnxruntime.InferenceSession(onnx.ModelProto.SerializeToString(model))
    with pytest.raises(Exception, match="must have shape") as caught:
        run.run(None, {"x": np.ones((5, 2, 6), "float32")})
    found = explain_error(caught.value)
    assert found is not None
    assert (found.layer.path, found.cause) == ("reader", "stored")
    assert "expected  Input W of shape (1, 24, 6)" in describe(found)
    assert "got       (3, 24, 6)" in describe(found)
