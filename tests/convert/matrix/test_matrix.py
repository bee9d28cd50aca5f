"""Each network from each framework into each other one: through files, by the script, with one output.

Where a file records no epsilon it is given to the norms by hand, as the notes say. Two cells differ from the
others: MLX's files and Flax's do not say whether a kernel is of a transposed convolution, so the source there
is the live MLX model; and nnx's GRU has no bias inside of the reset gate, so that such a bias is listed.
It needs flax and mlx beside the other frameworks, and is run network by network: ``-m slow -k unet -s``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import shapeinspect
from shapeinspect.convert.written import Written
from shapeinspect.errors import UsageError

from .frameworks import FRAMEWORKS, SHAPES, Array, Bare

PAIRS = [(a, b) for a in FRAMEWORKS for b in FRAMEWORKS if a != b]


def drawn(network: str) -> Array:
    return np.random.default_rng(3).standard_normal(SHAPES[network][0]).astype(np.float32)


def without_state_bias(a: str, model: Any) -> None:
    """Set the bias of a GRU's state in its gate n to 0, which nnx does not have."""
    if a == "torch":
        model.gru.bias_hh_l0.data[14:] = 0
    elif a == "keras":
        bias = next(weight for weight in model.weights if weight.path.endswith("gru_cell/bias"))
        values = np.array(bias)
        values[1, 14:] = 0
        bias.assign(values)
    elif a == "onnx":
        from onnx import numpy_helper

        tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "gru.B")
        values = numpy_helper.to_array(tensor).copy()
        values[0, 35:] = 0
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    elif a == "flax":
        cell = model["params"]["GRUCell_0"]["hn"]
        cell["bias"] = cell["bias"] * 0
    elif a == "mlx":
        model.gru.bhn = model.gru.bhn * 0


def ported(network: str, pair: tuple[str, str], models: tuple[Any, Any], folder: Path) -> Written:
    """Write the first model for the second one."""
    (a, b), (model_a, model_b) = pair, models
    for name in "ab":
        (folder / name).mkdir()
    live = pair == ("mlx", "flax") and network != "recurrent"
    source = FRAMEWORKS[a].target if live else FRAMEWORKS[a].source
    given, shape = source(network, model_a, folder / "a")
    like, like_shape = FRAMEWORKS[b].target(network, model_b, folder / "b")
    return shapeinspect.normalize(
        given, folder / "w.safetensors", like=like, input=shape, input_like=like_shape, script=True
    )


@pytest.mark.slow
@pytest.mark.parametrize(("a", "b"), PAIRS)
@pytest.mark.parametrize("network", list(SHAPES))
def test_the_outputs_are_the_same(network: str, a: str, b: str, tmp_path: Path) -> None:
    first, second = FRAMEWORKS[a], FRAMEWORKS[b]
    model, other, x = first.make(network, 5), second.make(network, 9), drawn(network)
    if (network, b) == ("recurrent", "nnx"):
        without_state_bias(a, model)
    eps = second.epsilon(network) if isinstance(first, Bare) else first.epsilon(network)
    for framework, one in ((first, model), (second, other)):
        if isinstance(framework, Bare):
            framework.with_epsilon(one, eps)
    wanted = first.run(network, model, x)
    scale = np.abs(wanted).max()
    assert np.abs(second.run(network, other, x) - wanted).max() > 1e-2 * scale
    written = ported(network, (a, b), (model, other), tmp_path)
    assert (dict(written.left), dict(written.unused)) == ({}, {})
    assert written.script is not None
    space: dict[str, Any] = {"__name__": "load_weights"}
    exec(compile(written.script, "load.py", "exec"), space)  # the script that is tested
    got = second.run(network, space["load"](other), x)
    error = np.abs(got - wanted).max() / scale
    print(f"{network:10} {a:5} -> {b:5} {error:.1e}")
    assert got.shape == wanted.shape
    assert error <= 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("a", [name for name in FRAMEWORKS if name != "nnx"])
def test_a_bias_that_nnx_has_no_place_for_is_listed(a: str, tmp_path: Path) -> None:
    models = FRAMEWORKS[a].make("recurrent", 5), FRAMEWORKS["nnx"].make("recurrent", 9)
    written = ported("recurrent", (a, "nnx"), models, tmp_path)
    assert dict(written.left) == {}
    assert all("gate n of bias_hh.l0" in why for why in written.unused.values())
    assert len(written.unused) == 1


@pytest.mark.slow
def test_two_files_that_do_not_say_what_a_kernel_is(tmp_path: Path) -> None:
    first, second = FRAMEWORKS["mlx"], FRAMEWORKS["flax"]
    given = first.save(first.make("grouped", 5), tmp_path)
    like = second.save(second.make("grouped", 9), tmp_path)
    written = shapeinspect.normalize(given, tmp_path / "w.safetensors", like=like)
    assert set(written.left) == {f"params/{name}/kernel" for name in ("first", "second", "out")}
    assert (
        "neither A nor B says whether it is a conv, conv_transpose or linear"
        in written.left["params/out/kernel"]
    )
    with pytest.raises(UsageError, match="--strict asks for all"):
        shapeinspect.normalize(given, tmp_path / "w.safetensors", like=like, strict=True)


@pytest.mark.slow
def test_the_groups_of_a_norm_are_made_of_neighbors_in_mlx(tmp_path: Path) -> None:
    """By default MLX's groups have every third channel, where all other frameworks' have neighbors."""
    import mlx.core as mx
    import torch
    from mlx import nn

    source, target = torch.nn.Sequential(torch.nn.GroupNorm(3, 6)), nn.Sequential(nn.GroupNorm(3, 6))
    torch.nn.init.normal_(source[0].weight)
    x = np.random.default_rng(3).standard_normal((2, 6, 4, 5)).astype(np.float32)
    written = shapeinspect.normalize(
        source, tmp_path / "w.safetensors", like=target, input=x.shape, script=True
    )
    space: dict[str, Any] = {"__name__": "load_weights"}
    exec(compile(str(written.script), "load.py", "exec"), space)  # the script that is tested
    got = np.moveaxis(np.array(space["load"](target)(mx.array(np.moveaxis(x, 1, -1)))), -1, 1)
    assert np.abs(got - source(torch.from_numpy(x)).detach().numpy()).max() < 1e-5
