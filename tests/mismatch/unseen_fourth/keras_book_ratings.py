# Recommends books: embeddings of books and users, multiplied; trained on a table of ratings.
import keras
import numpy as np
from keras.layers import Dense, Dot, Embedding, Flatten, Input
from keras.models import Model

N_BOOKS, N_USERS = 60, 45


def read_csv(n=900):
    """Columns book_id, user_id and rating of ratings.csv; the ids in the file are counted from one."""
    rng = np.random.default_rng(0)
    book_id = np.concatenate([np.arange(1, N_BOOKS + 1), rng.integers(1, N_BOOKS + 1, n - N_BOOKS)])
    user_id = np.concatenate([np.arange(1, N_USERS + 1), rng.integers(1, N_USERS + 1, n - N_USERS)])
    rating = rng.integers(1, 6, n)
    return {"book_id": book_id, "user_id": user_id, "rating": rating}


def train_test_split(table, test_size, seed):
    order = np.random.default_rng(seed).permutation(len(table["rating"]))
    cut = int(len(order) * (1 - test_size))
    return ({name: column[part] for name, column in table.items()} for part in (order[:cut], order[cut:]))


dataset = read_csv()
train, test = train_test_split(dataset, test_size=0.2, seed=42)
n_users = len(np.unique(dataset["user_id"]))
n_books = len(np.unique(dataset["book_id"]))

keras.utils.set_random_seed(0)
# creating book embedding path
book_input = Input(shape=(1,), name="Book-Input")
book_embedding = Embedding(n_books, 5, name="Book-Embedding")(book_input)
book_vec = Flatten(name="Flatten-Books")(book_embedding)

# creating user embedding path
user_input = Input(shape=(1,), name="User-Input")
user_embedding = Embedding(n_users, 5, name="User-Embedding")(user_input)
user_vec = Flatten(name="Flatten-Users")(user_embedding)

# performing dot product and creating model
prod = Dot(name="Dot-Product", axes=1)([book_vec, user_vec])
out = Dense(1, name="Rating")(prod)
model = Model([user_input, book_input], out)
model.compile("adam", "mean_squared_error")

history = model.fit([train["user_id"], train["book_id"]], train["rating"], batch_size=48, epochs=2, verbose=0)
print("loss", round(history.history["loss"][-1], 2))
score = model.evaluate([test["user_id"], test["book_id"]], test["rating"], verbose=0)

# making recommendations for user
book_data = np.array(sorted(set(dataset["book_id"])))
user = np.array([1 for _ in range(len(book_data))])
predictions = model.predict([user, book_data], verbose=0)[:, 0]
recommended_book_ids = book_data[(-predictions).argsort()[:5]]
print("test", round(score, 2), "recommended", len(recommended_book_ids))
