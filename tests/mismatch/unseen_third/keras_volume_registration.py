# Registers scans to an atlas with a three-dimensional U-Net and warps them by the flow that it finds.
import keras
import numpy as np
from keras import layers


def conv_block(x, filters, strides=1):
    x = layers.Conv3D(filters, 3, padding="same", strides=strides, kernel_initializer="he_normal")(x)
    return layers.LeakyReLU(negative_slope=0.2)(x)


def unet_core(vol_size, enc_nf, dec_nf, full_size=True):
    src = keras.Input((*vol_size, 1), name="src")
    tgt = keras.Input((*vol_size, 1), name="tgt")
    x_in = layers.Concatenate(name="pair")([src, tgt])
    x_enc = [x_in]
    for filters in enc_nf:
        x_enc.append(conv_block(x_enc[-1], filters, 2))
    x = conv_block(x_enc[-1], dec_nf[0])
    x = layers.UpSampling3D(name="up_0")(x)
    x = layers.Concatenate(name="skip_0")([x, x_enc[-2]])
    x = conv_block(x, dec_nf[1])
    x = layers.UpSampling3D(name="up_1")(x)
    x = layers.Concatenate(name="skip_1")([x, x_enc[-3]])
    x = conv_block(x, dec_nf[2])
    x = layers.UpSampling3D(name="up_2")(x)
    x = layers.Concatenate(name="skip_2")([x, x_enc[-4]])
    x = conv_block(conv_block(x, dec_nf[3]), dec_nf[4])
    if full_size:
        x = layers.UpSampling3D(name="up_3")(x)
        x = layers.Concatenate(name="skip_3")([x, x_enc[0]])
        x = conv_block(x, dec_nf[5])
    return keras.Model([src, tgt], x, name="unet")


def miccai2018_net(vol_size, enc_nf, dec_nf):
    unet = unet_core(vol_size, enc_nf, dec_nf, full_size=True)
    flow = layers.Conv3D(3, 3, padding="same", kernel_initializer=keras.initializers.RandomNormal(0, 1e-2),
                         name="flow")(unet.output)
    return keras.Model(unet.inputs, flow, name="registration")


def load_volume(seed, shape=(48, 48, 36)):
    """A scan as it comes from the reader, scaled to 0 to 1."""
    vol = np.random.default_rng(seed).random(shape, dtype="float32")
    for axis in range(3):
        vol = (vol + np.roll(vol, 1, axis) + np.roll(vol, -1, axis)) / 3
    return vol[np.newaxis, ..., np.newaxis]


def nn_warp(vol, flow):
    grid = np.stack(np.meshgrid(*[np.arange(s) for s in vol.shape], indexing="ij"), -1)
    at = np.clip(np.rint(grid + flow).astype(int), 0, np.array(vol.shape) - 1)
    return vol[tuple(np.moveaxis(at, -1, 0))]


def dice(a, b, threshold=0.5):
    a, b = a > threshold, b > threshold
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test(atlas, scans, nf_enc=(8, 12, 12, 12), nf_dec=(12, 12, 12, 12, 8, 8)):
    vol_size = atlas.shape[1:-1]
    net = miccai2018_net(vol_size, nf_enc, nf_dec)
    scores = []
    for scan in scans:
        flow = net.predict([scan, atlas], verbose=0)[0]
        scores.append(dice(nn_warp(scan[0, ..., 0], flow), atlas[0, ..., 0]))
    return np.mean(scores)


keras.utils.set_random_seed(0)
atlas_vol = load_volume(0)
print("dice", round(float(test(atlas_vol, [load_volume(1), load_volume(2)])), 3))
