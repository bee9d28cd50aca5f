# Maps sequences of digits to sequences of digits; the encoder reads both ways.
import keras
import numpy as np
from keras import layers

VOCAB_SIZE = 11
PAD, EOS = 0, 1
INPUT_EMBEDDING_SIZE = 18
ENCODER_HIDDEN_UNITS = 20
DECODER_HIDDEN_UNITS = ENCODER_HIDDEN_UNITS


def random_sequences(rng, count, length_from, length_to):
    lengths = rng.integers(length_from, length_to + 1, count)
    return [rng.integers(2, VOCAB_SIZE, n).tolist() for n in lengths]


def batch(sequences, max_length=None):
    length = max_length or max(map(len, sequences))
    out = np.full((len(sequences), length), PAD, "int32")
    for row, sequence in zip(out, sequences):
        row[: len(sequence)] = sequence
    return out


def encoder(inputs):
    x = layers.Embedding(VOCAB_SIZE, INPUT_EMBEDDING_SIZE, name="encoder_embedding")(inputs)
    x = layers.Dropout(0.1)(x)
    _, fw_h, fw_c, bw_h, bw_c = layers.Bidirectional(
        layers.LSTM(ENCODER_HIDDEN_UNITS, return_state=True), name="encoder_rnn"
    )(x)
    state_h = layers.Concatenate(name="final_h")([fw_h, bw_h])
    state_c = layers.Concatenate(name="final_c")([fw_c, bw_c])
    return [state_h, state_c]


def decoder(inputs, states):
    x = layers.Embedding(VOCAB_SIZE, INPUT_EMBEDDING_SIZE, name="decoder_embedding")(inputs)
    outputs, _, _ = layers.LSTM(
        DECODER_HIDDEN_UNITS, return_sequences=True, return_state=True, name="plain_decoder"
    )(x, initial_state=states)
    return layers.Dense(VOCAB_SIZE, name="logits")(outputs)


def build_model():
    encoder_inputs = keras.Input((None,), dtype="int32", name="encoder_inputs")
    decoder_inputs = keras.Input((None,), dtype="int32", name="decoder_inputs")
    return keras.Model([encoder_inputs, decoder_inputs], decoder(decoder_inputs, encoder(encoder_inputs)))


keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
sequences = random_sequences(rng, 40, 3, 8)
enc = batch(sequences)
dec_in = batch([[EOS, *s] for s in sequences])
dec_out = batch([[*s, EOS] for s in sequences])
model = build_model()
model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), optimizer="adam")
model.fit([enc, dec_in], dec_out, batch_size=8, epochs=1, verbose=0)
print("done")
