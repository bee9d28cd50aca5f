"""Siamese towers with shared weights on pairs, with a distance in a Lambda and a PyDataset."""
import keras
import numpy as np
from keras import layers, ops


class Pairs(keras.utils.PyDataset):
    def __init__(self, images, labels, batch_size=5, **kwargs):
        super().__init__(**kwargs)
        self.images, self.labels, self.batch_size = images, labels, batch_size

    def __len__(self):
        return len(self.images) // self.batch_size

    def __getitem__(self, index):
        rows = np.arange(index * self.batch_size, (index + 1) * self.batch_size)
        partners = rows[::-1]
        y = (self.labels[rows] == self.labels[partners]).astype("float32")
        return (self.images[rows], self.images[partners]), y[:, None]


def euclidean_distance(vects):
    x, y = vects
    sum_square = ops.sum(ops.square(x - y), axis=1, keepdims=True)
    return ops.sqrt(ops.maximum(sum_square, keras.backend.epsilon()))


def tower(shape=(26, 34, 1), features=9):
    inp = layers.Input(shape)
    x = layers.BatchNormalization()(inp)
    x = layers.Conv2D(4, (5, 5), activation="tanh")(x)
    x = layers.AveragePooling2D(pool_size=(2, 2))(x)
    x = layers.Conv2D(7, (5, 5), activation="tanh")(x)
    x = layers.AveragePooling2D(pool_size=(2, 2))(x)
    x = layers.Flatten()(x)
    x = layers.BatchNormalization()(x)
    return keras.Model(inp, layers.Dense(features, activation="tanh")(x))


def contrastive(y_true, y_pred, margin=1):
    square_pred = ops.square(y_pred)
    margin_square = ops.square(ops.maximum(margin - y_pred, 0))
    return ops.mean((1 - y_true) * square_pred + y_true * margin_square)


keras.utils.set_random_seed(0)
embedding = tower()
left = layers.Input((26, 34, 1))
right = layers.Input((26, 34, 1))
merged = layers.Lambda(euclidean_distance, output_shape=(1,))([embedding(left), embedding(right)])
normal = layers.BatchNormalization()(merged)
siamese = keras.Model([left, right], layers.Dense(1, activation="sigmoid")(normal))
siamese.compile(loss=contrastive, optimizer="RMSprop")
data = Pairs(np.random.rand(10, 26, 34, 1).astype("float32"), np.random.randint(0, 3, 10))
siamese.fit(data, epochs=1, verbose=0)
print("distance", siamese.predict(data, verbose=0).shape, "features", embedding.output_shape)
