"""Writes English names in katakana, letter by letter: encoder and decoder of LSTMs."""
import keras
import numpy as np
from keras.layers import LSTM, Bidirectional, Dense, Embedding, Input, TimeDistributed
from keras.models import Model

keras.utils.set_random_seed(0)

NAMES = [("anna", "アンナ"), ("john", "ジョン"), ("maria", "マリア"), ("peter", "ピーター"), ("emma", "エマ"), ("smith", "スミス"),
         ("lisa", "リサ"), ("tom", "トム"), ("martin", "マーティン"), ("alice", "アリス")]
INPUT_LENGTH, OUTPUT_LENGTH, UNITS = 8, 7, 32
START = 1


def encoding(texts):
    letters = sorted({c for t in texts for c in t})
    return {c: i + 2 for i, c in enumerate(letters)}


input_encoding, output_encoding = encoding([n for n, _ in NAMES]), encoding([k for _, k in NAMES])
input_dict_size, output_dict_size = len(input_encoding) + 2, len(output_encoding) + 2


def transform(table, texts, length):
    rows = np.zeros((len(texts), length), dtype="int32")
    for i, t in enumerate(texts):
        for j, c in enumerate(t[:length]):
            rows[i, j] = table.get(c, 0)
    return rows


def create_model():
    encoder_input = Input(shape=(INPUT_LENGTH,))
    decoder_input = Input(shape=(OUTPUT_LENGTH,))

    encoder = Embedding(input_dict_size, 20, mask_zero=False)(encoder_input)
    encoder = Bidirectional(LSTM(UNITS, return_sequences=True))(encoder)

    decoder = Embedding(output_dict_size, 20, mask_zero=False)(decoder_input)
    decoder = LSTM(UNITS * 2, return_sequences=True)(decoder, initial_state=[encoder, encoder])
    decoder = TimeDistributed(Dense(output_dict_size, activation="softmax"))(decoder)

    model = Model(inputs=[encoder_input, decoder_input], outputs=[decoder])
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    return model


def write(model, name):
    """Greedily, one sign after the other."""
    encoder_input = transform(input_encoding, [name], INPUT_LENGTH)
    decoder_input = np.zeros((1, OUTPUT_LENGTH), dtype="int32")
    decoder_input[:, 0] = START
    for i in range(1, OUTPUT_LENGTH):
        decoder_input[:, i] = model.predict([encoder_input, decoder_input], verbose=0)[:, i - 1].argmax(1)
    signs = {i: c for c, i in output_encoding.items()}
    return "".join(signs.get(i, "") for i in decoder_input[0, 1:])


encoder_data = transform(input_encoding, [n for n, _ in NAMES], INPUT_LENGTH)
target = transform(output_encoding, [k for _, k in NAMES], OUTPUT_LENGTH)
decoder_data = np.zeros_like(target)
decoder_data[:, 1:] = target[:, :-1]
decoder_data[:, 0] = START

seq2seq_model = create_model()
history = seq2seq_model.fit([encoder_data, decoder_data], target, batch_size=5, epochs=2, verbose=0)
print("loss", history.history["loss"])
print("john", write(seq2seq_model, "john"))
