"""A speech classifier on stacked frames, converted for the phone and run there on several frames at once."""
import numpy as np
import tensorflow as tf

tf.random.set_seed(0)
rng = np.random.default_rng(0)

FRAMES, BANDS, LABELS = 11, 40, 7
WINDOW = FRAMES * BANDS  # 440 values


class Net(tf.Module):
    """Convolution over frames and bands, one dense layer."""

    def __init__(self):
        super().__init__()
        self.kernel = tf.Variable(tf.random.normal((3, 8, 1, 6), stddev=0.1))
        self.w = tf.Variable(tf.random.normal((5 * 16 * 6, LABELS), stddev=0.1))
        self.b = tf.Variable(tf.zeros(LABELS))

    @tf.function(input_signature=[tf.TensorSpec([1, WINDOW], tf.float32, name="window")])
    def __call__(self, window):
        x = tf.reshape(window, [1, FRAMES, BANDS, 1])
        x = tf.nn.relu(tf.nn.conv2d(x, self.kernel, strides=[1, 2, 2, 1], padding="VALID"))
        x = x[:, :, :16]
        x = tf.reshape(x, [-1, 5 * 16 * 6])
        return {"probabilities": tf.nn.softmax(tf.matmul(x, self.w) + self.b)}


def convert(path="keyword.tflite"):
    net = Net()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([net.__call__.get_concrete_function()], net)
    with open(path, "wb") as f:
        f.write(converter.convert())
    return path


def stacked_windows(features):
    """All windows of FRAMES frames, hop 5."""
    starts = range(0, len(features) - FRAMES + 1, 5)
    return np.stack([features[s:s + FRAMES].reshape(-1) for s in starts]).astype(np.float32)


def classify(path, windows):
    interpreter = tf.lite.Interpreter(model_path=path)
    inp = interpreter.get_input_details()[0]
    interpreter.resize_tensor_input(inp["index"], windows.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(inp["index"], windows)
    interpreter.invoke()
    out = interpreter.get_output_details()[0]
    return interpreter.get_tensor(out["index"])


path = convert()
features = rng.normal(size=(98, BANDS))
windows = stacked_windows(features)
print("windows", windows.shape)
probabilities = classify(path, windows)
print("word", probabilities.mean(axis=0).argmax(), probabilities.shape)
