"""A conditional GAN whose step is a tf.function."""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

BATCH = 6
NOISE_DIM = 15
CLASSES = 4


def make_generator():
    noise = layers.Input(shape=(NOISE_DIM,))
    label = layers.Input(shape=(1,), dtype="int32")
    li = layers.Embedding(CLASSES, 10)(label)
    li = layers.Dense(7 * 9)(li)
    li = layers.Reshape((7, 9, 1))(li)
    gen = layers.Dense(7 * 9 * 8, use_bias=False)(noise)
    gen = layers.LeakyReLU()(gen)
    gen = layers.Reshape((7, 9, 8))(gen)
    merge = layers.Concatenate()([gen, li])
    gen = layers.Conv2DTranspose(8, (4, 4), strides=(2, 2), padding="same")(merge)
    gen = layers.LeakyReLU()(gen)
    out = layers.Conv2D(1, (5, 5), activation="tanh", padding="same")(gen)
    return keras.Model([noise, label], out)


def make_discriminator(in_shape=(14, 18, 1)):
    label = layers.Input(shape=(1,), dtype="int32")
    li = layers.Embedding(CLASSES, 10)(label)
    li = layers.Dense(in_shape[0] * in_shape[1])(li)
    li = layers.Reshape((in_shape[0], in_shape[1], 1))(li)
    image = layers.Input(shape=in_shape)
    x = layers.Concatenate()([image, li])
    x = layers.Conv2D(8, (3, 3), strides=(2, 2), padding="same")(x)
    x = layers.LeakyReLU()(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(0.4)(x)
    return keras.Model([image, label], layers.Dense(1)(x))


keras.utils.set_random_seed(0)
generator, discriminator = make_generator(), make_discriminator()
cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
g_opt, d_opt = keras.optimizers.Adam(1e-4), keras.optimizers.Adam(1e-4)


@tf.function
def train_step(images, labels):
    noise = tf.random.normal([BATCH, NOISE_DIM])
    with tf.GradientTape() as gen_tape, tf.GradientTape() as disc_tape:
        fake = generator([noise, labels], training=True)
        real_output = discriminator([images, labels], training=True)
        fake_output = discriminator([fake, labels], training=True)
        gen_loss = cross_entropy(tf.ones_like(fake_output), fake_output)
        disc_loss = cross_entropy(tf.ones((BATCH, 1)), real_output) + cross_entropy(tf.zeros((BATCH, 1)), fake_output)
    g_grads = gen_tape.gradient(gen_loss, generator.trainable_variables)
    d_grads = disc_tape.gradient(disc_loss, discriminator.trainable_variables)
    g_opt.apply_gradients(zip(g_grads, generator.trainable_variables))
    d_opt.apply_gradients(zip(d_grads, discriminator.trainable_variables))
    return fake


images = np.random.rand(12, 14, 18, 1).astype("float32")
labels = np.random.randint(0, CLASSES, (12, 1)).astype("int32")
for batch_images, batch_labels in tf.data.Dataset.from_tensor_slices((images, labels)).batch(BATCH):
    fake = train_step(batch_images, batch_labels)
print("fake", tuple(fake.shape))
