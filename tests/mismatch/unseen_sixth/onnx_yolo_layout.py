"""Detects objects in a frame with a network that was converted from TensorFlow to ONNX."""
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(1)
INPUT_SIZE = 96
CLASSES = ["plate", "car", "person"]
MODEL = "yolov4.onnx"


def convert(path):
    """What the converter leaves of the network: transposes around the convolutions, a grid of boxes at the end."""
    def w(name, *shape):
        return numpy_helper.from_array((rng.normal(size=shape) * 0.1).astype(np.float32), name)

    out = 4 + 1 + len(CLASSES)
    nodes = [
        helper.make_node("Transpose", ["input_1:0"], ["nchw"], perm=[0, 3, 1, 2], name="Conv2D__6"),
        helper.make_node("Conv", ["nchw", "w1"], ["c1"], kernel_shape=[3, 3], strides=[4, 4], pads=[1, 1, 1, 1], name="conv2d/Conv2D"),
        helper.make_node("LeakyRelu", ["c1"], ["r1"], alpha=0.1, name="leaky_re_lu"),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], kernel_shape=[3, 3], strides=[4, 4], pads=[1, 1, 1, 1], name="conv2d_1/Conv2D"),
        helper.make_node("Transpose", ["c2"], ["nhwc"], perm=[0, 2, 3, 1], name="Conv2D__9"),
        helper.make_node("Sigmoid", ["nhwc"], ["Identity:0"], name="sigmoid"),
    ]
    graph = helper.make_graph(
        nodes, "tf2onnx",
        [helper.make_tensor_value_info("input_1:0", TensorProto.FLOAT, ["N", INPUT_SIZE, INPUT_SIZE, 3])],
        [helper.make_tensor_value_info("Identity:0", TensorProto.FLOAT, None)],
        [w("w1", 12, 3, 3, 3), w("w2", out, 12, 3, 3)])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def read_frame(height=120, width=168):
    """A frame of the camera, BGR, 8 bit."""
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def image_preprocess(image, target_size):
    """Letterbox: keep the ratio, gray at the sides."""
    ih, iw = target_size
    h, w, _ = image.shape
    scale = min(iw / w, ih / h)
    nw, nh = int(scale * w), int(scale * h)
    rows = (np.arange(nh) / scale).astype(int)
    cols = (np.arange(nw) / scale).astype(int)
    padded = np.full((ih, iw, 3), 128.0)
    dw, dh = (iw - nw) // 2, (ih - nh) // 2
    padded[dh:nh + dh, dw:nw + dw] = image[rows][:, cols]
    return padded / 255.0


def postprocess(grid, threshold=0.5):
    boxes = []
    for row, col in zip(*np.where(grid[0, ..., 4] > threshold)):
        cell = grid[0, row, col]
        boxes.append((row, col, *cell[:4].round(2), CLASSES[int(cell[5:].argmax())]))
    return boxes


convert(MODEL)
original_image = read_frame()
image_data = image_preprocess(original_image[..., ::-1], [INPUT_SIZE, INPUT_SIZE])
image_data = np.transpose(image_data, (2, 0, 1))
image_data = image_data[np.newaxis, ...].astype(np.float32)

sess = ort.InferenceSession(MODEL, providers=["CPUExecutionProvider"])
input_name = sess.get_inputs()[0].name
outputs = [o.name for o in sess.get_outputs()]
detections = sess.run(outputs, {input_name: image_data})
print("grid", detections[0].shape, "boxes", len(postprocess(detections[0])))
