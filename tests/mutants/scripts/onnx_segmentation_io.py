"""Segmentation of tiles by a session with a baked tile, and the stitching of their masks."""
import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

TILE_H = 16
TILE_W = 24
BANDS = 4
CLASSES = 3
rng = np.random.default_rng(5)


def tensor(name, *shape):
    return numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name)


def build(batch=2):
    nodes = [
        helper.make_node("Conv", ["tile", "k1"], ["a"], name="enc", strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"], name="relu"),
        helper.make_node("ConvTranspose", ["b", "k2"], ["up"], name="dec", strides=[2, 2]),
        helper.make_node("Concat", ["up", "tile"], ["both"], name="skip", axis=1),
        helper.make_node("Conv", ["both", "k3"], ["logits"], name="out"),
        helper.make_node("ArgMax", ["logits"], ["mask"], name="argmax", axis=1, keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "unet",
        [helper.make_tensor_value_info("tile", TensorProto.FLOAT, [batch, BANDS, TILE_H, TILE_W])],
        [helper.make_tensor_value_info("mask", TensorProto.INT64, None)],
        [tensor("k1", 7, BANDS, 3, 3), tensor("k2", 7, 5, 2, 2), tensor("k3", CLASSES, 5 + BANDS, 1, 1)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def tiles_of(image):
    for top in range(0, image.shape[0], TILE_H):
        for left in range(0, image.shape[1], TILE_W):
            yield top, left, image[top : top + TILE_H, left : left + TILE_W]


session = ort.InferenceSession(build().SerializeToString())
image = rng.random((48, 72, BANDS))
result = np.zeros((48, 72), dtype=np.uint8)
pending = list(tiles_of(image))[:8]
for i in range(0, len(pending), 2):
    group = pending[i : i + 2]
    batch = np.stack([tile for _, _, tile in group]).transpose(0, 3, 1, 2).astype(np.float32)
    masks = session.run(["mask"], {"tile": batch})[0]
    for (top, left, _), mask in zip(group, masks):
        result[top : top + TILE_H, left : left + TILE_W] = mask
print("result", result.shape, "masks", masks.shape)
