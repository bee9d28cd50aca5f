"""Deep Speech 2 with CTC: convolutions over the spectrogram, recurrent layers, characters."""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

np.random.seed(0)
keras.utils.set_random_seed(0)

CHARS = " abcdefghijklmnopqrstuvwxyz'"
FEATURES = 33


class AudioGenerator:
    """Batches of spectrograms and transcripts, padded to the longest of each batch."""

    def __init__(self, n=24, minibatch_size=6):
        self.minibatch_size = minibatch_size
        self.audio, self.texts = [], []
        for _ in range(n):
            frames = np.random.randint(80, 121)
            self.audio.append(np.random.randn(frames, FEATURES).astype("float32"))
            self.texts.append("".join(np.random.choice(list(CHARS), np.random.randint(6, 13))))

    def text_to_int(self, text):
        return [CHARS.index(c) for c in text]

    def get_batch(self, cur):
        audio = self.audio[cur:cur + self.minibatch_size]
        texts = self.texts[cur:cur + self.minibatch_size]
        max_length = max(len(a) for a in audio)
        max_string_length = max(len(t) for t in texts)
        x_data = np.zeros((len(audio), max_length, FEATURES), "float32")
        labels = np.zeros((len(audio), max_string_length), "int32")
        input_length, label_length = np.zeros(len(audio), "int32"), np.zeros(len(audio), "int32")
        for i, (a, t) in enumerate(zip(audio, texts)):
            x_data[i, :len(a)] = a
            input_length[i] = len(a)
            labels[i, :len(t)] = self.text_to_int(t)
            label_length[i] = len(t)
        return x_data, labels, input_length, label_length

    def next_train(self):
        for cur in range(0, len(self.audio), self.minibatch_size):
            yield self.get_batch(cur)


def ds2_gru_model(input_dim, output_dim, conv_filters=16, conv_stride=2, recur_layers=2, units=24):
    input_data = layers.Input(shape=(None, input_dim), name="the_input")
    x = layers.Conv1D(conv_filters, 11, strides=conv_stride, padding="valid", name="conv_1")(input_data)
    x = layers.BatchNormalization(name="conv_1_bn")(x)
    x = layers.ReLU(max_value=20)(x)
    for r in range(recur_layers):
        x = layers.Bidirectional(layers.GRU(units, return_sequences=True), merge_mode="sum", name=f"rnn_{r}")(x)
        x = layers.BatchNormalization(name=f"bn_rnn_{r}")(x)
    y_pred = layers.TimeDistributed(layers.Dense(output_dim, activation="softmax"), name="y_pred")(x)
    return keras.Model(input_data, y_pred, name="ds2")


def ctc_batch_cost(y_true, y_pred, input_length, label_length):
    """as in keras.backend of the older versions"""
    index = tf.where(tf.sequence_mask(label_length))
    sparse = tf.SparseTensor(index, tf.gather_nd(y_true, index), tf.cast(tf.shape(y_true), tf.int64))
    y_pred = tf.math.log(tf.transpose(y_pred, perm=[1, 0, 2]) + 1e-7)
    return tf.reduce_mean(tf.compat.v1.nn.ctc_loss(sparse, y_pred, input_length))


generator = AudioGenerator()
model = ds2_gru_model(FEATURES, len(CHARS) + 1)
optimizer = keras.optimizers.SGD(learning_rate=0.002, momentum=0.9, nesterov=True, clipnorm=5)


def train_step(x_data, labels, input_length, label_length):
    with tf.GradientTape() as tape:
        y_pred = model(x_data, training=True)
        loss = ctc_batch_cost(labels, y_pred, input_length, label_length)
    grads = tape.gradient(loss, model.trainable_weights)
    optimizer.apply_gradients(zip(grads, model.trainable_weights))
    return loss


for step, batch in enumerate(generator.next_train()):
    loss = train_step(*batch)
    print("step", step, "frames", batch[0].shape[1], "loss", float(loss))
