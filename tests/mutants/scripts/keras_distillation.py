"""A small network learns from a large one in a train_step of its own, on a tf.data pipeline."""
import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

HEIGHT, WIDTH = 20, 28
CLASSES = 5
BATCH = 6


def network(width, depth=2):
    inputs = keras.Input((HEIGHT, WIDTH, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    for index in range(depth):
        x = layers.Conv2D(width * (index + 1), 3, strides=2, padding="same", activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(CLASSES)(x))


class Distiller(keras.Model):
    def __init__(self, student, teacher, temperature=3.0, alpha=0.1):
        super().__init__()
        self.student, self.teacher = student, teacher
        self.temperature, self.alpha = temperature, alpha
        self.hard = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.soft = keras.losses.KLDivergence()

    def train_step(self, data):
        x, y = data
        taught = self.teacher(x, training=False)
        with tf.GradientTape() as tape:
            scores = self.student(x, training=True)
            hard = self.hard(y, scores)
            soft = self.soft(
                ops.softmax(taught / self.temperature, axis=1),
                ops.softmax(scores / self.temperature, axis=1),
            )
            loss = self.alpha * hard + (1 - self.alpha) * soft * self.temperature**2
        gradients = tape.gradient(loss, self.student.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.student.trainable_variables))
        return {"loss": loss}

    def call(self, x, training=False):
        return self.student(x, training=training)


def load(index):
    picture = tf.random.stateless_uniform((30, 40, 3), seed=[index, 1], maxval=255.0)
    picture = tf.image.resize(picture, (HEIGHT, WIDTH))
    return picture, tf.cast(index % CLASSES, tf.int32)


def augment(picture, label):
    picture = tf.image.random_flip_left_right(picture)
    padded = tf.image.resize_with_crop_or_pad(picture, HEIGHT + 4, WIDTH + 4)
    return tf.image.random_crop(padded, (HEIGHT, WIDTH, 3)), label


keras.utils.set_random_seed(0)
data = tf.data.Dataset.range(24).map(load).cache()
train = data.take(18).map(augment).shuffle(18).batch(BATCH)
test = data.skip(18).batch(BATCH)
distiller = Distiller(network(4), network(8, depth=3))
distiller.compile(optimizer="adam")
distiller.fit(train, epochs=1, verbose=0)
scores = distiller.predict(test, verbose=0)
labels = np.concatenate([y for _, y in test])
print("scores", scores.shape, "labels", labels.shape, float(np.mean(scores.argmax(1) == labels)) >= 0)
