"""Directories of several parts, read and checked as one model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from shapeinspect.api.checking import check_model
from shapeinspect.errors import UsageError
from shapeinspect.ir import Model
from shapeinspect.registry import choose
from shapeinspect.sources.source import from_path


def read(folder: Path) -> Model:
    return choose(source := from_path(folder)).read(source)


def rows(folder: Path) -> list[tuple[str, str, str]]:
    data = check_model(from_path(folder), None, None).data
    return [
        (row["name"], row["expected"], row["got"])
        for fault in data.get("faults", ())
        for row in fault.get("weights", ())
    ]


def put(folder: Path, config: dict[str, object], **shapes: tuple[int, ...]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    state = {name.replace("__", "."): torch.zeros(shape) for name, shape in shapes.items()}
    if state:
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    """A pipeline as diffusers stores it: a text encoder, a network, and a scheduler without weights."""
    index = {
        "_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.42.1",
        "safety_checker": [None, None], "requires_safety_checker": False,
        "scheduler": ["diffusers", "DDIMScheduler"], "text_encoder": ["transformers", "CLIPTextModel"],
        "unet": ["diffusers", "UNet2DConditionModel"],
    }  # fmt: skip
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    (tmp_path / "scheduler").mkdir()
    put(tmp_path / "text_encoder", {"model_type": "llama", "hidden_size": 24, "vocab_size": 50},
        model__embed_tokens__weight=(50, 24))  # fmt: skip
    put(
        tmp_path / "unet",
        {"_class_name": "MysteryModel"},
        time_embedding__linear_1__weight=(64, 32),
        time_embedding__linear_1__bias=(64,),
    )
    return tmp_path


def test_a_pipeline_is_one_model(pipeline: Path) -> None:
    model = read(pipeline)
    assert [(layer.path, layer.kind) for layer in model.layers] == [
        ("text_encoder.model.embed_tokens", "embedding"), ("unet.time_embedding.linear_1", "linear"),
    ]  # fmt: skip
    assert [weight.name for layer in model.layers for weight in layer.weights] == [
        "text_encoder.model.embed_tokens.weight", "unet.time_embedding.linear_1.weight",
        "unet.time_embedding.linear_1.bias",
    ]  # fmt: skip
    assert model.layers[0].parts[0] == "text_encoder"
    assert model.layers[0].weights[0].values is not None
    assert model.layers[0].weights[0].values().shape == (50, 24)
    texts = [note.text for note in model.notes]
    assert texts[0] == "one model of several parts: text_encoder, unet"
    assert sum("the file holds weights only" in text for text in texts) == 1
    assert "unet: which weights config.json makes is not known of MysteryModel" in texts


def test_a_part_is_held_against_its_own_configuration(pipeline: Path) -> None:
    assert rows_or_none(pipeline) == []
    put(pipeline / "text_encoder", {"model_type": "llama", "hidden_size": 24, "vocab_size": 51},
        model__embed_tokens__weight=(50, 24))  # fmt: skip
    assert rows(pipeline) == [("text_encoder.model.embed_tokens.weight", "(51, 24)", "(50, 24)")]


def test_the_tokenizer_of_a_part(pipeline: Path) -> None:
    (pipeline / "text_encoder" / "added_tokens.json").write_text(json.dumps({"x": 50}))
    assert rows(pipeline) == [("vocab_size", "at least 51", "50")]


def rows_or_none(folder: Path) -> list[tuple[str, str, str]]:
    """Where nothing could be held, there is no answer."""
    try:
        return rows(folder)
    except UsageError:
        return []


@pytest.mark.parametrize(
    ("gone", "got"),
    [(["model.safetensors"], "no weights in it"), (["model.safetensors", "config.json"], "no such folder")],
)
def test_a_part_without_weights(pipeline: Path, gone: list[str], got: str) -> None:
    for name in gone:
        (pipeline / "unet" / name).unlink()
    if len(gone) == 2:
        (pipeline / "unet").rmdir()
    assert rows(pipeline) == [("unet/", "the weights of a UNet2DConditionModel", got)]


def test_no_part_has_weights(pipeline: Path) -> None:
    for part in ("unet", "text_encoder"):
        (pipeline / part / "model.safetensors").unlink()
    with pytest.raises(UsageError, match="no part of the directory"):
        read(pipeline)


def sentences(folder: Path, width: int = 24, **dense: int) -> Path:
    """A model of sentence-transformers: itself, a pooling, and a dense module of 24 → 10 features."""
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"},
    ]
    put(
        folder,
        {"model_type": "bert", "hidden_size": 24, "vocab_size": 50},
        embeddings__word_embeddings__weight=(50, 24),
    )
    (folder / "modules.json").write_text(json.dumps(modules))
    put(
        folder / "1_Pooling",
        {
            "word_embedding_dimension": width,
            "pooling_mode_mean_tokens": True,
            "pooling_mode_cls_token": False,
        },
    )
    put(
        folder / "2_Dense",
        {"in_features": 24, "out_features": 10, **dense},
        linear__weight=(10, 24),
        linear__bias=(10,),
    )
    return folder


def test_modules_are_one_model(tmp_path: Path) -> None:
    model = read(sentences(tmp_path))
    assert [(layer.path, layer.kind) for layer in model.layers] == [
        ("embeddings.word_embeddings", "embedding"), ("2.linear", "linear"),
    ]  # fmt: skip
    assert rows_or_none(tmp_path) == []


def test_modules_that_do_not_follow_each_other(tmp_path: Path) -> None:
    found = rows(sentences(tmp_path / "a", width=30))
    assert ("1_Pooling/config.json: word_embedding_dimension", "24", "30") in found
    assert ("2_Dense/config.json: in_features", "30", "24") in found
    found = rows(sentences(tmp_path / "b", out_features=12))
    assert found == [("2.linear.weight", "(12, 24)", "(10, 24)")]


def test_a_pooling_of_two_modes_is_twice_as_wide(tmp_path: Path) -> None:
    sentences(tmp_path, in_features=48)
    put(tmp_path / "1_Pooling", {"embedding_dimension": 24, "pooling_mode": ["mean", "max"]})
    put(tmp_path / "2_Dense", {"in_features": 48, "out_features": 10}, linear__weight=(10, 48))
    assert rows_or_none(tmp_path) == []
    put(tmp_path / "1_Pooling", {"embedding_dimension": 24, "pooling_mode": "mean"})
    assert rows(tmp_path) == [("2_Dense/config.json: in_features", "24", "48")]
