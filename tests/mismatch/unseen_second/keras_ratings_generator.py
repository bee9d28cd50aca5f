# Predicts ratings from one-hot users and items; the data comes from a generator.
import keras
import numpy as np
from keras import layers

USERS, ITEMS, GENRES = 43, 82, 19


def load_ratings(rng, count):
    """Triples of user, item and stars."""
    return [(int(rng.integers(USERS)), int(rng.integers(ITEMS)), float(rng.integers(1, 6))) for _ in range(count)]


def item_genres(rng):
    return (rng.random((ITEMS, GENRES)) < 0.15).astype("float32")


def vector(user, item, genres):
    """One row: who, what, and of what kind."""
    u_vec, i_vec = np.zeros(USERS, "float32"), np.zeros(ITEMS, "float32")
    u_vec[user] = 1
    i_vec[item] = 1
    return np.concatenate([u_vec, i_vec, genres[item]])


def create_model(dim):
    return keras.Sequential([
        keras.Input((dim,), name="rating_vector"),
        layers.Dense(20, activation="relu", name="first"),
        layers.BatchNormalization(),
        layers.Dense(20, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(20, activation="relu"),
        layers.Dense(1),
    ])


def objective_function(y_true, y_pred):
    return keras.losses.mean_squared_logarithmic_error(y_true, y_pred)


def batch_generator(ratings, genres):
    while True:
        for user, item, stars in ratings:
            yield vector(user, item, genres), np.array([stars], "float32")


keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
genres = item_genres(rng)
train, test = load_ratings(rng, 300), load_ratings(rng, 60)
model = create_model(USERS + ITEMS + GENRES)
model.compile(optimizer="adam", loss=objective_function)
model.fit(batch_generator(train, genres), steps_per_epoch=20, epochs=1, verbose=0)
X_test = np.stack([vector(u, i, genres) for u, i, _ in test])
print("error", model.evaluate(X_test, np.array([[s] for _, _, s in test]), verbose=0) >= 0)
