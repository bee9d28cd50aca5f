"""Segments cells of four kinds with a U-Net and the weighted Hausdorff distance as its loss."""
import math

import keras
import numpy as np
import tensorflow as tf
from keras import layers

resized_height = 32
resized_width = 32
max_dist = math.sqrt(resized_height**2 + resized_width**2)
n_pixels = resized_height * resized_width
all_img_locations = tf.convert_to_tensor(
    np.stack(np.meshgrid(np.arange(resized_height), np.arange(resized_width), indexing="ij"), -1).reshape(-1, 2),
    dtype=tf.float32,
)
NUM_CLASSES = 4


def tf_repeat(tensor, repeats):
    expanded_tensor = tf.expand_dims(tensor, -1)
    multiples = [1] + repeats
    tiled_tensor = tf.tile(expanded_tensor, multiples=multiples)
    return tf.reshape(tiled_tensor, tf.shape(tensor) * repeats)


def cdist(A, B):
    """The distance of each row of A to each row of B."""
    na = tf.reduce_sum(tf.square(A), 1)[:, None]
    nb = tf.reduce_sum(tf.square(B), 1)[None]
    return tf.sqrt(tf.maximum(na - 2 * tf.matmul(A, B, False, True) + nb, 0.0))


def weighted_hausdorff_distance(w, h, alpha):
    all_locations = all_img_locations

    def hausdorff_loss(y_true, y_pred):
        def loss(y_true, y_pred):
            eps = 1e-6
            gt_points = tf.cast(tf.where(y_true > 0.5)[:, :2], dtype=tf.float32)
            num_gt_points = tf.shape(gt_points)[0]
            p = tf.reshape(y_pred, [-1])
            num_est_pts = tf.reduce_sum(p)
            d_matrix = cdist(all_locations, gt_points)
            term_1 = (1 / (num_est_pts + eps)) * tf.reduce_sum(p * tf.reduce_min(d_matrix, 1))
            p_replicated = tf.repeat(p[:, None], num_gt_points, axis=1)
            weighted = p_replicated * d_matrix + (1 - p_replicated) * max_dist
            d_div_p = tf.reduce_min(weighted + eps, 0)
            term_2 = tf.reduce_mean(d_div_p)
            return term_1 + term_2

        batched_losses = tf.map_fn(lambda x: loss(x[0], x[1]), (y_true, y_pred), fn_output_signature=tf.float32)
        return tf.reduce_mean(batched_losses)

    return hausdorff_loss


def conv_block(x, filters):
    x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    return layers.Conv2D(filters, 3, padding="same", activation="relu")(x)


def build_unet(num_classes):
    inputs = keras.Input((resized_height, resized_width, 3))
    skips, x = [], inputs
    for filters in (8, 12):
        x = conv_block(x, filters)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    x = conv_block(x, 16)
    for filters, skip in zip((12, 8), reversed(skips)):
        x = layers.Conv2DTranspose(filters, 2, strides=2)(x)
        x = conv_block(layers.Concatenate()([x, skip]), filters)
    activation = "softmax" if num_classes > 1 else "sigmoid"
    return keras.Model(inputs, layers.Conv2D(num_classes, 1, activation=activation)(x))


def load_cells(n):
    rng = np.random.default_rng(0)
    images = rng.random((n, resized_height, resized_width, 3), dtype="float32")
    kinds = rng.integers(0, NUM_CLASSES, (n, 8, 8)).repeat(4, 1).repeat(4, 2)
    return images, keras.utils.to_categorical(kinds, NUM_CLASSES)


keras.utils.set_random_seed(0)
x, y = load_cells(6)
model = build_unet(NUM_CLASSES)
model.compile(
    optimizer=keras.optimizers.Adam(1e-3),
    loss=weighted_hausdorff_distance(resized_width, resized_height, 4),
    metrics=["accuracy"],
)
history = model.fit(x, y, batch_size=2, epochs=1, verbose=0)
print("loss", round(history.history["loss"][-1], 3))
