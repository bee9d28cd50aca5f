# Writes captions: a network for pictures and an LSTM for the words before.
import keras
import numpy as np
from keras import layers


def build_vgg(include_top=True, classes=100, width=4):
    """A network of the shape of VGG16, small; its fully connected layers have 256 units."""
    model = keras.Sequential([keras.Input((64, 64, 3))], name="vgg16")
    for block, (filters, convs) in enumerate([(width, 2), (width * 2, 2), (width * 4, 3), (width * 8, 3)]):
        for i in range(convs):
            model.add(layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"block{block}_conv{i}"))
        model.add(layers.MaxPooling2D(name=f"block{block}_pool"))
    if include_top:
        model.add(layers.Flatten(name="flatten"))
        model.add(layers.Dense(256, activation="relu", name="fc1"))
        model.add(layers.Dense(256, activation="relu", name="fc2"))
        model.add(layers.Dense(classes, activation="softmax", name="predictions"))
    return model


def define_model(vocab_size, max_length):
    inputs1 = keras.Input((256,), name="photo")
    fe1 = layers.Dropout(0.5)(inputs1)
    fe2 = layers.Dense(48, activation="relu")(fe1)
    inputs2 = keras.Input((max_length,), name="words")
    se1 = layers.Embedding(vocab_size, 32, mask_zero=True)(inputs2)
    se2 = layers.Dropout(0.5)(se1)
    se3 = layers.LSTM(48)(se2)
    decoder = layers.Dense(48, activation="relu")(layers.Add()([fe2, se3]))
    return keras.Model([inputs1, inputs2], layers.Dense(vocab_size, activation="softmax")(decoder))


def extract_features(image):
    model = build_vgg()
    model = keras.Model(inputs=model.inputs, outputs=model.layers[-1].output)
    image = image.reshape((1, image.shape[0], image.shape[1], image.shape[2]))
    return model.predict(image, verbose=0)


def word_for_id(integer, index_word):
    return index_word.get(integer)


def generate_desc(model, word_index, index_word, photo, max_length):
    in_text = "startseq"
    for _ in range(max_length):
        sequence = [word_index[w] for w in in_text.split()]
        sequence = keras.utils.pad_sequences([sequence], maxlen=max_length)
        y_pred = model.predict([photo, sequence], verbose=0)
        word = word_for_id(int(np.argmax(y_pred)), index_word)
        if word is None or word == "endseq":
            break
        in_text += " " + word
    return in_text


keras.utils.set_random_seed(0)
words = ["startseq", "endseq", "a", "dog", "runs", "over", "the", "grass", "child", "plays", "with", "ball", "red"]
word_index = {w: i + 1 for i, w in enumerate(words)}
index_word = {i: w for w, i in word_index.items()}
max_length = 9
caption_model = define_model(len(words) + 1, max_length)
caption_model.compile(loss="categorical_crossentropy", optimizer="adam")
photo = extract_features(np.random.default_rng(0).random((64, 64, 3), dtype="float32"))
print(generate_desc(caption_model, word_index, index_word, photo, max_length))
