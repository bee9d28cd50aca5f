"""The published JSON Schemas against what is really printed, of several formats and live models."""

from __future__ import annotations

import json
import shlex
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gguf
import jsonschema
import keras
import numpy as np
import onnx
import pytest
import torch
from hatchling.builders.wheel import WheelBuilder
from onnx import TensorProto, helper
from safetensors.torch import save_file
from torch import nn

import shapeinspect
from shapeinspect import schema
from shapeinspect.cli import main
from shapeinspect.explanation.examples import command
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call, Layer, Model, Value
from shapeinspect.render.data import to_dict
from shapeinspect.rules.registry import calculated

ROOT = Path(__file__).parents[2]
LENET = "tests/data/lenet.onnx"

Held = Callable[[str, Any], None]


@pytest.fixture(scope="module")
def held() -> Held:
    """Hold plain data against a schema, as JSON gives it back."""
    validators = {name: jsonschema.Draft202012Validator(schema.load(name)) for name in schema.NAMES}

    def hold(name: str, data: Any) -> None:
        read_back = json.loads(json.dumps(data, allow_nan=False))
        problems = [
            f"{problem.json_path}: {problem.message}" for problem in validators[name].iter_errors(read_back)
        ]
        assert problems == []

    return hold


class Net(nn.Module):
    """Branches, a call that is made twice, states, a mask, and calls of functions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, (3, 5), 2, padding="valid", bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.lstm = nn.LSTM(8, 7, batch_first=True)
        self.attention = nn.MultiheadAttention(7, 1, batch_first=True)
        self.twice = nn.Linear(7, 7)
        self.tied = nn.Linear(7, 7, bias=False)
        self.tied.weight = self.twice.weight

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        steps, states = self.lstm(self.norm(self.conv(x)).flatten(2).transpose(1, 2))
        steps = self.attention(steps, steps, steps, need_weights=False)[0]
        return self.tied(self.twice(self.twice(steps))).mean(1) + states[0][-1], states[1]


def keras_model() -> keras.Model:
    image = keras.Input((17, None, 3))
    x = keras.layers.Conv2D(8, (3, 5), strides=2, padding="same")(image)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(11, activation="softmax")(x))


def optional_inputs(path: Path) -> str:
    """A graph with an input that is left out, a symbol, and a result of unknown rank."""
    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="nearest")
    other = helper.make_node("Mystery", ["y"], ["z"], domain="somewhere", level=float("inf"))
    scales = helper.make_tensor("scales", TensorProto.FLOAT, [4], [1.0, 1.0, 2.0, 2.0])
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 5, None])
    z = helper.make_tensor_value_info("z", TensorProto.FLOAT, None)
    graph = helper.make_graph([node, other], "g", [x], [z], [scales])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("somewhere", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets), path)
    return str(path)


def sources(folder: Path) -> Iterator[tuple[str, Any, Any]]:
    """Sources of many kinds, each with its input."""
    net = Net().eval()
    yield "onnx", LENET, None
    yield "optional inputs", optional_inputs(folder / "optional.onnx"), None
    yield "torch live", net, (2, 3, 17, 19)
    yield "torch without calls", net, None
    yield "state dict", {"state_dict": net.state_dict(), "epoch": 3}, None
    yield "keras live", keras_model(), None
    torch.save(net.state_dict(), folder / "net.pt")
    yield "torch file", folder / "net.pt", None
    torch.save(net, folder / "whole.pt")
    yield "torch module", folder / "whole.pt", None
    scripted = torch.jit.script(nn.Sequential(nn.Conv2d(3, 5, (2, 4)), nn.ReLU()))
    scripted.save(str(folder / "script.pt"))
    yield "torchscript", folder / "script.pt", None
    tensors = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    save_file(tensors, folder / "net.safetensors")
    yield "safetensors", folder / "net.safetensors", None
    for ending in ("keras", "h5", "weights.h5"):
        path = folder / f"model.{ending}"
        keras_model().save_weights(path) if ending == "weights.h5" else keras_model().save(path)
        yield ending, path, None
    np.savez(folder / "arrays.npz", **{"fc/kernel": np.zeros((3, 5)), "fc/bias": np.zeros(5, ">f8")})
    yield "npz", folder / "arrays.npz", None


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, shapeinspect.Report]:
    found = sources(tmp_path_factory.mktemp("models"))
    return {name: shapeinspect.inspect(source, shape) for name, source, shape in found}


@pytest.mark.filterwarnings("ignore")
def test_reports(reports: dict[str, shapeinspect.Report], held: Held) -> None:
    for report in reports.values():
        assert len(report) > 0
        held("report", report.to_dict())


def test_the_names_of_values_connect_the_calls(reports: dict[str, shapeinspect.Report]) -> None:
    for name, report in reports.items():
        data = report.to_dict()
        calls = sorted(
            (call for layer in data["layers"] for call in layer["calls"]), key=lambda call: call["index"]
        )
        assert [call["index"] for call in calls] == list(range(len(report.model.calls))), name
        for call, of_model in zip(calls, report.model.calls, strict=True):
            for ends, names in ((call["inputs"], of_model.inputs), (call["outputs"], of_model.outputs)):
                assert [end["name"] if end else "" for end in ends] == list(names), name


def test_the_edges_of_a_live_model(reports: dict[str, shapeinspect.Report]) -> None:
    data = reports["torch live"].to_dict()
    containers = {layer["path"] for layer in data["layers"] if layer["kind"] == "module"}
    made = {
        end["name"]: layer["path"]
        for layer in data["layers"]
        if layer["path"] not in containers
        for call in layer["calls"]
        for end in call["outputs"]
    }
    before = {
        layer["path"]: [
            [made.get(end["name"], end["name"]) for end in call["inputs"]] for call in layer["calls"]
        ]
        for layer in data["layers"]
    }
    assert before["norm"] == [["conv"]]
    assert before["twice"] == [["attention"], ["twice"]]
    assert before["tied"] == [["twice"]]
    assert before["conv"] == [[data["inputs"][0]["name"]]]
    assert [made[end["name"]] for end in data["outputs"]][1] == "lstm"
    assert data["inputs"][0]["shape"] == [2, 3, 17, 19]
    assert data["inputs"][0]["axes"] == ["N", "C", "H", "W"]
    assert data["inputs"][0]["dtype"] == "float32"


def test_an_input_that_is_left_out_keeps_its_place(held: Held) -> None:
    layer = Layer("clip", "unary", "Clip")
    call = Call("clip", ("x", "", "most"), ("y", ""))
    values = {name: Value(name, (3, 5)) for name in ("x", "most", "y")}
    made = Model("m", "f", "f", "f", (layer,), (call,), Frozen(values), ("x",), ("y",))
    data = to_dict(made)
    held("report", data)
    [written] = data["layers"][0]["calls"]
    assert [end and end["name"] for end in written["inputs"]] == ["x", None, "most"]
    assert [end and end["name"] for end in written["outputs"]] == ["y", None]


def test_a_value_of_unknown_rank(reports: dict[str, shapeinspect.Report]) -> None:
    data = reports["optional inputs"].to_dict()
    [resize, mystery] = [layer["calls"][0] for layer in data["layers"]]
    assert resize["outputs"][0]["shape"][:3] == ["batch", 3, 10]
    assert mystery["outputs"] == [{"name": "z", "shape": None, "axes": None, "dtype": "float32"}]


@pytest.mark.parametrize("kind", calculated())
def test_explanations_of_every_kind(kind: str, held: Held, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([*shlex.split(command(kind))[1:], "--format", "json"])
    data = json.loads(capsys.readouterr().out)
    assert data["layers"][0]["kind"] == kind
    held("explain", data)


def test_explanations_of_models(reports: dict[str, shapeinspect.Report], held: Held) -> None:
    for report in reports.values():
        held("explain", shapeinspect.explain(report).to_dict())
        for layer in report:
            held("explain", shapeinspect.explain(report, layer.path).to_dict())


def test_fits(reports: dict[str, shapeinspect.Report], held: Held) -> None:
    held("fit", shapeinspect.fit(LENET).to_dict())
    live = nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 7))
    held("fit", shapeinspect.fit(live, (2, 3, 17, 19)).to_dict())
    data = shapeinspect.fit(reports["optional inputs"]).to_dict()
    assert data["unsolved"]
    held("fit", data)


def test_differences(reports: dict[str, shapeinspect.Report], held: Held) -> None:
    net = Net()
    state = net.state_dict()
    state["conv.weight"] = torch.full((8, 3, 3, 5), float("nan"))
    state["more.weight"] = state.pop("tied.weight")
    state["twice.weight"] = torch.zeros(7, 8)
    found = shapeinspect.diff(state, net, values=True).to_dict()
    assert found["loading"]["size_mismatches"]
    held("diff", found)
    held("diff", shapeinspect.diff(reports["keras"], reports["torch live"], values=True).to_dict())
    held("diff", shapeinspect.diff(LENET, LENET).to_dict())


def test_divergences(held: Held) -> None:
    torch.manual_seed(2)
    one, other = nn.BatchNorm2d(3), nn.BatchNorm2d(3, eps=0.5)
    found = shapeinspect.diverge(one, other, (2, 3, 5, 7), input_b=(2, 3, 5, 7)).to_dict()
    assert found["found"][0]["suspects"][0]["helps"]
    held("diverge", found)
    held("diverge", shapeinspect.diverge(LENET, LENET).to_dict())


SPEC = """
input = "image=1,1,32,32"
expect = '''
conv1: conv o=7
pool1: -> n 6 5 14
params > 62k
'''
"""


@pytest.mark.parametrize(
    ("words", "fits", "failures"),
    [
        ([LENET], True, None),
        ([LENET, "--input", "1,1,28,28"], False, None),
        ([LENET, "--spec", "SPEC"], True, 3),
    ],
)
def test_checks(
    words: list[str],
    fits: bool,
    failures: int | None,
    held: Held,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text(SPEC)
    with pytest.raises(SystemExit):
        main(["check", *(str(spec) if word == "SPEC" else word for word in words), "--format", "json"])
    data = json.loads(capsys.readouterr().out)
    assert data["fits"] is fits
    assert ("layer" in data) is not fits
    assert len(data["failures"]) == failures if failures else "failures" not in data
    held("check", data)


def test_weights_alone_are_checked_against_a_specification(
    held: Held, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(Net().state_dict(), tmp_path / "net.pt")
    (tmp_path / "spec.toml").write_text("expect = 'params < 3'\n")
    with pytest.raises(SystemExit):
        main(["check", str(tmp_path / "net.pt"), "--spec", str(tmp_path / "spec.toml"), "--format", "json"])
    data = json.loads(capsys.readouterr().out)
    assert data["fits"] is None
    held("check", data)


def test_a_file_that_contradicts_itself(
    held: Held, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama")
    writer.add_block_count(1)
    writer.add_embedding_length(40)
    writer.add_tensor("token_embd.weight", np.zeros((90, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(SystemExit):
        main(["check", str(tmp_path / "m.gguf"), "--format", "json"])
    data = json.loads(capsys.readouterr().out)
    assert (data["fits"], len(data["faults"])) == (False, 2)  # another length, and tensors that are missing
    held("check", data)


CHANGES: list[Callable[[Any], object]] = [
    lambda data: data["layers"][0]["calls"][0]["inputs"][0].update(more=1),
    lambda data: data["layers"][0].pop("kind"),
    lambda data: data.update(schema=1),
    lambda data: data["layers"][0]["weights"][0]["native"].update(shape=[1.5]),
]


@pytest.mark.parametrize("change", CHANGES, ids=["more", "less", "version", "type"])
def test_what_the_schema_does_not_describe_is_found(change: Callable[[Any], object], held: Held) -> None:
    data = shapeinspect.inspect(LENET).to_dict()
    held("report", data)
    change(data)
    with pytest.raises(AssertionError):
        held("report", data)


def nodes(data: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of a schema that is itself a schema, with where it stands."""
    if isinstance(data, dict):
        yield path, data
        for name, value in data.items():
            yield from nodes(value, f"{path}/{name}")
    elif isinstance(data, list):
        for at, value in enumerate(data):
            yield from nodes(value, f"{path}/{at}")


@pytest.mark.parametrize("name", schema.NAMES)
def test_every_field_is_described_and_no_other_is_allowed(name: str) -> None:
    found = schema.load(name)
    jsonschema.Draft202012Validator.check_schema(found)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    fields = 0
    for path, node in nodes(found):
        if "properties" in node and isinstance(node["properties"], dict) and node.get("type") == "object":
            assert node["additionalProperties"] is False, path
            fields += len(node["properties"])
            for field, about in node["properties"].items():
                assert about.get("description", "").endswith("."), f"{path}/{field}"
    assert fields > 5
    used = {node["$ref"].rpartition("/")[2] for _, node in nodes(found) if "$ref" in node}
    assert used - {"#"} == found["$defs"].keys()  # a schema may refer to itself


def test_the_versions_are_those_of_the_output(held: Held) -> None:
    printed = {
        "report": shapeinspect.inspect(LENET).to_dict(),
        "explain": shapeinspect.explain(LENET).to_dict(),
        "fit": shapeinspect.fit(LENET).to_dict(),
        "diff": shapeinspect.diff(LENET, LENET).to_dict(),
        "diverge": shapeinspect.diverge(LENET, LENET).to_dict(),
    }
    for name, data in printed.items():
        assert schema.load(name)["properties"]["schema"]["const"] == data["schema"]


def test_the_files_are_in_the_wheel(tmp_path: Path) -> None:
    [wheel] = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = zipfile.ZipFile(wheel).namelist()
    assert "shapeinspect/agents/SKILL.md" in names
    packed = [name for name in names if name.endswith(".schema.json")]
    assert sorted(packed) == [f"shapeinspect/schema/{name}.schema.json" for name in schema.NAMES]
