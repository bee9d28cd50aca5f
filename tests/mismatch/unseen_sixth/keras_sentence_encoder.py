"""Joint embedding of pictures and sentences: the GRU's weights come from a Theano model, as a dictionary of arrays."""
import os
import tempfile

import keras
import numpy as np
from keras.layers import GRU, Dense, Embedding, Input, Lambda
from keras.models import Model

keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
MODEL = os.path.join(tempfile.mkdtemp(), "coco.npz")
DIM_WORD, DIM, DIM_IMAGE, N_WORDS = 14, 22, 30, 60


def write_theano_model():
    """Parameters by the names of the Theano program: W, U, b for the two gates together, Wx, Ux, bx for the proposal."""
    def w(*shape):
        return (rng.normal(size=shape) * 0.1).astype("float32")

    np.savez(MODEL, Wemb=w(N_WORDS, DIM_WORD), encoder_W=w(DIM_WORD, 2 * DIM), encoder_b=w(2 * DIM), encoder_U=w(DIM, 2 * DIM),
             encoder_Wx=w(DIM_WORD, DIM), encoder_bx=w(DIM), encoder_Ux=w(DIM, DIM), ff_image_W=w(DIM_IMAGE, DIM), ff_image_b=w(DIM))


def l2norm(x):
    return x / keras.ops.sqrt(keras.ops.sum(keras.ops.square(x), axis=-1, keepdims=True) + 1e-7)


def build_image_encoder(dim, weights=None):
    features = Input((DIM_IMAGE,))
    layer = Dense(dim, name="image")
    model = Model(features, Lambda(l2norm, output_shape=(dim,))(layer(features)))
    if weights is not None:
        layer.set_weights([weights["ff_image_W"], weights["ff_image_b"]])
    return model


def build_sentence_encoder(dim, weights=None):
    words = Input((None,), dtype="int32")
    embedding = Embedding(N_WORDS, DIM_WORD, mask_zero=True, name="embedding")
    gru = GRU(dim, reset_after=False, name="gru")
    out = Lambda(l2norm, output_shape=(dim,))(gru(embedding(words)))
    model = Model(words, out)
    if weights is not None:
        embedding.set_weights([weights["Wemb"]])
        W_r, W_u = np.split(weights["encoder_W"], 2, axis=1)
        U_r, U_u = np.split(weights["encoder_U"], 2, axis=1)
        b_r, b_u = np.split(weights["encoder_b"], 2)
        gru.set_weights([W_u, U_u, b_u,  # update gate
                         W_r, U_r, b_r,  # reset gate
                         weights["encoder_Wx"], weights["encoder_Ux"], weights["encoder_bx"]])
    return model


def encode_sentences(model, sentences):
    longest = max(len(s) for s in sentences)
    ids = np.array([s + [0] * (longest - len(s)) for s in sentences], dtype="int32")
    return model.predict(ids, verbose=0)


write_theano_model()
weights = np.load(MODEL)
image_encoder = build_image_encoder(DIM, weights)
sentence_encoder = build_sentence_encoder(DIM, weights)

pictures = image_encoder.predict(rng.normal(size=(5, DIM_IMAGE)).astype("float32"), verbose=0)
sentences = encode_sentences(sentence_encoder, [[4, 8, 15], [16, 23, 42, 7], [3, 1, 4, 1, 5, 9], [2, 7]])
scores = sentences @ pictures.T
print("best picture of each sentence", scores.argmax(1), scores.shape)
