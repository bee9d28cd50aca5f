# Segments pictures with a U-Net whose scores a conditional random field smooths by mean-field steps.
import keras
import numpy as np
from keras import layers, ops


class CrfRnnLayer(layers.Layer):
    """Mean-field steps of a dense field over a small neighborhood, weighted by likeness of the pixels."""

    def __init__(self, image_dims, num_classes, theta=0.3, num_iterations=3, **kwargs):
        super().__init__(**kwargs)
        self.image_dims, self.num_classes = image_dims, num_classes
        self.theta, self.num_iterations = theta, num_iterations

    def build(self, input_shape):
        self.spatial_weights = self.add_weight(
            shape=(self.num_classes, self.num_classes), initializer="identity", name="spatial_ker_weights")
        self.compatibility = self.add_weight(
            shape=(self.num_classes, self.num_classes), initializer="identity", name="compatibility_matrix")

    def call(self, inputs):
        unaries = inputs[0][0, :, :, :]
        rgb = inputs[1][0, :, :, :]
        height, width = self.image_dims
        kernels = []
        for shift in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            likeness = ops.sum(ops.square(rgb - ops.roll(rgb, shift, axis=(0, 1))), axis=-1, keepdims=True)
            kernels.append((shift, ops.exp(-likeness / self.theta)))
        q_values = unaries
        for _ in range(self.num_iterations):
            softmax_out = ops.softmax(q_values, axis=-1)
            message = sum(w * ops.roll(softmax_out, s, axis=(0, 1)) for s, w in kernels) / len(kernels)
            message = ops.reshape(message, (-1, self.num_classes))
            pairwise = ops.matmul(ops.matmul(message, self.spatial_weights), self.compatibility)
            q_values = unaries + ops.reshape(pairwise, (height, width, self.num_classes))
        return ops.reshape(q_values, (1, height, width, self.num_classes))

    def compute_output_shape(self, input_shape):
        return input_shape[0]


def decoder_block(x, skip, filters, stage):
    x = layers.UpSampling2D(name=f"decoder_stage{stage}_upsampling")(x)
    if skip is not None:
        x = layers.Concatenate(name=f"decoder_stage{stage}_concat")([x, skip])
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"decoder_stage{stage}a_conv")(x)
    x = layers.BatchNormalization(name=f"decoder_stage{stage}a_bn")(x)
    return layers.Activation("relu", name=f"decoder_stage{stage}a_relu")(x)


def build_unet_crf(size, classes):
    inputs = keras.Input((*size, 3), name="data")
    skips, x = [], inputs
    for i, filters in enumerate((8, 12, 16)):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"encoder_stage{i}_conv")(x)
        skips.append(x)
        x = layers.MaxPooling2D(name=f"encoder_stage{i}_pool")(x)
    x = layers.Conv2D(24, 3, padding="same", activation="relu", name="center")(x)
    for i, (skip, filters) in enumerate(zip(skips[::-1], (16, 12, 8))):
        x = decoder_block(x, skip, filters, i)
    x = layers.Conv2D(classes, 3, padding="same", name="final_conv")(x)
    x = CrfRnnLayer(size, classes, name="crfrnn")([x, inputs])
    x = layers.Activation("softmax", name="probabilities")(x)
    return keras.Model(inputs, x, name="unet_crf")


def custom_loss(y_true, y_pred, gamma=2.0):
    """A focal loss on flat pixels."""
    true, pred = ops.reshape(y_true, (-1,)), ops.clip(ops.reshape(y_pred, (-1,)), 1e-6, 1.0)
    return -ops.mean(true * ops.log(pred) * ops.power(1.0 - pred, gamma))


keras.utils.set_random_seed(0)
size, classes = (32, 40), 3
rng = np.random.default_rng(0)
x_train = rng.random((8, *size, 3), dtype="float32")
y_train = keras.utils.to_categorical(rng.integers(0, classes, (8, *size)), classes)
model = build_unet_crf(size, classes)
model.compile(keras.optimizers.Adam(1e-3), loss=custom_loss)
history = model.fit(x_train, y_train, batch_size=4, epochs=1, verbose=0)
print("loss", round(history.history["loss"][0], 3))
