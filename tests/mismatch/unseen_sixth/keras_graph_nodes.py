"""Communities of a social graph: a GCN over all nodes at once, dense adjacency matrix."""
import keras
import numpy as np
from keras import layers, ops

keras.utils.set_random_seed(3)
rng = np.random.default_rng(3)


class GCNConv(layers.Layer):
    """Multiplies the adjacency matrix with the transformed features."""

    def __init__(self, channels, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels
        self.activation = keras.activations.get(activation)

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[0][-1], self.channels), initializer="glorot_uniform", name="kernel")
        self.bias = self.add_weight(shape=(self.channels,), initializer="zeros", name="bias")

    def call(self, inputs):
        x, a = inputs
        x = ops.matmul(x, self.kernel)
        return self.activation(ops.matmul(a, x) + self.bias)

    def compute_output_shape(self, input_shape):
        return (*input_shape[0][:-1], self.channels)

    @staticmethod
    def preprocess(a):
        a = a + np.eye(len(a))
        d = np.diag(1 / np.sqrt(a.sum(1)))
        return d @ a @ d


def load_graph(n_nodes=77, n_communities=4):
    community = rng.integers(0, n_communities, n_nodes)
    p = np.where(community[:, None] == community[None], 0.3, 0.02)
    adj = np.triu(rng.random((n_nodes, n_nodes)) < p, 1).astype("float32")
    return adj + adj.T, community


adj, community = load_graph()
trainingtarget = keras.utils.to_categorical(community)
A = GCNConv.preprocess(adj).astype("f4")
# features: who knows whom, as no attributes are known
features = adj.copy()
N, F = features.shape
n_classes = trainingtarget.shape[1]
print("nodes", N, "edges", int(adj.sum() / 2), "classes", n_classes)

mask = rng.random(N) < 0.7
weights = mask.astype("float32")

X_in = layers.Input(shape=(F,), name="x")
A_in = layers.Input(shape=(N,), name="a")
X_1 = GCNConv(24, "relu")([X_in, A_in])
X_1 = layers.Dropout(0.2)(X_1)
X_2 = GCNConv(n_classes, activation="softmax")([X_1, A_in])

model = keras.Model(inputs=[X_in, A_in], outputs=X_2)
model.compile(optimizer=keras.optimizers.Adam(0.01), loss="categorical_crossentropy", weighted_metrics=["accuracy"])
model.summary(print_fn=lambda s: None)

history = model.fit([features, A], trainingtarget, sample_weight=weights, shuffle=False, epochs=5, verbose=0)
print("loss", history.history["loss"][-1])

predicted = model.predict([features, A], verbose=0).argmax(1)
print("accuracy on the rest", float((predicted == community)[~mask].mean()))
