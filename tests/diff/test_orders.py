"""Each order that a port may leave numbers in is found in exactly its weight, and the line of code undoes it.

The expected numbers are written down with numpy beside each row; the line that ``diff`` prints is run.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from einops import rearrange
from safetensors.numpy import save_file
from torch import nn

import shapeinspect
from shapeinspect.compare.numbers.reorder.arithmetic import changed

Array = Any
RNG = np.random.default_rng(5)


def drawn(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def written(folder: Path, name: str, tensors: dict[str, Array]) -> str:
    save_file({key: np.ascontiguousarray(value) for key, value in tensors.items()}, folder / name)
    return str(folder / name)


def moved(here: str, there: str, **sizes: int) -> Callable[[Array], Array]:
    """Take the rows apart, and put them together in another order."""
    return lambda x: rearrange(x, f"({here}) i -> ({there}) i", **sizes)


def blocks(*order: int) -> Callable[[Array], Array]:
    return lambda x: np.concatenate([np.split(x, len(order))[part] for part in order])


def grouped(x: Array) -> Array:
    """Four query heads and two key heads of 6, as groups of two queries, a key and a value."""
    q, k, v = x[:24], x[24:36], x[36:]
    return np.concatenate([part.reshape(2, -1, 6, 20) for part in (q, k, v)], 1).reshape(x.shape)


def ungrouped(x: Array) -> Array:
    parts = x.reshape(2, 4, 6, 20)
    return np.concatenate([parts[:, part].reshape(-1, 20) for part in (slice(2), 2, 3)])


#: What the port has done, to how many rows, and what is said.
ROWS: dict[str, tuple[int, Callable[[Array], Array], str]] = {
    "blocks to heads": (72, moved("a h d", "h a d", a=3, h=4), "q, k and v in each of 4 heads, not all q"),
    "heads to blocks": (
        72,
        moved("h a d", "a h d", a=3, h=4),
        "all q, all k, all v, not q, k and v in each of 4",
    ),
    "blocks to entries": (72, moved("a d", "d a", a=3), "q, k and v of each entry, not all q"),
    "entries to blocks": (72, moved("d a", "a d", a=3), "all q, all k, all v, not q, k and v of each entry"),
    "heads to entries": (72, moved("h a d", "h d a", a=3, h=4), "of each entry of 4 heads, not of each head"),
    "grouped queries": (48, grouped, "in 2 groups of 2 queries, a key and a value, not all q"),
    "queries out of groups": (48, ungrouped, "as all q, all k, all v, not in 2 groups of 2 queries"),
    "halves to pairs": (32, moved("h a d", "h d a", a=2, h=4), "the two halves of each of 4 heads as pairs"),
    "pairs to halves": (32, moved("h d a", "h a d", a=2, h=4), "the pairs of each of 4 heads as two halves"),
    "gate and up": (42, blocks(1, 0), "with its halves in the order 1 0"),
    "q, k, v to k, v, q": (63, blocks(1, 2, 0), "with its thirds in the order 1 2 0"),
    "gates of ONNX": (44, blocks(0, 3, 1, 2), "with its quarters in the order 0 3 1 2"),
    "rows and columns": (35, moved("a d", "d a", a=5), "5 rows of 7, taken by columns"),
    "inputs": (
        9,
        lambda x: rearrange(x, "o (h d) -> o (d h)", h=4),
        "4 rows of 5, taken by columns, along axis 1",
    ),
    "transposed": (21, lambda x: x.T, "with axis 0 and axis 1 swapped"),
}


@pytest.mark.parametrize("name", ROWS)
def test_entries_of_an_axis_are_found_in_their_order(name: str, tmp_path: Path) -> None:
    rows, port, said = ROWS[name]
    weight, other = drawn(rows, 20), {"b.weight": drawn(9, 5), "c.bias": drawn(6)}
    a = written(tmp_path, "a.safetensors", {"a.weight": weight, **other})
    b = written(tmp_path, "b.safetensors", {"a.weight": port(weight), **other})
    (layer,) = [layer for layer in shapeinspect.diff(a, b, values=True).layers if layer.status != "same"]
    assert layer.a == "a"
    text, line = layer.weights[0].why
    assert said in text
    names: dict[str, Array] = {"A": weight, "rearrange": rearrange, "np": np}
    exec(line, names)
    np.testing.assert_array_equal(names["B"], port(weight))


def test_an_order_that_no_mistake_explains_is_called_so(tmp_path: Path) -> None:
    weight = drawn(21, 19)
    a = written(tmp_path, "a.safetensors", {"a.weight": weight})
    b = written(tmp_path, "b.safetensors", {"a.weight": weight[RNG.permutation(21)]})
    (layer,) = shapeinspect.diff(a, b, values=True).layers
    assert (
        layer.weights[0].why[0].endswith("the same numbers in another order, which is none of the usual ones")
    )


def test_a_depthwise_kernel_is_found_with_channels_and_multipliers_exchanged() -> None:
    one, other = nn.Conv2d(3, 12, 5, groups=3), nn.Conv2d(3, 12, 5, groups=3)
    with torch.no_grad():
        other.weight.copy_(one.weight.reshape(4, 3, 1, 5, 5).transpose(0, 1).reshape(12, 1, 5, 5))
        other.bias.copy_(one.bias)  # type: ignore[union-attr,arg-type]
    models = [shapeinspect.inspect(nn.Sequential(net), (1, 3, 7, 8)) for net in (one, other)]
    (layer,) = shapeinspect.diff(*models, values=True).layers
    weight = next(weight for weight in layer.weights if weight.status != "same")
    assert "the channels and multipliers of its depthwise kernel exchanged" in weight.why[0]
    names: dict[str, Array] = {"A": one.weight.detach().numpy(), "rearrange": rearrange}
    exec(weight.why[1], names)
    np.testing.assert_array_equal(names["B"], other.weight.detach().numpy())


def test_numbers_of_one_weight_in_the_place_of_another_are_found(tmp_path: Path) -> None:
    state = {f"{n}_proj.weight": drawn(8, 8) for n in "qkv"} | {"mlp.weight": drawn(8, 8)}
    port = {**state, "q_proj.weight": state["k_proj.weight"], "k_proj.weight": state["q_proj.weight"]}
    a, b = written(tmp_path, "a.safetensors", state), written(tmp_path, "b.safetensors", port)
    found = {
        layer.a: layer for layer in shapeinspect.diff(a, b, values=True).layers if layer.status != "same"
    }
    assert set(found) == {"q_proj", "k_proj"}
    assert found["q_proj"].weights[0].why[0].endswith("B's are A's k_proj.weight, and the other way round")
    copied = written(tmp_path, "c.safetensors", {**state, "q_proj.weight": state["k_proj.weight"]})
    (layer,) = [layer for layer in shapeinspect.diff(a, copied, values=True).layers if layer.status != "same"]
    assert "B's are A's" not in layer.weights[0].why[0], "A's k_proj stands in its own place, too"


@pytest.mark.parametrize("pair", [("running_mean", "running_var"), ("weight", "bias")])
def test_exchanged_weights_of_a_layer_are_named(pair: tuple[str, str], tmp_path: Path) -> None:
    state = {f"bn.{name}": np.abs(drawn(7)) for name in ("weight", "bias", "running_mean", "running_var")}
    keys = [f"bn.{name}" for name in pair]
    a = written(tmp_path, "a.safetensors", state)
    b = written(tmp_path, "b.safetensors", {**state, keys[0]: state[keys[1]], keys[1]: state[keys[0]]})
    (layer,) = shapeinspect.diff(a, b, values=True).layers
    differing = [weight for weight in layer.weights if weight.status != "same"]
    assert len(differing) == 2
    assert all(weight.why[0].endswith(" are exchanged") for weight in differing)


def test_symmetric_numbers_are_claimed_in_no_order(tmp_path: Path) -> None:
    """Where several orders give the same numbers, none is named."""
    block = drawn(6, 20)
    a = written(tmp_path, "a.safetensors", {"a.weight": np.concatenate([block, block, block + 1])})
    b = written(tmp_path, "b.safetensors", {"a.weight": np.concatenate([block + 1, block, block])})
    (layer,) = shapeinspect.diff(a, b, values=True).layers
    assert layer.weights[0].why[0].endswith("the same numbers in another order, of which more than one fits")
    zeros = {"a.bias": np.zeros(9, np.float32), "b.bias": drawn(9)}
    a, b = (
        written(tmp_path, "c.safetensors", zeros),
        written(tmp_path, "d.safetensors", {**zeros, "b.bias": np.zeros(9, np.float32)}),
    )
    (layer,) = [layer for layer in shapeinspect.diff(a, b, values=True).layers if layer.status != "same"]
    assert "B's are" not in layer.weights[0].why[0]


def test_what_was_computed_from_numbers_is_named() -> None:
    x = np.abs(drawn(9)) + 1
    assert changed("weight", x, x * np.float32(0.125), np.allclose) == (
        "B's are A's times 0.125",
        "B = A * 0.125",
    )
    assert changed("weight", x, x + np.float32(1), np.allclose)[1] == "B = A + 1"
    assert changed("variance", x, 1 / np.sqrt(x), np.allclose)[1] == "B = 1 / np.sqrt(A)"
    assert changed("variance", x, np.sqrt(x), np.allclose)[1] == "B = np.sqrt(A)"
    assert changed("weight", x, drawn(9), np.allclose) == ()


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_rounding_to_half_is_no_difference_and_more_is(kind: torch.dtype, tmp_path: Path) -> None:
    weight = torch.from_numpy(drawn(6, 11))
    torch.save({"a.weight": weight}, tmp_path / "a.pt")
    torch.save({"a.weight": weight.to(kind)}, tmp_path / "b.pt")
    torch.save({"a.weight": (weight * 1.02).to(kind)}, tmp_path / "c.pt")
    found = shapeinspect.diff(str(tmp_path / "a.pt"), str(tmp_path / "b.pt"), values=True)
    assert found.same
    assert found.verdict.endswith("and so are their values up to rounding")
    assert not shapeinspect.diff(str(tmp_path / "a.pt"), str(tmp_path / "c.pt"), values=True).same
