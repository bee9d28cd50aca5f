"""Steering from the camera of a simulator: a small AlexNet with its images in channels first."""
import numpy as np
from keras.layers import Activation, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from keras.models import Sequential

np.random.seed(0)


class SimulatorEnv:
    """stands for the simulator, whose camera gives (3, 72, 128)"""

    n_actions = 5

    def shape(self):
        return (3, 72, 128)

    def observe(self):
        return np.random.randint(0, 255, self.shape()).astype("float32") / 255.0

    def record(self, n):
        """n frames of a human driver and what he did"""
        frames = np.array([self.observe() for _ in range(n)])
        actions = np.eye(self.n_actions)[np.random.randint(0, self.n_actions, n)]
        return frames, actions


env = SimulatorEnv()
rgb = env.shape()  # this is (3, 72, 128)
# one picture at a time
rgb_shape = (1,) + rgb

rgb_model = Sequential()
rgb_model.add(Conv2D(12, (11, 11), strides=(3, 3), padding="valid", activation="relu",
                     input_shape=rgb_shape, data_format="channels_first"))
rgb_model.add(MaxPooling2D(pool_size=(3, 3), strides=(2, 2), data_format="channels_first"))
rgb_model.add(Conv2D(24, (5, 5), padding="same", activation="relu", data_format="channels_first"))
rgb_model.add(MaxPooling2D(pool_size=(3, 3), strides=(2, 2), data_format="channels_first"))
rgb_model.add(Conv2D(24, (3, 3), padding="same", activation="relu", data_format="channels_first"))
rgb_model.add(Flatten(data_format="channels_first"))
rgb_model.add(Dense(32))
rgb_model.add(Activation("tanh"))
rgb_model.add(Dropout(0.5))
rgb_model.add(Dense(env.n_actions))
rgb_model.add(Activation("softmax"))
rgb_model.summary()

rgb_model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
frames, actions = env.record(16)
rgb_model.fit(frames, actions, epochs=1, batch_size=8, verbose=2)

frame = env.observe()
steering = rgb_model.predict(np.expand_dims(frame, 0), verbose=0)
print("steering", steering.argmax())
