"""Checkpoints against ``tf.train.list_variables`` and ``load_variable``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shapeinspect import layout
from shapeinspect.errors import UnreadableFileError
from shapeinspect.ir import Model, Weight
from shapeinspect.sources.source import from_path
from shapeinspect_tensorflow.adapters.checkpoint import ADAPTER
from shapeinspect_tensorflow.tables import bundle
from shapeinspect_tensorflow.tables.evidence import prove

PREFIXES = (
    "trained/ck-2",
    "plain/one",
    "module/variables/variables",
    "export/variables/variables",
    "sliced/old",
)


def weights(model: Model) -> Iterator[Weight]:
    return (weight for layer in model.layers for weight in layer.weights)


def read(path: Path) -> Model:
    return layout.normalize(ADAPTER.read(from_path(path)))


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_variable_that_tensorflow_lists(files: Any, prefix: str) -> None:
    found = bundle.read(from_path(files / f"{prefix}.index"))
    assert {entry.key: entry.shape for entry in found.entries} == files.variables[prefix]


def test_names_by_the_object_graph(files: Any) -> None:
    model = read(files / "trained")
    shapes = {(layer.path, weight.role): weight.shape for layer in model.layers for weight in layer.weights}
    assert shapes[("net/c1", "kernel")] == (3, 2, 3, 5)
    assert {path for path, _ in shapes} == {f"net/{name}" for name in ("c1", "dw", "bn", "ct", "d1")}
    kinds = {layer.path.rpartition("/")[2]: layer.kind for layer in model.layers}
    assert kinds == {"c1": "conv", "dw": "conv", "bn": "batch_norm", "ct": "conv_transpose", "d1": "linear"}


def test_tells_the_optimizer_apart(files: Any) -> None:
    model = read(files / "trained")
    listed = files.variables["trained/ck-2"]
    kept = {weight.name for weight in weights(model)}
    # Adam keeps two tensors for each of the ten trained variables, an iteration and a learning rate.
    assert len(listed) - len(kept) == 22 + len(("save_counter", "_CHECKPOINTABLE_OBJECT_GRAPH"))
    assert any("an optimizer's state: 22 tensors" in note.text for note in model.notes)


def test_chooses_what_the_state_file_names(files: Any, tmp_path: Path) -> None:
    model = read(files / "trained")
    assert any('of 2 checkpoints in the directory, this is "ck-2"' in note.text for note in model.notes)
    for name in ("ck-1", "ck-2"):
        for end in (".index", ".data-00000-of-00001"):
            (tmp_path / f"{name}{end}").write_bytes((files / f"trained/{name}{end}").read_bytes())
    state = tmp_path / "checkpoint"
    for text, chosen in (('"ck-1"', "ck-1"), ('"/gone/away/ck-1"', "ck-1"), ('"ck-9"', "ck-2")):
        state.write_text(f"model_checkpoint_path: {text}\n")
        assert any(f'this is "{chosen}"' in note.text for note in read(tmp_path).notes)


@pytest.mark.parametrize("name", ["../trained/ck-1", "a/../../ck-1", "c:\\\\ck-1", "ck\\u0000", ""])
def test_refuses_a_state_file_that_leads_outside(files: Any, tmp_path: Path, name: str) -> None:
    (tmp_path / "ck-1.index").write_bytes((files / "trained/ck-1.index").read_bytes())
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "' + name.replace("\\u0000", "\0") + '"')
    with pytest.raises(UnreadableFileError):
        read(tmp_path)


def test_does_not_follow_a_shard_that_is_a_link_outside(files: Any, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "ck.index").write_bytes((files / "plain/one.index").read_bytes())
    data = tmp_path / "elsewhere"
    data.write_bytes((files / "plain/one.data-00000-of-00001").read_bytes())
    (home / "ck.data-00000-of-00001").symlink_to(data)
    model = read(home / "ck.index")
    assert any('"ck.data-00000-of-00001" is not beside the index' in note.text for note in model.notes)
    assert all(weight.values is None for weight in weights(model))


def test_works_without_the_data(files: Any, tmp_path: Path) -> None:
    (tmp_path / "ck.index").write_bytes((files / "trained/ck-2.index").read_bytes())
    model = read(tmp_path / "ck.index")
    assert any('"ck.data-00000-of-00001" is not beside the index' in note.text for note in model.notes)
    assert sum(weight.size or 0 for weight in weights(model) if not weight.buffer) == files.counts["network"]


def test_values_are_those_of_tensorflow(files: Any) -> None:
    import numpy as np
    import tensorflow as tf

    for prefix in ("plain/one", "trained/ck-2"):
        found = weights(read(files / f"{prefix}.index"))
        assert found
        for weight in found:
            assert weight.values is not None
            np.testing.assert_array_equal(
                weight.values(), tf.train.load_variable(str(files / prefix), weight.name)
            )
            assert weight.where == f"{prefix.rpartition('/')[2]}.data-00000-of-00001"


def test_old_checkpoints_with_slices_and_slots(files: Any) -> None:
    model = read(files / "sliced/old.index")
    dense = next(layer for layer in model.layers if layer.path == "dense")
    assert dense.kind == "linear"
    assert dense.attributes["in_features"] == 6
    kernel = next(weight for weight in dense.weights if weight.role == "kernel")
    assert kernel.shape == (6, 5)
    assert kernel.values is None  # it is cut into two slices
    lstm = next(layer for layer in model.layers if layer.path == "lstm")
    assert (lstm.kind, lstm.attributes["hidden_size"], lstm.attributes["input_size"]) == ("lstm", 3, 7)
    assert all("Adam" not in weight.name for weight in weights(model))
    half = next(weight for weight in weights(model) if weight.name == "half")
    assert (half.dtype, half.nbytes) == ("bfloat16", 8)


def test_the_export_counts_its_variables_once(files: Any) -> None:
    model = read(files / "export/variables")
    assert sum(weight.size or 0 for weight in weights(model) if not weight.buffer) == files.counts["network"]
    copies = sum(key.startswith("_all_variables/") for key in files.variables["export/variables/variables"])
    assert any(f"{copies} variables stored twice" in note.text for note in model.notes)


@pytest.mark.parametrize(
    ("shapes", "kind"),
    [
        ({"kernel": (3, 3, 8, 8), "bias": (8,)}, "unknown"),  # Conv2D or Conv2DTranspose
        ({"kernel": (3, 3, 8, 1), "bias": (8,)}, "unknown"),  # depthwise or transposed
        ({"kernel": (3, 3, 4, 8)}, "unknown"),
        ({"kernel": (3, 8, 16), "bias": (16,)}, "unknown"),  # Conv1D, or an attention's output
        ({"kernel": (3, 2, 4, 3), "bias": (12,)}, "conv"),  # depthwise: c·m = 12
        ({"kernel": (6, 5), "bias": (6,)}, "unknown"),  # no Dense has this bias
        ({"gamma": (4,), "beta": (4,)}, "unknown"),
        ({"kernel": (7, 9), "recurrent_kernel": (3, 9), "bias": (2, 9)}, "gru"),
        ({"kernel": (7, 3), "recurrent_kernel": (3, 3), "bias": (3,)}, "rnn"),
        ({"kernel": (7, 15), "recurrent_kernel": (3, 15), "bias": (15,)}, "unknown"),
        ({"embeddings": (50, 4)}, "embedding"),
        (
            {"depthwise_kernel": (3, 3, 4, 2), "pointwise_kernel": (1, 1, 8, 5), "bias": (5,)},
            "separable_conv",
        ),
        ({"depthwise_kernel": (3, 3, 4, 2), "pointwise_kernel": (1, 1, 7, 5)}, "unknown"),
        ({"kernel": (6, 5), "bias": (5,), "extra": (1,)}, "unknown"),
    ],
)
def test_a_kind_only_where_names_and_shapes_prove_it(shapes: dict[str, tuple[int, ...]], kind: str) -> None:
    assert prove(shapes).kind == kind


def test_a_checkpoint_without_a_prefix(files: Any, tmp_path: Path) -> None:
    # tf.train.Saver().save(session, "folder/") writes no name before the endings.
    for end in (".index", ".data-00000-of-00001"):
        (tmp_path / end).write_bytes((files / f"trained/ck-2{end}").read_bytes())
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/elsewhere/run/"\n')
    expected = {weight.name: weight.shape for weight in weights(read(files / "trained/ck-2.index"))}
    for path in (tmp_path, tmp_path / ".index"):
        found = tuple(weights(read(path)))
        assert {weight.name: weight.shape for weight in found} == expected
        assert all(weight.values is not None for weight in found)
    with pytest.raises(UnreadableFileError, match=r"name the index beside it: \.index"):
        read(tmp_path / ".data-00000-of-00001")


def test_a_file_of_values_names_its_index(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt-7.data-00000-of-00002"
    path.write_bytes(bytes(range(200)))
    assert ADAPTER.match(from_path(path)) == 1
    with pytest.raises(UnreadableFileError, match=r"name the index beside it: model\.ckpt-7\.index"):
        ADAPTER.read(from_path(path))
