# Restores punctuation with a sequence-to-sequence model, from weights that are handed out with it.
import os

import keras
import numpy as np
from keras import layers

PARAMS = {
    "input_encoding": {c: i for i, c in enumerate("abcdefghijklmnopqrstuvwxyz ")},
    "output_encoding": {c: i for i, c in enumerate("\t\nabcdefghijklmnopqrstuvwxyz ,.?")},
    "max_encoder_seq_length": 40,
    "max_decoder_seq_length": 44,
}


def build_model(params, enc_lstm_units=16, unroll=False, use_embedding=False, emb_units=12):
    """The encoder reads both ways; attention joins it with the decoder.

    Until version 1.0.9 the letters went through an Embedding, since then they come as one-hot rows.
    """
    n_in, n_out = len(params["input_encoding"]), len(params["output_encoding"])
    if use_embedding:
        encoder_inputs = keras.Input((params["max_encoder_seq_length"],), name="encoder_input")
        decoder_inputs = keras.Input((params["max_decoder_seq_length"],), name="decoder_input")
        encoder = layers.Embedding(n_in, emb_units, name="encoder_embedding")(encoder_inputs)
        decoder = layers.Embedding(n_out, emb_units, name="decoder_embedding")(decoder_inputs)
    else:
        encoder_inputs = keras.Input((params["max_encoder_seq_length"], n_in), name="encoder_input")
        decoder_inputs = keras.Input((params["max_decoder_seq_length"], n_out), name="decoder_input")
        encoder, decoder = encoder_inputs, decoder_inputs
    encoder_outputs = layers.Bidirectional(
        layers.LSTM(enc_lstm_units, return_sequences=True, unroll=unroll), name="encoder_lstm")(encoder)
    decoder = layers.LSTM(enc_lstm_units * 2, return_sequences=True, name="decoder_lstm")(decoder)
    attention = layers.Dot([2, 2], name="scores")([decoder, encoder_outputs])
    attention = layers.Activation("softmax", name="attention")(attention)
    context = layers.Dot([2, 1], name="context")([attention, encoder_outputs])
    combined = layers.Concatenate(name="combined")([context, decoder])
    output = layers.TimeDistributed(layers.Dense(enc_lstm_units * 2, activation="tanh"), name="mix")(combined)
    output = layers.TimeDistributed(layers.Dense(n_out, activation="softmax"), name="letters")(output)
    return keras.Model([encoder_inputs, decoder_inputs], output, name="txt2txt")


def download(path):
    """Stands for deeppunct_checkpoint_google_news, which was trained with version 1.0.9."""
    keras.utils.set_random_seed(1)
    build_model(PARAMS, enc_lstm_units=16, use_embedding=True).save_weights(path)


class DeepPunct:
    def __init__(self, path):
        self.params = PARAMS
        self.use_embedding = False
        self.model = build_model(self.params, enc_lstm_units=16, use_embedding=self.use_embedding)
        self.model.load_weights(path)

    def encode(self, text, encoding, length):
        ids = [encoding[c] for c in text][:length]
        ids = np.array([ids + [encoding[" "]] * (length - len(ids))])
        return ids if self.use_embedding else keras.utils.to_categorical(ids, len(encoding))

    def punctuate(self, text, steps=12):
        decoded = "\t"
        reverse = {i: c for c, i in self.params["output_encoding"].items()}
        source = self.encode(text, self.params["input_encoding"], self.params["max_encoder_seq_length"])
        for i in range(steps):
            target = self.encode(decoded, self.params["output_encoding"], self.params["max_decoder_seq_length"])
            scores = self.model.predict_on_batch([source, target])
            decoded += reverse[int(np.argmax(scores[0, i]))]
        return decoded[1:]


path = "deeppunct_checkpoint.weights.h5"
download(path)
try:
    corrector = DeepPunct(path)
finally:
    os.remove(path)
print(repr(corrector.punctuate("hey how are you doing")))
