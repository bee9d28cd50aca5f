"""One small valid file of every format, written by the framework that owns it."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import struct
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

FLAX = Path(__file__).parents[1] / "flax" / "data"


@dataclass(frozen=True)
class Sample:
    """A model, and the file of it that is damaged.

    Args:
        show: what ``shapeinspect show`` is given, relative to ``folder``.
        damaged: the file whose bytes are changed; the same one unless ``show`` is a directory.
        folder: holds all files of the model and nothing else.
        slow: whether a process is started for each reading.
        starts: whether a process is started for some readings.
    """

    folder: Path
    show: str
    damaged: str
    slow: bool = False
    starts: bool = False


class Samples(Mapping[str, Sample]):
    """Every format, each in a directory of its own, written when the first of its family is asked for.

    Args:
        folder: where the directories go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[str, Sample] = {}

    def __getitem__(self, name: str) -> Sample:
        if name not in self._made:
            family = next(names for names in FAMILIES if name in names)
            FAMILIES[family](self._place)
            assert set(family) <= set(self._made)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return (name for family in FAMILIES for name in family)

    def __len__(self) -> int:
        return sum(map(len, FAMILIES))

    def _place(
        self, name: str, show: str, damaged: str = "", *, slow: bool = False, starts: bool = False
    ) -> Path:
        home = self._folder / name
        home.mkdir()
        self._made[name] = Sample(home, show, damaged or show, slow, slow or starts)
        return home / show


Place = Callable[..., Path]


def _torch(place: Place) -> None:
    import torch
    import torch.distributed.checkpoint as dcp
    from torch import nn

    torch.manual_seed(3)
    net = nn.Sequential()
    net.add_module("conv", nn.Conv2d(3, 5, (3, 2)))
    net.add_module("norm", nn.BatchNorm2d(5))
    net.add_module("flat", nn.Flatten())
    net.add_module("fc", nn.Linear(5 * 5 * 6, 7))
    net.eval()
    state = net.state_dict()
    torch.save({"model": state, "epoch": 3, "optimizer": {"lr": 0.5}}, place("torch-zip", "m.pt"))
    torch.save(state, place("torch-legacy", "m.pt"), _use_new_zipfile_serialization=False)
    torch.save(net, place("torch-module", "m.pt"))
    torch.jit.trace(net, torch.zeros(1, 3, 7, 7)).save(place("torchscript", "m.pt"))
    batch = torch.export.Dim("batch", min=2, max=64)
    program = torch.export.export(net, (torch.zeros(2, 3, 7, 7),), dynamic_shapes=({0: batch},))
    torch.export.save(program, place("torch-export", "m.pt2"))
    dcp.save(state, checkpoint_id=place("torch-distributed", ".", ".metadata"), no_dist=True)
    _legacy_tar(place("torch-tar", "m.pt"))


def _legacy_tar(path: Path) -> None:
    """Write the container of torch before 0.1.10: three pickles and raw data in a tar archive."""
    import torch

    weight = torch.zeros(3, 5)
    storages, tensors, pickled = io.BytesIO(), io.BytesIO(), io.BytesIO()
    pickle.dump(1, storages, 2)
    pickle.dump((11, "cpu", torch.FloatStorage), storages, 2)
    storages.write(struct.pack("<Q", 15) + bytes(60))
    pickle.dump([], storages, 2)
    pickle.dump(1, tensors, 2)
    pickle.dump((1, 11, torch.FloatTensor), tensors, 2)
    tensors.write(struct.pack("<ii2q2qq", 2, 0, 3, 5, 5, 1, 0))

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj: object) -> str | None:
            return "1" if obj is weight else None

    Pickler(pickled, 2).dump({"fc.weight": weight})
    with tarfile.open(path, "w") as archive:
        for name, content in (("storages", storages), ("tensors", tensors), ("pickle", pickled)):
            info = tarfile.TarInfo(name)
            info.size = len(content.getvalue())
            archive.addfile(info, io.BytesIO(content.getvalue()))


def _safetensors(place: Place) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    fc = {"fc.weight": np.zeros((3, 5), np.float32), "fc.bias": np.zeros(3, np.float32)}
    save_file(fc, place("safetensors", "m.safetensors"), {"format": "pt"})
    home = place("safetensors-index", ".", "model.safetensors.index.json")
    homes = {}
    for number in range(2):
        tensors = {f"l.{number}.weight": np.zeros((3 + number, 5), np.float32)}
        save_file(tensors, home / f"part-{number}.safetensors", {"format": "pt"})
        homes |= dict.fromkeys(tensors, f"part-{number}.safetensors")
    index = {"metadata": {"total_size": 140}, "weight_map": homes}
    (home / "model.safetensors.index.json").write_text(json.dumps(index))
    home = place("huggingface-config", ".", "config.json")
    save_file(
        {"model.layers.0.self_attn.q_proj.weight": np.zeros((48, 40), np.float32)},
        home / "model.safetensors",
        {"format": "pt"},
    )
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 40,
              "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 8, "vocab_size": 101,
              "num_hidden_layers": 1, "intermediate_size": 80}  # fmt: skip
    (home / "config.json").write_text(json.dumps(config))
    home = place("peft-adapter", ".", "adapter_config.json")
    pair = {
        "base_model.model.q_proj.lora_A.weight": np.zeros((4, 40), np.float32),
        "base_model.model.q_proj.lora_B.weight": np.zeros((48, 4), np.float32),
    }
    save_file(pair, home / "adapter_model.safetensors", {"format": "pt"})
    told = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"], "bias": "none"}
    (home / "adapter_config.json").write_text(json.dumps(told))


def _keras(place: Place) -> None:
    import keras
    from keras import layers
    from keras.src.saving import saving_lib

    keras.utils.set_random_seed(3)
    net = keras.Sequential(
        [keras.Input((8, 9, 3)), layers.Conv2D(5, (3, 2)), layers.Flatten(), layers.Dense(7)]
    )
    net.save(place("keras", "m.keras", slow=True))
    net.save(place("keras-h5", "m.h5", slow=True))
    net.save_weights(place("keras-weights", "m.weights.h5", slow=True))
    net.save_weights(place("keras-shards", "m.weights.json", slow=True), max_shard_size=6.5e-6)  # two files
    saving_lib.save_model(net, place("keras-npz", "m.keras"), weights_format="npz")


def _tensorflow(place: Place) -> None:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    class Net(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kernel = tf.Variable(tf.zeros((3, 2, 4, 5)), name="kernel")
            self.bias = tf.Variable(tf.zeros(5), name="bias")

        @tf.function(input_signature=[tf.TensorSpec((None, 9, 8, 4))])
        def __call__(self, x: tf.Tensor) -> tf.Tensor:
            return tf.nn.relu(tf.nn.conv2d(x, self.kernel, 1, "SAME") + self.bias)

    net = Net()
    tf.train.Checkpoint(net=net).write(str(place("tf-checkpoint", "ck.index").with_suffix("")))
    tf.saved_model.save(net, str(place("tf-saved-model", ".", "saved_model.pb")), signatures=net.__call__)
    function = net.__call__.get_concrete_function()
    graph = convert_variables_to_constants_v2(function).graph.as_graph_def()
    place("tf-graph", "m.pb").write_bytes(graph.SerializeToString())
    lite = tf.lite.TFLiteConverter.from_concrete_functions([function], net).convert()
    place("tflite", "m.tflite").write_bytes(lite)


def _onnx(place: Place) -> None:
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper, save

    path = place("onnx", "m.onnx")
    weights = [
        numpy_helper.from_array(np.zeros((5, 3, 3, 2), np.float32), "conv.weight"),
        numpy_helper.from_array(np.array([0, -1], np.int64), "shape"),
        numpy_helper.from_array(np.zeros((5 * 6 * 8, 7), np.float32), "fc.weight"),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "conv.weight"], ["c"], "conv", pads=[0, 0, 0, 0]),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        helper.make_node("Reshape", ["r", "shape"], ["f"], "flat"),
        helper.make_node("MatMul", ["f", "fc.weight"], ["y"], "fc"),
    ]
    ends = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 8, 9])]
    out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "g", ends, out, weights)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def _gguf(place: Place) -> None:
    import gguf
    import numpy as np

    writer = gguf.GGUFWriter(place("gguf", "m.gguf"), "llama")
    writer.add_block_count(1)
    writer.add_embedding_length(40)
    writer.add_custom_alignment(64)
    writer.add_array("tokenizer.ggml.tokens", ["a", "b", "c"])
    writer.add_array("tokenizer.ggml.scores", [0.5, 1.5, 2.5])
    writer.add_bool("x.flag", True)
    writer.add_float64("x.wide", 2.5)
    writer.add_tensor("token_embd.weight", np.zeros((101, 40), np.float32))
    writer.add_tensor("blk.0.attn_q.weight", np.zeros((48, 40), np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _flax(place: Place) -> None:
    shutil.copy(FLAX / "net.msgpack", place("flax-msgpack", "m.msgpack"))
    for name in ("zarr3", "ocdbt"):
        home = place(f"orbax-{name}", ".", "_METADATA", starts=True)
        shutil.copytree(FLAX / name, home, dirs_exist_ok=True)


def _numpy(place: Place) -> None:
    import numpy as np

    arrays = {"dense/kernel": np.zeros((3, 5)), "dense/bias": np.zeros(5)}
    np.savez(place("npz", "m.npz"), **arrays)
    np.savez_compressed(place("npz-deflated", "m.npz"), **arrays)
    np.save(place("npy", "m.npy"), np.zeros((3, 5), np.float32))


#: What each of them writes.
FAMILIES: dict[tuple[str, ...], Callable[[Place], None]] = {
    ("torch-zip", "torch-legacy", "torch-module", "torchscript", "torch-export", "torch-distributed",
     "torch-tar"): _torch,
    ("safetensors", "safetensors-index", "huggingface-config", "peft-adapter"): _safetensors,
    ("keras", "keras-h5", "keras-weights", "keras-shards", "keras-npz"): _keras,
    ("tf-checkpoint", "tf-saved-model", "tf-graph", "tflite"): _tensorflow,
    ("onnx",): _onnx,
    ("gguf",): _gguf,
    ("flax-msgpack", "orbax-zarr3", "orbax-ocdbt"): _flax,
    ("npz", "npz-deflated", "npy"): _numpy,
}  # fmt: skip
