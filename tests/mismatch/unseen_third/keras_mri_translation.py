# Translates slices of one kind of scan into another with a cycle-consistent GAN.
import keras
import numpy as np
from keras import layers

IMAGE_SHAPE = (54, 45, 1)


def ck(x, filters, normalize=True, stride=2):
    x = layers.Conv2D(filters, 4, strides=stride, padding="same")(x)
    if normalize:
        x = layers.GroupNormalization(groups=-1)(x)
    return layers.LeakyReLU(negative_slope=0.2)(x)


def residual(x, filters):
    h = layers.Conv2D(filters, 3, padding="same")(x)
    h = layers.Activation("relu")(layers.GroupNormalization(groups=-1)(h))
    h = layers.GroupNormalization(groups=-1)(layers.Conv2D(filters, 3, padding="same")(h))
    return layers.Add()([x, h])


class CycleGAN:
    def __init__(self, lr_D=2e-4, lr_G=2e-4, image_shape=IMAGE_SHAPE):
        self.img_shape = image_shape
        self.lambda_1, self.lambda_D = 10.0, 1.0
        self.D_A, self.D_B = self.model_discriminator("D_A"), self.model_discriminator("D_B")
        for discriminator in (self.D_A, self.D_B):
            discriminator.compile(keras.optimizers.Adam(lr_D, beta_1=0.5), loss="mse")
        self.G_A2B, self.G_B2A = self.model_generator("G_A2B"), self.model_generator("G_B2A")
        self.opt_G = keras.optimizers.Adam(lr_G, beta_1=0.5)

    def model_discriminator(self, name):
        image = keras.Input(self.img_shape, name=f"{name}_input")
        x = ck(image, 8, normalize=False)
        x = ck(x, 12)
        x = ck(x, 16, stride=1)
        x = layers.Conv2D(1, 4, padding="same")(x)
        return keras.Model(image, x, name=name)

    def model_generator(self, name):
        image = keras.Input(self.img_shape, name=f"{name}_input")
        x = layers.Conv2D(8, 7, padding="same", activation="relu")(image)
        x = layers.Conv2D(12, 3, strides=2, padding="same", activation="relu")(x)
        x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(x)
        for _ in range(2):
            x = residual(x, 16)
        x = layers.Conv2DTranspose(12, 3, strides=2, padding="same", activation="relu")(x)
        x = layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu")(x)
        x = layers.Conv2D(self.img_shape[-1], 7, padding="same", activation="tanh")(x)
        return keras.Model(image, x, name=name)

    def run_training_batch(self, real_images_A, real_images_B):
        batch = len(real_images_A)
        ones = np.ones((batch, *self.D_A.output_shape[1:]), "float32")
        zeros = ones * 0
        synthetic_images_B = self.G_A2B.predict(real_images_A, verbose=0)
        synthetic_images_A = self.G_B2A.predict(real_images_B, verbose=0)
        D_A_loss_real = self.D_A.train_on_batch(x=real_images_A, y=ones)
        D_B_loss_real = self.D_B.train_on_batch(x=real_images_B, y=ones)
        D_A_loss_synthetic = self.D_A.train_on_batch(x=synthetic_images_A, y=zeros)
        D_B_loss_synthetic = self.D_B.train_on_batch(x=synthetic_images_B, y=zeros)
        D_A_loss = D_A_loss_real + D_A_loss_synthetic
        D_B_loss = D_B_loss_real + D_B_loss_synthetic
        return D_A_loss, D_B_loss, self.generator_step(real_images_A, real_images_B, ones)

    def generator_step(self, real_A, real_B, ones):
        import tensorflow as tf

        with tf.GradientTape() as tape:
            fake_B, fake_A = self.G_A2B(real_A, training=True), self.G_B2A(real_B, training=True)
            cycle = tf.reduce_mean(tf.abs(self.G_B2A(fake_B) - real_A)) + tf.reduce_mean(
                tf.abs(self.G_A2B(fake_A) - real_B))
            gan = tf.reduce_mean((self.D_B(fake_B) - ones) ** 2) + tf.reduce_mean((self.D_A(fake_A) - ones) ** 2)
            loss = self.lambda_D * gan + self.lambda_1 * cycle
        variables = self.G_A2B.trainable_variables + self.G_B2A.trainable_variables
        self.opt_G.apply_gradients(zip(tape.gradient(loss, variables), variables))
        return float(loss)

    def train(self, A, B, batch_size=2):
        for start in range(0, len(A), batch_size):
            losses = self.run_training_batch(A[start:start + batch_size], B[start:start + batch_size])
        return losses


def create_image_array(n, seed, shape=(54, 45)):
    """Slices as they are read from the folder, scaled to -1 to 1."""
    image_array = np.random.default_rng(seed).random((n, *shape), dtype="float32") * 2 - 1
    return image_array[:, :, :, np.newaxis]


keras.utils.set_random_seed(0)
A_train, B_train = create_image_array(4, 1), create_image_array(4, 2)
GAN = CycleGAN()
print("losses", [round(float(x), 3) for x in GAN.train(A_train, B_train)])
