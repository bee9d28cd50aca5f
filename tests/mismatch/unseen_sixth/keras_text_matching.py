"""Ranking of answers with DRMM: vocabulary by a preprocessor, GloVe vectors loaded into the embedding."""
import keras
import numpy as np
from keras import layers, ops

keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)

QUERIES = ["how do plants make sugar", "where is the highest mountain", "who painted the old bridge", "what do bees eat"]
ANSWERS = ["plants make sugar from light and water", "the highest mountain is in nepal", "nobody knows who painted it",
           "bees eat nectar and pollen", "the bridge was painted in spring", "sugar is sweet"]


class Preprocessor:
    """Numbers of words from 1 on; 0 is for the padding."""

    def __init__(self, left=6, right=8):
        self.context = {"term_index": {}, "left": left, "right": right}

    def fit(self, texts):
        for text in texts:
            for word in text.split():
                self.context["term_index"].setdefault(word, len(self.context["term_index"]) + 1)
        self.context["vocab_size"] = len(self.context["term_index"])

    def transform(self, texts, length):
        index = self.context["term_index"]
        rows = [[index.get(w, 0) for w in t.split()][:length] for t in texts]
        return np.array([r + [0] * (length - len(r)) for r in rows], dtype="int32")


class GloVe:
    def __init__(self, words, dimension):
        self.vectors = {w: rng.normal(size=dimension).astype("float32") for w in words if len(w) > 2}
        self.dimension = dimension

    def build_matrix(self, term_index):
        matrix = rng.uniform(-0.2, 0.2, (len(term_index) + 1, self.dimension)).astype("float32")
        for word, index in term_index.items():
            if word in self.vectors:
                matrix[index] = self.vectors[word]
        return matrix


class Histogram(layers.Layer):
    """Counts, for each word of the query, the similarities to the words of the answer in bins."""

    def __init__(self, bins, **kwargs):
        super().__init__(**kwargs)
        self.bins = bins

    def call(self, inputs):
        q, d = inputs
        q = q / (ops.norm(q, axis=-1, keepdims=True) + 1e-6)
        d = d / (ops.norm(d, axis=-1, keepdims=True) + 1e-6)
        sim = ops.matmul(q, ops.transpose(d, (0, 2, 1)))
        centers = ops.linspace(-1.0, 1.0, self.bins)
        return ops.sum(ops.exp(-10 * ops.square(sim[..., None] - centers)), axis=2)

    def compute_output_shape(self, input_shape):
        return (*input_shape[0][:2], self.bins)


class DRMM:
    def __init__(self):
        self.params = {"embedding_output_dim": 20, "hist_bin_size": 11, "mlp_num_units": 5}

    def build(self):
        p = self.params
        query, doc = layers.Input((p["left"],), dtype="int32"), layers.Input((p["right"],), dtype="int32")
        embedding = layers.Embedding(p["embedding_input_dim"], p["embedding_output_dim"], name="embedding")
        q, d = embedding(query), embedding(doc)
        gate = layers.Softmax(axis=1)(layers.Dense(1, use_bias=False)(q))
        h = layers.Dense(p["mlp_num_units"], activation="tanh")(Histogram(p["hist_bin_size"])([q, d]))
        h = layers.Dense(1, activation="tanh")(h)
        score = layers.Dense(1)(layers.Flatten()(layers.Dot(axes=1)([gate, h])))
        self.backend = keras.Model([query, doc], score)

    def load_embedding_matrix(self, matrix, name="embedding"):
        self.backend.get_layer(name).set_weights([matrix])


preprocessor = Preprocessor()
preprocessor.fit(QUERIES + ANSWERS)
model = DRMM()
model.params.update(left=preprocessor.context["left"], right=preprocessor.context["right"])
model.params["embedding_input_dim"] = preprocessor.context["vocab_size"]
model.build()

glove = GloVe(preprocessor.context["term_index"], 20)
embedding_matrix = glove.build_matrix(preprocessor.context["term_index"])
l2_norm = np.sqrt((embedding_matrix ** 2).sum(axis=1))
embedding_matrix = embedding_matrix / l2_norm[:, np.newaxis]
model.load_embedding_matrix(embedding_matrix)

pairs = [(q, a) for q in range(len(QUERIES)) for a in range(len(ANSWERS))]
left = preprocessor.transform([QUERIES[q] for q, _ in pairs], 6)
right = preprocessor.transform([ANSWERS[a] for _, a in pairs], 8)
labels = np.array([float(q == a) for q, a in pairs], dtype="float32")
model.backend.compile(optimizer="adam", loss="mse")
print("loss", model.backend.fit([left, right], labels, epochs=2, batch_size=6, verbose=0).history["loss"])
