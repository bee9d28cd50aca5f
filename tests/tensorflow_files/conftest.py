"""Files that TensorFlow itself writes, once a session, with what TensorFlow says is in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Files:
    """What was written, and TensorFlow's own account of it.

    `shapes` holds, for each graph, the static shape of every operator's outputs by name.
    """

    folder: Path
    variables: Mapping[str, Mapping[str, tuple[int, ...]]]
    shapes: Mapping[str, Mapping[str, list[list[int | None] | None]]]
    arrays: Mapping[str, Any]
    counts: Mapping[str, int]

    def __truediv__(self, name: str) -> Path:
        return self.folder / name


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("tensorflow")
    return _Writer(folder).write()


class _Writer:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shapes: dict[str, dict[str, list[list[int | None] | None]]] = {}

    def write(self) -> Files:
        import keras
        import tensorflow as tf

        keras.utils.set_random_seed(3)
        network = self.network()
        module = self.module()
        self.checkpoints(network, module)
        tf.saved_model.save(module, str(self.folder / "module"), signatures=module.__call__)
        network.export(str(self.folder / "export"), verbose=False)
        arrays = self.frozen("module.pb", module.__call__.get_concrete_function())
        call = tf.function(network).get_concrete_function(tf.TensorSpec((None, 17, 19, 3), tf.float32))
        arrays |= self.frozen("network.pb", call)
        self.lite(network, module)
        prefixes = ("trained/ck-2", "plain/one", "module/variables/variables", "export/variables/variables",
                    "sliced/old")  # fmt: skip
        listed = {
            one: {n: tuple(s) for n, s in tf.train.list_variables(str(self.folder / one))} for one in prefixes
        }
        counts = {
            "network": network.count_params(),
            "trainable": sum(int(tf.size(one)) for one in network.trainable_variables),
            "module": sum(int(tf.size(one)) for one in module.variables),
        }
        return Files(self.folder, listed, self.shapes, arrays, counts)

    def network(self) -> Any:
        import keras
        import tensorflow as tf
        from keras import layers

        network = keras.Sequential(
            [
                keras.Input((17, 19, 3)),
                layers.Conv2D(5, (3, 2), name="c1", strides=2, padding="same", activation="relu"),
                layers.DepthwiseConv2D((3, 2), depth_multiplier=2, name="dw"),
                layers.BatchNormalization(name="bn"),
                layers.Conv2DTranspose(7, (2, 3), strides=2, name="ct"),
                layers.MaxPooling2D((2, 3), name="mp"),
                layers.Dropout(0.25, name="dr"),
                layers.Flatten(name="fl"),
                layers.Dense(11, name="d1"),
            ],
            name="net",
        )
        for seed, weight in enumerate(network.weights):  # zeros may be no bias in a TFLite file
            if len(weight.shape) == 1:
                weight.assign(tf.random.stateless_uniform(weight.shape, (seed, 7)))
        network.compile("adam", "mse")
        network.optimizer.build(network.trainable_variables)
        return network

    def module(self) -> Any:
        import tensorflow as tf

        def variable(name: str, *shape: int, trainable: bool = True) -> Any:
            return tf.Variable(tf.random.normal(shape, seed=5), name=name, trainable=trainable)

        class Module(tf.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv = variable("conv", 3, 2, 4, 10)
                self.grouped = variable("grouped", 2, 3, 5, 6)
                self.deep = variable("deep", 3, 3, 6, 2)
                self.back = variable("back", 2, 2, 9, 12)
                self.norm = [variable(f"norm{i}", 9, trainable=i < 2) for i in range(4)]
                self.matrix = variable("matrix", 13, 9)
                self.table = variable("table", 23, 13)
                self.unused = variable("unused", 2, 29)
                self.tied = self.table

            @tf.function(
                input_signature=[
                    tf.TensorSpec((None, 14, 16, 4), tf.float32, name="image"),
                    tf.TensorSpec((None, 8), tf.int32, name="words"),
                ]
            )
            def __call__(self, image: Any, words: Any) -> Any:
                pad = tf.pad(image, [[0, 0], [1, 2], [0, 3], [0, 0]], name="pad")
                conv = tf.nn.conv2d(
                    pad, self.conv, strides=(2, 1), padding="VALID", dilations=(1, 2), name="conv"
                )
                grouped = tf.nn.conv2d(
                    conv, self.grouped, 1, [[0, 0], [1, 0], [2, 1], [0, 0]], name="grouped"
                )
                deep = tf.nn.depthwise_conv2d(grouped, self.deep, (1, 2, 2, 1), "SAME", name="deep")
                size = tf.stack([tf.shape(deep)[0], 7, 17, 9])  # of 4 and 9, by a stride of 2
                back = tf.nn.conv2d_transpose(deep, self.back, size, 2, "SAME", name="back")
                normal, _, _ = tf.compat.v1.nn.fused_batch_norm(
                    back, *self.norm, epsilon=0.01, is_training=False, name="normal"
                )
                pooled = tf.nn.avg_pool2d(tf.nn.relu6(normal), (3, 2), (2, 3), "SAME", name="pooled")
                resized = tf.image.resize(pooled, (4, 10), "nearest")
                left, right = tf.split(resized, [3, 7], axis=2, name="split")
                joined = tf.concat([right, left], 2, name="joined")
                turned = tf.transpose(joined[:, 1:, ::2, :], (0, 3, 2, 1), name="turned")
                summed = tf.reduce_mean(turned, axis=(2, 3), keepdims=False, name="summed")
                product = tf.matmul(summed, self.matrix, transpose_b=True, name="product")
                found = tf.gather(self.table, words, name="found")
                scores = tf.matmul(found, tf.expand_dims(product, 2), name="scores")
                tied = tf.matmul(product, self.tied, transpose_b=True, name="tied")
                soft = tf.nn.softmax(tf.squeeze(scores, [2]), name="soft")
                return {"soft": soft, "tied": tf.tile(tied, [1, 3], name="tiled"), "best": tf.argmax(soft, 1)}

        return Module()

    def checkpoints(self, network: Any, module: Any) -> None:
        import tensorflow as tf

        training = tf.train.Checkpoint(model=network, optimizer=network.optimizer)
        training.save(str(self.folder / "trained" / "ck"))
        training.save(str(self.folder / "trained" / "ck"))
        tf.train.Checkpoint(net=module).write(str(self.folder / "plain" / "one"))
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            whole = tf.compat.v1.get_variable(
                "dense/kernel", (6, 5), partitioner=tf.compat.v1.fixed_size_partitioner(2)
            )
            tf.compat.v1.get_variable("dense/bias", (5,))
            tf.compat.v1.get_variable("dense/bias/Adam", (5,))
            tf.compat.v1.get_variable("lstm/kernel", (7, 12))
            tf.compat.v1.get_variable("lstm/recurrent_kernel", (3, 12))
            tf.compat.v1.get_variable("half", (4,), tf.bfloat16, tf.compat.v1.zeros_initializer())
            tf.compat.v1.train.create_global_step()
            session.run(tf.compat.v1.global_variables_initializer())
            tf.compat.v1.train.Saver().save(
                session, str(self.folder / "sliced" / "old"), write_meta_graph=False
            )
            del whole

    def frozen(self, name: str, function: Any) -> dict[str, Any]:
        import tensorflow as tf
        from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

        frozen = convert_variables_to_constants_v2(function).graph
        (self.folder / name).write_bytes(frozen.as_graph_def().SerializeToString())
        self.shapes[name] = {
            op.name: [None if out.shape.rank is None else out.shape.as_list() for out in op.outputs]
            for op in frozen.get_operations()
        }
        self.shapes[f"{name} traced"] = {
            op.name: [None if out.shape.rank is None else out.shape.as_list() for out in op.outputs]
            for op in function.graph.get_operations()
        }
        return {
            f"{name}:{op.name}": tf.make_ndarray(op.get_attr("value"))
            for op in frozen.get_operations()
            if op.type == "Const"
        }

    def lite(self, network: Any, module: Any) -> None:
        import numpy as np
        import tensorflow as tf

        rng = np.random.default_rng(7)

        def samples() -> Any:
            for _ in range(2):
                yield [rng.random((1, 17, 19, 3), np.float32)]

        for name, settings in (
            ("float.tflite", {}),
            ("dynamic.tflite", {"optimizations": [tf.lite.Optimize.DEFAULT]}),
            (
                "half.tflite",
                {"optimizations": [tf.lite.Optimize.DEFAULT], "target_spec.supported_types": [tf.float16]},
            ),
            ("int8.tflite", {"optimizations": [tf.lite.Optimize.DEFAULT], "representative_dataset": samples}),
        ):
            converter = tf.lite.TFLiteConverter.from_saved_model(str(self.folder / "export"))
            for key, value in settings.items():
                owner, _, name_of = key.rpartition(".")
                setattr(getattr(converter, owner) if owner else converter, name_of, value)
            (self.folder / name).write_bytes(converter.convert())
        converter = tf.lite.TFLiteConverter.from_saved_model(str(self.folder / "module"))
        (self.folder / "module.tflite").write_bytes(converter.convert())
