"""A name from a file stands in the code that is written for it as text, and nowhere as code."""

from __future__ import annotations

import ast
import contextlib
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from shapeinspect import registry
from shapeinspect.cli import main
from shapeinspect.dims import symbol
from shapeinspect.errors import UsageError
from shapeinspect.plugin_api.loading_script import Loading, Setting

RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
FRAMEWORKS = sorted({row.adapter.framework for row in registry.installed() if row.adapter is not None})
#: TFLite's writer refuses, whatever it is asked.
SCRIPTS = [name for name in FRAMEWORKS if registry.loading_script(name) is not None and name != "tflite"]
#: What would end a text, a comment, a docstring or a line, and then run.
CODE = "open('executed', 'w')"
ESCAPES = [
    f"'); {CODE} #", f'"); {CODE} #', f'""" + {CODE} + """', f"\n{CODE}\n", f"\r{CODE}\r", f"\f{CODE}\f",
    f"\\'); {CODE} #", f"{{{CODE}}}", f"\u2028{CODE}", f"\x1b]0;{CODE}\x07", f"\ud800{CODE}", CODE,
]  # fmt: skip
#: Values of settings; an expression writes its symbols as they are.
VALUES: list[Any] = [
    CODE,
    symbol(CODE),
    (symbol(CODE), 3),
    ((symbol(CODE), 1), (0, 2)),
    float("inf"),
    -float("inf"),
    float("nan"),
    object(),
]
SETTINGS = ("eps", "output_size", "padding", "stride", "negative_slope", "momentum", CODE)


def loading(name: str, value: object, layer: str | None = None) -> Loading:
    layer = f"{name}/a" if layer is None else layer
    settings = tuple(Setting(layer, "conv", called, value, name) for called in (*SETTINGS, name))
    shapes, tied = {f"{name}/b": (3, 5)}, {f"{name}c": name}
    return Loading(name, name, True, shapes, (f"{name}/b", name), {name: name}, tied, settings)


class Blank(ast.NodeTransformer):
    """Makes all texts alike, so that what is left is the code."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant("") if isinstance(node.value, str) else node


def shape(text: str) -> str:
    return ast.dump(Blank().visit(ast.parse(text)))


@pytest.fixture(autouse=True)
def _everything_is_there(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """TensorFlow's writer asks whether a SavedModel is there before it writes anything."""
    if request.node.callspec.params.get("framework") == "tensorflow":
        monkeypatch.setattr(Path, "exists", lambda _: True)


@pytest.mark.parametrize("name", ESCAPES, ids=repr)
def test_what_is_refused_names_the_model_in_characters_that_do_nothing(name: str) -> None:
    writer = registry.loading_script("tflite")
    assert writer is not None
    with pytest.raises(UsageError, match="nothing loads weights into a TFLite file") as refused:
        writer.text(loading(name, 3))
    assert RAW.search(str(refused.value)) is None


@pytest.mark.parametrize("framework", SCRIPTS)
@pytest.mark.parametrize("name", ESCAPES, ids=repr)
def test_a_name_is_a_text_in_the_code(framework: str, name: str) -> None:
    writer = registry.loading_script(framework)
    assert writer is not None
    text = writer.text(loading(name, 3))
    assert shape(text) == shape(writer.text(loading("plain", 3)))
    assert RAW.search(text) is None
    assert text.encode()


@pytest.mark.parametrize("framework", SCRIPTS)
@pytest.mark.parametrize("layer", ["plain/a", "plain.0.a"])
@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_value_is_a_literal_in_the_code(framework: str, value: object, layer: str) -> None:
    writer = registry.loading_script(framework)
    assert writer is not None
    tree = ast.parse(writer.text(loading("plain", value, layer)))
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert "open" not in called
    assert not {"inf", "nan"} & {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
            ast.literal_eval(ast.unparse(node.value).replace("float('inf')", "1.0").replace(
                "float('-inf')", "1.0").replace("float('nan')", "1.0"))  # fmt: skip


@pytest.mark.parametrize(
    "name", [f"a.b; {CODE}:c", f"a:b; {CODE}", "a:import", "a b:c", "a:b\nc", ":", "a:", "a:b."]
)
def test_what_names_no_object_is_not_imported(name: str) -> None:
    writer = registry.loading_script("torch")
    assert writer is not None
    made = Loading("w.safetensors", name, False, {"a": (3,)}, ("a",), {}, {})
    assert "__main__" not in writer.text(made)
    named = Loading("w.safetensors", "net.parts:Net.small", False, {"a": (3,)}, ("a",), {}, {}, (), True)
    assert "from net.parts import Net" in writer.text(named)
    assert "load(Net.small())" in writer.text(named)


def network(path: Path, name: str, out_channels: int = 4) -> str:
    weight = numpy_helper.from_array(np.ones((out_channels, 3, 2, 2), np.float32), f"{name}w")
    node = helper.make_node("Conv", [f"{name}in", f"{name}w"], [f"{name}out"], f"{name}conv", strides=[2, 1])
    given = helper.make_tensor_value_info(f"{name}in", TensorProto.FLOAT, [f"{name}N", 3, f"{name}H", 9])
    end = helper.make_tensor_value_info(f"{name}out", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "g", [given], [end], [weight])
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()
    )
    return str(path)


@pytest.mark.parametrize("name", ESCAPES[:1] + ESCAPES[2:4], ids=repr)
def test_the_code_that_is_written_runs_nothing_of_a_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    like = network(tmp_path / "like.onnx", name)
    words = ["normalize", network(tmp_path / "from.onnx", name), "-o", "out.safetensors", "--like", like]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--loader", "load.py"])
    said = capsys.readouterr()
    assert ended.value.code in (0, None), said.err
    assert RAW.search(said.out + said.err + Path("load.py").read_text()) is None
    module = runpy.run_path("load.py")
    assert callable(module["load"])
    assert not Path("executed").exists()
    with contextlib.suppress(SystemExit):
        main([*words, "--loader", "-"])
    printed = capsys.readouterr().out
    assert RAW.search(printed) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda array: {"other": array}, r"the model has no \['other'\]"),
        (lambda array: {"w": array[:1]}, r"w: \(1, 3, 2, 2\), not \(4, 3, 2, 2\)"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_the_script(
    change: Callable[[Any], dict[str, Any]], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = network(tmp_path / "like.onnx", "")
    save_file(change(np.ones((4, 3, 2, 2), np.float32)), "w.safetensors")
    writer = registry.loading_script("onnx")
    assert writer is not None
    Path("load.py").write_text(writer.text(Loading("w.safetensors", model, True, {}, ("w",), {}, {})))
    with pytest.raises((KeyError, ValueError), match=said):
        runpy.run_path("load.py")["load"](onnx.load(model))
