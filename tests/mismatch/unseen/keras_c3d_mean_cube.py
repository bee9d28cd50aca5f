# Features of sports videos with C3D: the mean of the training videos is subtracted first.
import keras
import numpy as np
from keras import layers


def c3d_features(w=8):
    model = keras.Sequential(name="c3d")
    model.add(keras.Input((16, 112, 112, 3)))
    model.add(layers.Conv3D(w, 3, activation="relu", padding="same", name="conv1"))
    model.add(layers.MaxPooling3D((1, 2, 2), name="pool1"))
    model.add(layers.Conv3D(w * 2, 3, activation="relu", padding="same", name="conv2"))
    model.add(layers.MaxPooling3D((2, 2, 2), name="pool2"))
    model.add(layers.Conv3D(w * 4, 3, activation="relu", padding="same", name="conv3a"))
    model.add(layers.MaxPooling3D((2, 2, 2), name="pool3"))
    model.add(layers.Conv3D(w * 4, 3, activation="relu", padding="same", name="conv4a"))
    model.add(layers.MaxPooling3D((2, 2, 2), name="pool4"))
    model.add(layers.Flatten())
    model.add(layers.Dense(128, activation="relu", name="fc6"))
    return model


def load_means():
    """The mean cube as Caffe stores it: channels, frames, height, width."""
    return np.random.default_rng(1).random((3, 16, 128, 171)).astype("float32") * 255


def preprocess_clip(frames, mean_cube):
    clip = frames.astype("float32")
    clip = clip - mean_cube
    return clip[:, 8:120, 30:142, :]


rng = np.random.default_rng(0)
video = rng.integers(0, 256, (48, 128, 171, 3), dtype=np.uint8)
mean_cube = load_means()
model = c3d_features()
features = []
for start in range(0, len(video), 16):
    clip = preprocess_clip(video[start : start + 16], mean_cube)
    features.append(model.predict(clip[None], verbose=0)[0])
print(np.array(features).shape)
