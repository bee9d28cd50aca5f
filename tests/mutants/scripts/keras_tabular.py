"""Several inputs by name: categories, numbers and a text; two outputs with two losses."""
import keras
import numpy as np
from keras import layers

NUM_TAGS = 7
NUM_WORDS = 60
NUM_DEPARTMENTS = 4

title_input = keras.Input(shape=(12,), name="title")
store_input = keras.Input(shape=(1,), name="store", dtype="int32")
tags_input = keras.Input(shape=(NUM_TAGS,), name="tags")

title_features = layers.Embedding(NUM_WORDS, 16)(title_input)
title_features = layers.Conv1D(10, 3, padding="valid", activation="relu")(title_features)
title_features = layers.GlobalMaxPooling1D()(title_features)
store_features = layers.Embedding(9, 5)(store_input)
store_features = layers.Reshape((5,))(store_features)
numbers = layers.Normalization(axis=-1)
numbers.adapt(np.random.rand(20, NUM_TAGS).astype("float32"))
tag_features = numbers(tags_input)

x = layers.concatenate([title_features, store_features, tag_features])
x = layers.Dense(18, activation="relu")(x)
priority_pred = layers.Dense(1, name="priority", activation="sigmoid")(x)
department_pred = layers.Dense(NUM_DEPARTMENTS, name="department")(x)
model = keras.Model(
    inputs={"title": title_input, "store": store_input, "tags": tags_input},
    outputs={"priority": priority_pred, "department": department_pred},
)
model.compile(
    optimizer="rmsprop",
    loss={
        "priority": keras.losses.BinaryCrossentropy(),
        "department": keras.losses.CategoricalCrossentropy(from_logits=True),
    },
    loss_weights={"priority": 1.0, "department": 0.2},
)
keras.utils.set_random_seed(0)
features = {
    "title": np.random.randint(NUM_WORDS, size=(24, 12)),
    "store": np.random.randint(9, size=(24, 1)),
    "tags": np.random.randint(2, size=(24, NUM_TAGS)).astype("float32"),
}
targets = {
    "priority": np.random.rand(24, 1).round(),
    "department": np.eye(NUM_DEPARTMENTS)[np.random.randint(0, NUM_DEPARTMENTS, 24)],
}
model.fit(features, targets, epochs=1, batch_size=8, verbose=0)
result = model.predict(features, verbose=0)
print("department", result["department"].shape, "priority", result["priority"].shape)
