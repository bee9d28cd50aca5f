"""Files of Flax and MLX into PyTorch, with the outputs that these frameworks computed, and back again.

``matrix/make_files.py`` has written the files; ``matrix/test_matrix.py`` runs the frameworks themselves.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import shapeinspect
from shapeinspect.errors import UsageError

from .matrix.torch_networks import NETWORKS

_FOLDER = Path(__file__).parent / "ported"
_SUFFIXES = {"flax": "msgpack", "mlx": "safetensors"}


@pytest.mark.parametrize("framework", list(_SUFFIXES))
@pytest.mark.parametrize("network", list(NETWORKS))
def test_into_torch_and_back(framework: str, network: str, tmp_path: Path) -> None:
    file = _FOLDER / f"{network}.{_SUFFIXES[framework]}"
    with np.load(_FOLDER / "outputs.npz") as facts:
        x, wanted = facts[f"{network}.input"], facts[f"{network}.{framework}"]
    module = NETWORKS[network]().eval()
    written = shapeinspect.normalize(
        file, tmp_path / "w.safetensors", like=module, input_like=x.shape, script=True
    )
    assert (dict(written.left), dict(written.unused)) == ({}, {})
    assert written.script is not None
    space: dict[str, Any] = {"__name__": "load_weights"}
    exec(compile(written.script, "load.py", "exec"), space)  # the script that is tested
    with torch.no_grad():
        got = space["load"](module)(torch.from_numpy(x)).numpy()
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).max() <= 1e-5 * np.abs(wanted).max()
    back = shapeinspect.normalize(
        module, tmp_path / "back.safetensors", like=file, input=x.shape, script=True
    )
    assert (dict(back.left), dict(back.unused)) == ({}, {})
    own = {w.name: w for layer in shapeinspect.inspect(file).model.layers for w in layer.weights}
    moved = load_file(tmp_path / "back.safetensors")
    assert set(moved) == set(own)
    for name, weight in own.items():  # as the framework itself has written them
        assert weight.values is not None
        assert np.array_equal(moved[name], weight.values())


def test_a_file_without_settings_needs_them_by_hand(tmp_path: Path) -> None:
    module = NETWORKS["norms"]()
    module.first_norm.eps = 0.25
    written = shapeinspect.normalize(
        shapeinspect.inspect(module, (2, 3, 8, 9)),
        tmp_path / "w.safetensors",
        like=_FOLDER / "norms.msgpack",
        script=True,
    )
    assert any(
        "eps is 0.25 in the source, and this file does not record it" in note for note in written.notes
    )
    assert '# "first_norm": eps is 0.25 in the source' in str(written.script)


def test_two_files_that_do_not_say_what_a_kernel_is(tmp_path: Path) -> None:
    files = _FOLDER / "grouped.safetensors", _FOLDER / "grouped.msgpack"
    written = shapeinspect.normalize(files[0], tmp_path / "w.safetensors", like=files[1])
    assert set(written.left) == {f"params/{name}/kernel" for name in ("first", "second", "out")}
    assert (
        "neither A nor B says whether it is a conv, conv_transpose or linear"
        in written.left["params/out/kernel"]
    )
    with pytest.raises(UsageError, match="--strict asks for all"):
        shapeinspect.normalize(files[0], tmp_path / "w.safetensors", like=files[1], strict=True)


@pytest.mark.parametrize(
    ("to", "names"),
    [
        ("flax", {"params/first/kernel": (3, 2, 3, 5), "batch_stats/first_norm/mean": (5,)}),
        ("nnx", {"first/kernel": (3, 2, 3, 5), "first_norm/var": (5,), "out/kernel": (8, 6)}),
        ("mlx", {"first.weight": (5, 3, 2, 3), "first_norm.running_var": (5,), "out.weight": (6, 8)}),
    ],
)
def test_the_names_and_axes_of_a_framework(
    to: str, names: dict[str, tuple[int, ...]], tmp_path: Path
) -> None:
    written = shapeinspect.normalize(
        NETWORKS["norms"](), tmp_path / "w.safetensors", to=to, input=(2, 3, 8, 9)
    )
    assert {name: written.tensors.get(name) for name in names} == names


@pytest.mark.parametrize("network", ["recurrent", "unet", "attention"])
def test_what_is_written_for_mlx_has_its_own_files_arrays(network: str, tmp_path: Path) -> None:
    """A file of MLX in PyTorch's layout, and from there in MLX's: the names differ, the arrays do not."""
    file, torch_file, out = _FOLDER / f"{network}.safetensors", tmp_path / "t.pt", tmp_path / "w.safetensors"
    module = NETWORKS[network]()
    shapes = {"recurrent": (2, 5, 6), "unet": (2, 2, 12, 8), "attention": (2, 5, 12)}
    loaded = shapeinspect.normalize(
        file, tmp_path / "l", like=module, input_like=shapes[network], script=True
    )
    space: dict[str, Any] = {"__name__": "load_weights"}
    exec(compile(str(loaded.script), "load.py", "exec"), space)  # the script that is tested
    torch.save(space["load"](module), torch_file)
    shapeinspect.normalize(module, out, to="mlx", input=shapes[network])
    mine = sorted(array.tobytes() for array in load_file(out).values())
    assert mine == sorted(array.tobytes() for array in load_file(file).values())
