"""Captions for photos of a test folder, with the model and the tokenizer of an earlier training."""
import os
import pickle
import tempfile

import keras
import numpy as np
from keras import layers

np.random.seed(4)
keras.utils.set_random_seed(4)

config = {
    "model_data_path": tempfile.mkdtemp(),
    "model_load_path": "model_inceptionv3_epoch-01.keras",
    "test_data_path": "test_data",
    # Maximum length of captions
    "max_length": 40,
    "beam_search_k": 3,
    "embedding_size": 16,
    "lstm_units": 24,
}


# ---------------------------------------------------------------- train_val.py
def captions(n=30, words=60, longest=33):
    """startseq ... endseq, as numbers"""
    out = []
    for i in range(n):
        length = longest - 2 if i == 0 else np.random.randint(5, longest - 2)
        out.append([1, *np.random.randint(3, words, length), 2])
    return out


def calculate_max_length(caps):
    return max(len(c) for c in caps)


def pad(seq, maxlen):
    return [0] * (maxlen - len(seq)) + list(seq[-maxlen:])


def rnn_model(vocab_size, max_len):
    image_input = layers.Input(shape=(64,))
    image_model = layers.Dense(config["embedding_size"], activation="relu")(layers.Dropout(0.5)(image_input))
    caption_input = layers.Input(shape=(max_len,))
    c = layers.Embedding(vocab_size, config["embedding_size"], mask_zero=False)(caption_input)
    c = layers.LSTM(config["lstm_units"])(layers.Dropout(0.5)(c))
    x = layers.concatenate([layers.Dense(config["lstm_units"], activation="relu")(image_model), c])
    output = layers.Dense(vocab_size, activation="softmax")(layers.Dense(32, activation="relu")(x))
    model = keras.Model(inputs=[image_input, caption_input], outputs=output)
    model.compile(loss="sparse_categorical_crossentropy", optimizer="adam")
    return model


def training():
    caps = captions()
    max_len = calculate_max_length(caps)
    vocab_size = 60
    features = np.random.rand(len(caps), 64).astype("float32")
    x1, x2, y = [], [], []
    for f, cap in zip(features, caps):
        for i in range(1, len(cap)):
            x1.append(f)
            x2.append(pad(cap[:i], max_len))
            y.append(cap[i])
    model = rnn_model(vocab_size, max_len)
    model.fit([np.array(x1), np.array(x2)], np.array(y), batch_size=128, epochs=1, verbose=0)
    model.save(os.path.join(config["model_data_path"], config["model_load_path"]))
    with open(os.path.join(config["model_data_path"], "tokenizer.pkl"), "wb") as f:
        pickle.dump({i: f"w{i}" for i in range(vocab_size)}, f)


training()
print("The training was successful.")


# ---------------------------------------------------------------- test.py
def extract_features(filename):
    return np.random.rand(1, 64).astype("float32")


def generate_caption_beam_search(model, tokenizer, image, max_length, beam_index=3):
    start_word = [[[1], 0.0]]
    while len(start_word[0][0]) < max_length:
        temp = []
        for s in start_word:
            par_caps = np.array([pad(s[0], max_length)])
            preds = model.predict([image, par_caps], verbose=0)
            for w in np.argsort(preds[0])[-beam_index:]:
                temp.append([s[0] + [int(w)], s[1] + float(np.log(preds[0][w] + 1e-12))])
        start_word = sorted(temp, key=lambda v: v[1])[-beam_index:]
        if all(s[0][-1] == 2 for s in start_word) or len(start_word[0][0]) > 4:
            break
    return " ".join(tokenizer[i] for i in start_word[-1][0])


with open(os.path.join(config["model_data_path"], "tokenizer.pkl"), "rb") as f:
    tokenizer = pickle.load(f)
max_length = config["max_length"]
caption_model = keras.models.load_model(os.path.join(config["model_data_path"], config["model_load_path"]))
for image_file in ["2377.jpg", "2378.jpg"]:
    image = extract_features(os.path.join(config["test_data_path"], image_file))
    print(image_file, generate_caption_beam_search(caption_model, tokenizer, image, max_length, config["beam_search_k"]))
