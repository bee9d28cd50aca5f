"""The written file: names, axes, bits; and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

import shapeinspect
from shapeinspect.cli import main
from shapeinspect.convert.tensors import DTYPES, Tensor, write
from shapeinspect.errors import UsageError

Close = Callable[[Any, Any], None]

LENET = "tests/data/lenet.onnx"


def _metadata(path: Path) -> dict[str, Any]:
    with safe_open(path, "np") as file:
        return {name: file.metadata()[name] for name in file.metadata()}


def _module() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.ConvTranspose2d(4, 6, (3, 2), groups=2), torch.nn.GRU(3, 5, 2, bidirectional=True)
    )


def test_the_common_convention_with_the_axes_in_the_metadata(tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    module = _module()
    written = shapeinspect.normalize(module, out)
    stored = load_file(out)
    assert {name: tuple(tensor.shape) for name, tensor in stored.items()} == written.tensors
    # ConvTranspose2d is (in, out/groups, kh, kw), the groups outermost in both; common is out first.
    weight = module[0].weight.detach().numpy().reshape(2, 2, 3, 3, 2)  # g i o kh kw
    expected = weight.transpose(0, 2, 1, 3, 4).reshape(6, 2, 3, 2)
    np.testing.assert_array_equal(stored["0.weight"].numpy(), expected)
    gates = module[1].weight_hh_l1_reverse.detach().reshape(3, 5, 5)
    assert torch.equal(stored["1.weight_hh.l1.reverse"], gates)
    facts = json.loads(_metadata(out)["weights"])
    assert facts["0.weight"] == {
        "kind": "conv_transpose",
        "from": ["0.weight"],
        "native": "(g i) o kh kw",
        "common": "(g o) i kh kw",
        "slot": "weight",
        "sizes": {"g": 2},
    }
    assert set(facts) == set(stored)


@pytest.mark.parametrize("to", [None, "torch", "keras", "onnx"])
def test_show_reads_what_is_written(tmp_path: Path, to: str | None) -> None:
    out = tmp_path / "out.safetensors"
    written = shapeinspect.normalize(LENET, out, to)
    report = shapeinspect.inspect(out)
    assert {weight.name: weight.shape for layer in report for weight in layer.weights} == written.tensors
    assert report.totals.params == shapeinspect.inspect(LENET).totals.params
    assert [path.name for path in tmp_path.iterdir()] == ["out.safetensors"]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64, torch.float8_e4m3fn])
def test_the_dtype_and_every_bit_are_kept(tmp_path: Path, dtype: torch.dtype) -> None:
    weight = torch.randn(11, 3, 5, 7).to(dtype)
    torch.save({"c.weight": weight, "c.bias": torch.zeros(11, dtype=dtype)}, tmp_path / "m.pt")
    there, back = tmp_path / "there.safetensors", tmp_path / "back.safetensors"
    shapeinspect.normalize(tmp_path / "m.pt", there, to="keras")
    stored = load_file(there)["c/kernel"]
    assert stored.dtype == dtype
    expected = weight.view(
        torch.uint8 if weight.element_size() == 1 else {2: torch.int16, 8: torch.int64}[weight.element_size()]
    )
    assert torch.equal(stored.view(expected.dtype), expected.permute(2, 3, 1, 0))
    shapeinspect.normalize(tmp_path / "m.pt", back, to="torch")
    assert torch.equal(load_file(back)["c.weight"].view(expected.dtype), expected)


def test_a_weight_without_a_proven_layout_is_refused_by_name(tmp_path: Path) -> None:
    torch.save({"c.weight": torch.ones(4, 4, 3, 3), "f.weight": torch.ones(3, 5), "f.bias": torch.ones(3)},
               tmp_path / "m.pt")  # fmt: skip
    out = tmp_path / "out.safetensors"
    for to in (None, "keras"):
        with pytest.raises(UsageError, match=r"1 weight cannot be converted") as stop:
            shapeinspect.normalize(tmp_path / "m.pt", out, to)
        assert "c.weight: its layout is not proven" in str(stop.value)
        assert "--keep-unknown" in str(stop.value)
        assert not out.exists()
    written = shapeinspect.normalize(tmp_path / "m.pt", out, "keras", keep_unknown=True)
    assert written.kept == ("c.weight",)
    assert written.tensors == {"c.weight": (4, 4, 3, 3), "f/kernel": (5, 3), "f/bias": (3,)}
    assert json.loads(_metadata(out)["weights"])["c.weight"]["common"] is None


@pytest.mark.parametrize(
    ("layer", "to", "why"),
    [
        (torch.nn.ConvTranspose2d(4, 6, 3, groups=2), "keras", "Keras has no grouped transposed convolution"),
        (torch.nn.LSTM(3, 5, proj_size=2), "keras", "Keras has no LSTM with a projection"),
        (torch.nn.Bilinear(3, 5, 7), "keras", "keras has no layer of kind bilinear"),
        (torch.nn.MultiheadAttention(12, 3), "onnx", "onnx has no layer of kind attention"),
    ],
)
def test_what_the_other_framework_does_not_have_is_refused(
    tmp_path: Path, layer: torch.nn.Module, to: str, why: str
) -> None:
    with pytest.raises(UsageError) as stop:
        shapeinspect.normalize(torch.nn.Sequential(layer), tmp_path / "out.safetensors", to)
    assert why in str(stop.value)
    assert list(tmp_path.iterdir()) == []


def test_a_gru_that_resets_first_has_no_place_in_torch(tmp_path: Path) -> None:
    import keras

    model = keras.Sequential([keras.Input((7, 3)), keras.layers.GRU(5, reset_after=False)])
    with pytest.raises(UsageError) as stop:
        shapeinspect.normalize(model, tmp_path / "out.safetensors", "torch")
    assert "resets after the product" in str(stop.value)


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    out.write_bytes(b"old")

    def fail() -> Any:
        raise OSError(28, "No space left on device")

    good = Tensor("a", "float32", (3,), lambda: np.ones(3, np.float32))
    with pytest.raises(UsageError, match="cannot write"):
        write(out, [good, Tensor("b", "float32", (3,), fail)], {})
    wrong = Tensor("b", "float32", (3,), lambda: np.ones(4, np.float32))
    with pytest.raises(UsageError, match="differs from the one"):
        write(out, [good, wrong], {})
    assert out.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.safetensors"]


def test_tensors_are_read_one_at_a_time(tmp_path: Path) -> None:
    alive = [0, 0]

    class Counted(np.ndarray[Any, Any]):
        def __del__(self) -> None:
            if self.base is None:
                alive[0] -= 1

    def make() -> Any:
        alive[0] += 1
        alive[1] = max(alive)
        return np.ndarray.__new__(Counted, (64,), np.float32)

    write(tmp_path / "o.safetensors", [Tensor(str(n), "float32", (64,), make) for n in range(20)], {})
    assert alive[1] <= 2


@pytest.mark.parametrize("dtype", sorted(DTYPES))
def test_every_element_type_is_readable_by_safetensors(tmp_path: Path, dtype: str) -> None:
    import ml_dtypes

    kind = np.dtype(getattr(ml_dtypes, dtype) if hasattr(ml_dtypes, dtype) else dtype)
    array = np.arange(1, 7).reshape(2, 3).astype(kind)
    write(tmp_path / "o.safetensors", [Tensor("x", dtype, (2, 3), lambda: array)], {"a": "b"})
    raw = (tmp_path / "o.safetensors").read_bytes()
    assert raw.endswith(array.tobytes())
    with safe_open(tmp_path / "o.safetensors", "pt") as file:
        assert file.metadata() == {"a": "b"}
        if dtype != "complex64":
            assert file.get_slice("x").get_shape() == [2, 3]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.safetensors"
    with pytest.raises(SystemExit) as stop:
        main(["normalize", LENET, "-o", str(out), "--to", "keras"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"{out}: 10 tensors, ")
    assert "in keras's own layout" in text
    with pytest.raises(SystemExit) as stop:
        main(["normalize", LENET, "-o", str(out), "--to", "fortran"])
    assert stop.value.code == 2
    assert "flax, gguf, hf, keras, mlx, nnx, onnx, torch" in capsys.readouterr().err


@pytest.mark.parametrize("to", [None, "torch", "keras"])
def test_tied_weights_are_written_for_each_layer_and_that_is_said(tmp_path: Path, to: str | None) -> None:
    class Tied(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = torch.nn.Embedding(7, 3)
            self.out = torch.nn.Linear(3, 7, bias=False)
            self.out.weight = self.words.weight

    module = Tied()
    written = shapeinspect.normalize(module, tmp_path / "out.safetensors", to)
    shape = (3, 7) if to == "keras" else (7, 3)  # Keras stores a Dense with its inputs first
    assert sorted(written.tensors.values()) == sorted([(7, 3), shape])
    assert written.notes == (
        "words.weight and out.weight are one tensor in the source: the file has a copy for each",
    )
    if to == "torch":
        module.load_state_dict(load_file(tmp_path / "out.safetensors"))


def test_nothing_is_permuted_on_a_guess_and_that_is_said(tmp_path: Path) -> None:
    state = {"c.weight": torch.randn(5, 4, 3, 2), "c.bias": torch.zeros(5), "f.weight": torch.randn(7, 40),
             "f.bias": torch.zeros(7)}  # fmt: skip
    torch.save(state, tmp_path / "m.pt")
    out = tmp_path / "out.safetensors"
    written = shapeinspect.normalize(tmp_path / "m.pt", out, "keras")
    assert torch.equal(load_file(out)["f/kernel"], state["f.weight"].T)
    assert len(written.notes) == 1
    assert "flatten" in written.notes[0]
    assert shapeinspect.normalize(tmp_path / "m.pt", out, "torch").notes == ()


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", [torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN])
def test_recurrent_weights_for_onnx_are_those_that_onnxruntime_takes(
    close: Close, tmp_path: Path, kind: Any, bidirectional: bool
) -> None:
    """The tensors as the inputs W, R and B of a hand-made operator, run on random input."""
    import onnx
    import onnxruntime

    torch.manual_seed(0)
    module = kind(3, 5, bidirectional=bidirectional)
    out = tmp_path / "out.safetensors"
    shapeinspect.normalize(torch.nn.Sequential(module), out, "onnx")
    tensors = {name.removeprefix("0."): tensor.numpy() for name, tensor in load_file(out).items()}
    x = torch.randn(7, 2, 3)
    attributes = {"linear_before_reset": 1} if kind is torch.nn.GRU else {}
    if kind is torch.nn.RNN:
        attributes["activations"] = ["Tanh"] * (2 if bidirectional else 1)
    node = onnx.helper.make_node(
        module.mode.split("_")[0], ["x", "W", "R", "B"], ["y"], hidden_size=5,
        direction="bidirectional" if bidirectional else "forward", **attributes,
    )  # fmt: skip
    graph = onnx.helper.make_graph(
        [node], "g", [onnx.helper.make_tensor_value_info("x", 1, [7, 2, 3])],
        [onnx.helper.make_tensor_value_info("y", 1, None)],
        [onnx.numpy_helper.from_array(tensors[name], name) for name in "WRB"],
    )  # fmt: skip
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    (got,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x.numpy()})
    expected = module(x)[0].detach().numpy()
    close(got.transpose(0, 2, 1, 3).reshape(expected.shape), expected)
