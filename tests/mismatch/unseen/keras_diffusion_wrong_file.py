# Loads the three parts of a small latent diffusion model from their files.
import os
import tempfile

import keras
import numpy as np
from keras import layers


def image_encoder():
    inp = keras.Input((64, 64, 3))
    x = inp
    for i, filters in enumerate((16, 32, 48)):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", activation="swish", name=f"down{i}")(x)
        x = layers.GroupNormalization(8, name=f"down{i}_norm")(x)
    return keras.Model(inp, layers.Conv2D(4, 1, name="quant")(x), name="vae_encoder")


def diffusion_model():
    latent, t = keras.Input((8, 8, 4)), keras.Input((40,))
    emb = layers.Dense(64, activation="swish", name="time1")(t)
    emb = layers.Dense(64, name="time2")(emb)
    x = layers.Conv2D(64, 3, padding="same", name="in_conv")(latent)
    for i in range(4):
        h = layers.GroupNormalization(8, name=f"res{i}_norm1")(x)
        h = layers.Conv2D(64, 3, padding="same", name=f"res{i}_conv1")(h)
        e = layers.Reshape((1, 1, 64), name=f"res{i}_shape")(layers.Dense(64, name=f"res{i}_emb")(emb))
        h = layers.Add(name=f"res{i}_plus")([h, e])
        h = layers.GroupNormalization(8, name=f"res{i}_norm2")(h)
        h = layers.Conv2D(64, 3, padding="same", name=f"res{i}_conv2")(h)
        x = layers.Add(name=f"res{i}_add")([x, h])
    return keras.Model([latent, t], layers.Conv2D(4, 3, padding="same", name="out_conv")(x), name="diffusion")


def decoder():
    inp = keras.Input((8, 8, 4))
    x = layers.Conv2D(48, 1, name="post_quant")(inp)
    for i, filters in enumerate((48, 32, 16)):
        x = layers.Conv2DTranspose(filters, 4, strides=2, padding="same", activation="swish", name=f"up{i}")(x)
    return keras.Model(inp, layers.Conv2D(3, 3, padding="same", name="to_rgb")(x), name="decoder")


class StableDiffusion:
    def __init__(self, folder):
        self.encoder, self.diffusion, self.decoder = image_encoder(), diffusion_model(), decoder()
        self.encoder.load_weights(os.path.join(folder, "vae_encoder.h5"))
        self.diffusion.load_weights(os.path.join(folder, "vae_encoder.h5"))
        self.decoder.load_weights(os.path.join(folder, "decoder.h5"))

    def reconstruct(self, images, t):
        latent = self.encoder.predict(images, verbose=0)
        noise = self.diffusion.predict([latent, t], verbose=0)
        return self.decoder.predict(latent - 0.1 * noise, verbose=0)


with tempfile.TemporaryDirectory() as folder:
    image_encoder().save(os.path.join(folder, "vae_encoder.h5"))
    diffusion_model().save(os.path.join(folder, "kcv_diffusion_model.h5"))
    decoder().save(os.path.join(folder, "decoder.h5"))
    pipeline = StableDiffusion(folder)
pictures = pipeline.reconstruct(np.random.rand(2, 64, 64, 3), np.random.rand(2, 40))
print(pictures.shape)
