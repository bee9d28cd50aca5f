"""What is read from files that ggml's writer made, against what ggml's reader lists."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest

from shapeinspect.errors import UnreadableFileError
from shapeinspect.ir import Layer, Model
from shapeinspect.sources.source import from_path
from shapeinspect_gguf.adapter import ADAPTER
from shapeinspect_gguf.reader import Array, Single, Text, read_header

TYPES = sorted(gguf.GGML_QUANT_SIZES)


def _read(path: Path) -> Model:
    return ADAPTER.read(from_path(path))


def _layers(path: Path) -> dict[str, Layer]:
    return {layer.path: layer for layer in _read(path).layers}


@pytest.fixture
def every_type(tmp_path: Path) -> Path:
    """One tensor of every element type, of rank 1 to 4."""
    path = tmp_path / "types.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    for index, kind in enumerate(TYPES):
        values, nbytes = gguf.GGML_QUANT_SIZES[kind]
        shape = (2, 3, 5, 3 * values)[3 - index % 4 :]
        stored = (*shape[:-1], 3 * nbytes)
        writer.add_tensor(f"t{index}.weight", np.full(stored, index, np.uint8), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_every_type_is_listed_as_ggml_lists_it(every_type: Path) -> None:
    theirs = [
        (t.name, tuple(int(n) for n in reversed(t.shape)), int(t.tensor_type), int(t.n_bytes), t.data_offset)
        for t in gguf.GGUFReader(every_type).tensors
    ]
    ours = [(t.name, t.shape, t.code, t.nbytes, t.offset) for t in read_header(from_path(every_type)).tensors]
    assert ours == theirs
    assert len(ours) == len(TYPES)


@pytest.mark.parametrize("last", [False, True])
def test_a_block_of_q8_1_has_the_size_that_the_file_has_room_for(tmp_path: Path, last: bool) -> None:
    """ggml's own block has 36 bytes, that of its Python package 40."""
    path = tmp_path / "blocks.gguf"
    names = ["blk.0.ffn_up.weight", "output_norm.weight"]
    writer = gguf.GGUFWriter(path, "llama")
    for name in reversed(names) if last else names:
        if name == names[0]:
            writer.add_tensor_info(
                name, (7, 3 * 64), np.dtype("int8"), 7 * 6 * 36, gguf.GGMLQuantizationType.Q8_1
            )
        else:
            writer.add_tensor_info(name, (5,), np.dtype("float32"), 20)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    with path.open("ab") as file:
        parts = [bytes(20), bytes(7 * 6 * 36)] if last else [bytes(7 * 6 * 36), bytes(20)]
        file.write(bytes(-file.tell() % 32))
        for part in parts:
            file.write(part + bytes(-len(part) % 32))
    found = {tensor.name: (tensor.shape, tensor.nbytes) for tensor in read_header(from_path(path)).tensors}
    assert found == {names[0]: ((7, 3 * 64), 7 * 6 * 36), names[1]: ((5,), 20)}


def test_sizes_are_those_of_the_values_not_of_the_bytes(every_type: Path) -> None:
    weights = {weight.name: weight for layer in _read(every_type).layers for weight in layer.weights}
    for tensor in gguf.GGUFReader(every_type).tensors:
        assert weights[tensor.name].size == tensor.n_elements
        assert weights[tensor.name].nbytes == tensor.n_bytes


@pytest.mark.parametrize("endian", list(gguf.GGUFEndian))
@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "int8", "int16", "int32", "int64"])
def test_numbers_are_read_when_asked_for(tmp_path: Path, dtype: str, endian: gguf.GGUFEndian) -> None:
    numbers = np.arange(2 * 3 * 5).reshape(2, 3, 5).astype(dtype)
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "x", endianess=endian)
    writer.add_tensor("pad.weight", np.ones(7, np.int8))
    writer.add_tensor("w.weight", numbers)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    values = _layers(tmp_path / "m.gguf")["w"].weights[0].values
    assert values is not None
    assert (values() == numbers).all()
    assert values().shape == (2, 3, 5)


def test_bfloat16_is_read_as_float32(tmp_path: Path) -> None:
    numbers = np.array([[1.0, -2.5, 3.0], [0.5, 1024.0, -0.0078125]], np.float32)
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "x")
    kind = gguf.GGMLQuantizationType.BF16
    writer.add_tensor("w.weight", gguf.quantize(numbers, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    weight = _layers(tmp_path / "m.gguf")["w"].weights[0]
    assert (weight.dtype, weight.shape) == ("bfloat16", (2, 3))
    assert weight.values is not None
    assert (weight.values() == numbers).all()


def test_every_form_of_metadata(write: Callable[..., Path]) -> None:
    def more(writer: gguf.GGUFWriter) -> None:
        writer.add_uint8("a.u8", 200)
        writer.add_int8("a.i8", -100)
        writer.add_uint16("a.u16", 60000)
        writer.add_int16("a.i16", -30000)
        writer.add_uint32("a.u32", 4_000_000_000)
        writer.add_int32("a.i32", -2_000_000_000)
        writer.add_uint64("a.u64", 2**63 + 1)
        writer.add_int64("a.i64", -(2**62))
        writer.add_float32("a.f32", 1e-5)
        writer.add_float64("a.f64", 1e-300)
        writer.add_bool("a.yes", True)
        writer.add_string("a.text", "naïve 層")
        writer.add_string("a.long", "é" * 2000)
        writer.add_array("a.numbers", [3, 4, 5])
        writer.add_array("a.many", list(range(5000)))
        writer.add_token_list([f"token {index}" for index in range(300)])
        writer.add_chat_template("{{ cycler.__init__.__globals__ }}")

    path = write({"w.weight": (2, 3)}, "a", more)
    shown = _read(path).metadata
    assert {key.removeprefix("a."): text for key, text in shown.items() if key.startswith("a.")} == {
        "u8": "200",
        "i8": "-100",
        "u16": "60000",
        "i16": "-30000",
        "u32": "4000000000",
        "i32": "-2000000000",
        "u64": "9223372036854775809",
        "i64": "-4611686018427387904",
        "f32": "1e-05",
        "f64": "1e-300",
        "yes": "true",
        "text": "naïve 層",
        "long": "a text of 4,000 bytes",
        "numbers": "3, 4, 5",
        "many": "5,000 numbers",
    }
    assert shown["tokenizer.ggml.tokens"] == "300 strings"
    assert shown["tokenizer.chat_template"] == "a template of 33 bytes, not shown"
    fields = read_header(from_path(path)).fields
    assert fields["a.many"] == Array("number", 5000, None)
    assert fields["a.long"] == Text("é" * 500, 4000)
    assert fields["a.f32"] == Single(float(np.float32(1e-5)))


def test_alignment_is_the_files_own(write: Callable[..., Path]) -> None:
    path = write({"a.weight": (3,), "b.weight": (5,)}, "x", lambda writer: writer.add_custom_alignment(256))
    ours = [tensor.offset for tensor in read_header(from_path(path)).tensors]
    assert ours == [tensor.data_offset for tensor in gguf.GGUFReader(path).tensors]
    assert ours[1] - ours[0] == 256


def test_version_2_and_big_endian(write: Callable[..., Path]) -> None:
    big = write({"w.weight": (2, 3)}, "x", endianess=gguf.GGUFEndian.BIG)
    assert _read(big).layers[0].weights[0].shape == (2, 3)
    assert _read(big).metadata["gguf.byte_order"] == "big"
    little = write({"w.weight": (2, 3)}, "x")
    data = bytearray(little.read_bytes())
    data[4] = 2
    little.write_bytes(data)
    assert _read(little).metadata["gguf.version"] == "2"


def test_version_1_is_refused_by_name(write: Callable[..., Path]) -> None:
    path = write({"w.weight": (2, 3)}, "x")
    data = bytearray(path.read_bytes())
    data[4] = 1
    path.write_bytes(data)
    with pytest.raises(UnreadableFileError, match="version 1"):
        _read(path)


def test_a_decoder_has_kinds_axes_and_heads(llama: Callable[..., Path]) -> None:
    model = _read(llama())
    found = {layer.path: (layer.kind, dict(layer.attributes)) for layer in model.layers}
    assert found == {
        "token_embd": ("embedding", {"num_embeddings": 101, "embedding_dim": 40}),
        "blk.0.attn_norm": ("rms_norm", {"normalized_shape": (40,), "eps": 1e-5}),
        "blk.0.attn_q": (
            "linear",
            {"in_features": 40, "out_features": 48, "num_heads": 6, "head_dim": 8},
        ),
        "blk.0.attn_k": (
            "linear",
            {"in_features": 40, "out_features": 16, "num_kv_heads": 2, "head_dim": 8},
        ),
        "blk.0.attn_v": (
            "linear",
            {"in_features": 40, "out_features": 18, "num_kv_heads": 2, "head_dim": 9},
        ),
        "blk.0.attn_output": ("linear", {"in_features": 54, "out_features": 40}),
        "blk.0.ffn_norm": ("rms_norm", {"normalized_shape": (40,), "eps": 1e-5}),
        "blk.0.ffn_gate": ("linear", {"in_features": 40, "out_features": 80}),
        "blk.0.ffn_up": ("linear", {"in_features": 40, "out_features": 80}),
        "blk.0.ffn_down": ("linear", {"in_features": 80, "out_features": 40}),
        "output_norm": ("rms_norm", {"normalized_shape": (40,), "eps": 1e-5}),
    }
    assert [layer.path for layer in model.layers] == list(found)
    assert [note.text for note in model.notes if not note.held] == [
        "there is no output.weight: the output projection is tied to token_embd.weight"
    ]


def test_blocks_stand_in_the_order_of_their_numbers(llama: Callable[..., Path]) -> None:
    shapes = {f"blk.{number}.attn_norm.weight": (40,) for number in (10, 2, 0)}
    model = _read(llama({"output.weight": (101, 40), **shapes, "token_embd.weight": (101, 40)}))
    assert [layer.path for layer in model.layers] == [
        "token_embd",
        "blk.0.attn_norm",
        "blk.2.attn_norm",
        "blk.10.attn_norm",
        "output",
    ]
    assert not [note for note in model.notes if "tied" in note.text]
    assert [note.text for note in model.notes if not note.fault] == [
        "the metadata states 1 blocks (llama.block_count), but the file holds 3, numbered up to 10"
    ]


@pytest.mark.parametrize(
    ("stated", "about", "text"),
    [
        ({"embedding_length": 39}, "token_embd", "embedding_dim = 40"),
        ({"vocab_size": 102}, "token_embd", "num_embeddings = 101"),
        ({"feed_forward_length": 79}, "blk.0.ffn_gate", "out_features = 80"),
        ({"attention__head_count": 5}, "blk.0.attn_q", "out_features = 48"),
        ({"attention__head_count": 5}, "blk.0.attn_output", "in_features = 54"),
        ({"attention__head_count_kv": 3}, "blk.0.attn_k", "out_features = 16"),
        ({"attention__key_length": 7}, "blk.0.attn_k", "states 14"),
        ({"attention__value_length": 8}, "blk.0.attn_v", "out_features = 18"),
    ],
)
def test_metadata_that_contradicts_the_tensors_is_a_finding(
    llama: Callable[..., Path], stated: dict[str, int], about: str, text: str
) -> None:
    assert any(note.about == about and text in note.text for note in _read(llama(**stated)).notes)


def test_heads_may_differ_from_block_to_block(llama: Callable[..., Path]) -> None:
    shapes = {"blk.0.attn_q.weight": (24, 40), "blk.1.attn_q.weight": (32, 40)}
    model = _read(llama(shapes, attention__head_count=[3, 4], block_count=2))
    assert [layer.attributes["num_heads"] for layer in model.layers] == [3, 4]
    assert not any(note.about for note in model.notes)


@pytest.mark.parametrize(
    ("rms", "centered", "bias", "kind"),
    [
        (True, False, False, "rms_norm"),
        (False, True, False, "layer_norm"),
        (False, True, True, "layer_norm"),
        (True, True, False, "unknown"),
        (False, False, True, "unknown"),
        (True, False, True, "unknown"),
    ],
)
def test_a_norm_is_what_the_metadata_proves(
    write: Callable[..., Path], rms: bool, centered: bool, bias: bool, kind: str
) -> None:
    def more(writer: gguf.GGUFWriter) -> None:
        writer.add_block_count(1)
        if rms:
            writer.add_layer_norm_rms_eps(1e-6)
        if centered:
            writer.add_layer_norm_eps(1e-5)

    shapes = {"output_norm.weight": (7,)} | ({"output_norm.bias": (7,)} if bias else {})
    layer = _layers(write(shapes, "x", more))["output_norm"]
    assert layer.kind == kind
    assert layer.candidates == (("layer_norm", "rms_norm") if kind == "unknown" else ())
    assert layer.attributes.get("eps") == {"rms_norm": 1e-6, "layer_norm": 1e-5}.get(kind)


def test_experts_are_linear_layers_side_by_side(llama: Callable[..., Path]) -> None:
    layer = _layers(llama({"blk.0.ffn_up_exps.weight": (4, 11, 7)}))["blk.0.ffn_up_exps"]
    assert (layer.kind, dict(layer.attributes)) == (
        "linear",
        {"in_features": 7, "out_features": 11, "num_experts": 4},
    )
    assert layer.weights[0].layout is not None
    assert layer.weights[0].layout.native == "expert o i"


def test_names_prove_nothing_without_an_architecture_and_its_blocks(write: Callable[..., Path]) -> None:
    model = _read(write({"output.weight": (5, 3), "stem.weight": (5, 3, 7, 11)}, "sd"))
    assert [(layer.kind, layer.candidates) for layer in model.layers] == [
        ("unknown", ()),
        ("unknown", ("conv", "conv_transpose")),
    ]
    assert [note.text for note in model.notes] == [
        "the metadata names no architecture with a block count, so the tensor names prove no kinds"
    ]


def test_a_standard_name_of_the_wrong_rank_proves_nothing(llama: Callable[..., Path]) -> None:
    layer = _layers(llama({"blk.0.attn_q.weight": (5, 3, 7)}))["blk.0.attn_q"]
    assert (layer.kind, layer.weights[0].layout) == ("unknown", None)


def test_patch_embedding_is_a_convolution(write: Callable[..., Path]) -> None:
    path = write(
        {"v.patch_embd.weight": (9, 3, 5, 7)}, "clip", lambda w: w.add_uint32("clip.vision.block_count", 2)
    )
    layer = _layers(path)["v.patch_embd"]
    assert (layer.kind, layer.attributes["kernel_size"]) == ("conv", (5, 7))
    assert (layer.attributes["in_channels"], layer.attributes["out_channels"]) == (3, 9)


def test_lora_pairs_are_one_layer(write: Callable[..., Path]) -> None:
    def more(writer: gguf.GGUFWriter) -> None:
        writer.add_type("adapter")
        writer.add_float32("adapter.lora.alpha", 16)

    shapes = {"blk.0.attn_q.weight.lora_a": (4, 40), "blk.0.attn_q.weight.lora_b": (48, 4)}
    model = _read(write(shapes, "llama", more))
    assert [(layer.path, layer.kind) for layer in model.layers] == [("blk.0.attn_q", "lora")]
    assert [w.layout.native for w in model.layers[0].weights if w.layout] == ["r i", "o r"]
    assert model.notes == ()
    assert dict(model.layers[0].attributes) == {
        "rank": 4,
        "in_features": 40,
        "out_features": 48,
        "alpha": 16.0,
    }


def test_a_split_model_is_read_from_any_part(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "x", split_max_tensors=2)
    for index in range(5):
        writer.add_tensor(f"t{index}.weight", np.zeros((index + 1,), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    parts = sorted(tmp_path.glob("*.gguf"))
    assert len(parts) == 3
    for part in parts:
        weights = [layer.weights[0] for layer in _read(part).layers]
        assert sorted(weight.shape for weight in weights) == [(1,), (2,), (3,), (4,), (5,)]
        assert len([weight for weight in weights if weight.where is None]) < 3
    parts[1].unlink()
    model = _read(parts[0])
    assert len(model.layers) == 3
    assert "of 3 parts 1 is missing, such as m-00002-of-00003.gguf" in [note.text for note in model.notes]
    moved = parts[0].rename(tmp_path / "first.gguf")
    assert "one of 3 parts of a model" in _read(moved).notes[0].text


def test_a_file_of_metadata_alone(write: Callable[..., Path]) -> None:
    model = _read(write({}, "x"))
    assert model.layers == ()
    assert [note.text for note in model.notes] == ["the file holds metadata and no tensors"]


def test_a_large_vocabulary_costs_little_memory(write: Callable[..., Path]) -> None:
    words = [f"word{index}" for index in range(128_000)]
    path = write({"w.weight": (2, 3)}, "x", lambda writer: writer.add_token_list(words))
    source = from_path(path)
    read_header(source)
    tracemalloc.start()
    header = read_header(source)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert header.fields["tokenizer.ggml.tokens"] == Array("string", 128_000, None)
    assert peak < 1_000_000
