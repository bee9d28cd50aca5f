# Seven emotions from clips of faces: a MobileNet that was trained on faces sees each frame, an LSTM the sequence.
import keras
import numpy as np
from keras.applications import MobileNet
from keras.layers import LSTM, Dense, Dropout, Input, TimeDistributed
from keras.models import Model

EMOTIONS = ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"]
SIDE = 64


class ClipSequence(keras.utils.PyDataset):
    """Clips of one length, scaled to -1 .. 1; stands for the frames on disk."""

    def __init__(self, n_clips, frames, batch_size, **kwargs):
        super().__init__(**kwargs)
        rng = np.random.default_rng(0)
        self.labels = rng.integers(0, len(EMOTIONS), n_clips)
        self.frames, self.batch_size = frames, batch_size

    def __len__(self):
        return len(self.labels) // self.batch_size

    def read_clip(self, number):
        rng = np.random.default_rng(number)
        clip = rng.integers(0, 256, (self.frames, SIDE, SIDE, 3)).astype("float32")
        return clip / 127.5 - 1

    def __getitem__(self, index):
        numbers = range(index * self.batch_size, (index + 1) * self.batch_size)
        clips = np.stack([self.read_clip(n) for n in numbers])
        return clips, keras.utils.to_categorical(self.labels[list(numbers)], len(EMOTIONS))


def get_face_encoder():
    face_encoder = MobileNet(weights=None, include_top=False, input_shape=(SIDE, SIDE, 3), alpha=0.25)
    # face_encoder.load_weights("vgg2_mobilenet.h5")
    face_encoder.trainable = False
    return face_encoder


def get_model():
    video = Input(shape=(None, SIDE, SIDE, 3), name="video_input")
    face_encoder = get_face_encoder()
    # wrap the cnn into TimeDistributed
    encoded_frame = TimeDistributed(face_encoder)(video)
    encoded_vid = LSTM(32)(encoded_frame)
    encoded_vid = Dropout(0.3)(encoded_vid)
    outputs = Dense(len(EMOTIONS), activation="softmax")(encoded_vid)
    return Model(inputs=[video], outputs=outputs)


keras.utils.set_random_seed(0)
model = get_model()
model.compile(optimizer=keras.optimizers.RMSprop(1e-3), loss="categorical_crossentropy", metrics=["accuracy"])
clips = ClipSequence(n_clips=6, frames=5, batch_size=2)
history = model.fit(clips, epochs=1, verbose=0)
print("loss", round(history.history["loss"][-1], 3))
