"""Pictures, measurements and words in one network, fed by a PyDataset that reads rows of a table."""
import keras
import numpy as np
from keras import layers

IMAGE = (18, 26, 3)
SENSORS, STEPS = 4, 11
WORDS, NOTE_LEN = 40, 9
GRADES = 3


class Rows(keras.utils.PyDataset):
    def __init__(self, table, batch_size=4, **kwargs):
        super().__init__(**kwargs)
        self.table, self.batch_size = table, batch_size

    def __len__(self):
        return int(np.ceil(len(self.table) / self.batch_size))

    def __getitem__(self, index):
        rows = self.table[index * self.batch_size : (index + 1) * self.batch_size]
        pictures, series, notes = np.zeros((len(rows), *IMAGE), "float32"), [], []
        for place, row in enumerate(rows):
            rng = np.random.default_rng(row)
            pictures[place] = rng.random(IMAGE)
            series.append(rng.normal(size=(STEPS, SENSORS)))
            note = rng.integers(1, WORDS, rng.integers(3, NOTE_LEN))
            notes.append(np.pad(note, (0, NOTE_LEN - len(note))))
        grades = keras.utils.to_categorical(rows % GRADES, GRADES)
        prices = (rows * 0.5).reshape(-1, 1)
        return (pictures, np.stack(series), np.array(notes)), {"grade": grades, "price": prices}


def picture_branch(x):
    x = layers.Conv2D(6, 3, activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.SeparableConv2D(10, 3, padding="same", activation="relu")(x)
    gate = layers.Dense(10, activation="sigmoid")(layers.GlobalAveragePooling2D()(x))
    x = layers.multiply([x, layers.Reshape((1, 1, 10))(gate)])
    return layers.Flatten()(x)


def series_branch(x):
    x = layers.Conv1D(8, 3, padding="causal")(x)
    skip = layers.Conv1D(8, 1)(x)
    x = layers.add([layers.Conv1D(8, 3, dilation_rate=2, padding="causal")(x), skip])
    return layers.LSTM(7)(x)


picture = keras.Input(IMAGE, name="picture")
series = keras.Input((STEPS, SENSORS), name="series")
note = keras.Input((NOTE_LEN,), name="note")
words = layers.Embedding(WORDS, 5)(note)
words = layers.GlobalMaxPooling1D()(layers.Conv1D(6, 2)(words))
features = layers.concatenate([picture_branch(picture), series_branch(series), words])
features = layers.Dropout(0.2)(layers.Dense(16, activation="relu")(features))
grade = layers.Dense(GRADES, activation="softmax", name="grade")(features)
price = layers.Dense(1, name="price")(features)
model = keras.Model([picture, series, note], {"grade": grade, "price": price})
model.compile("adam", loss={"grade": "categorical_crossentropy", "price": "mse"})
rows = Rows(np.arange(14))
model.fit(rows, epochs=1, verbose=0)
found = model.predict(rows, verbose=0)
print("grade", found["grade"].shape, "price", found["price"].shape)
