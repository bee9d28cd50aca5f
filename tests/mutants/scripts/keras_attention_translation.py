"""A translation of sentences: tokens, padding with masks, an encoder-decoder with attention, greedy decoding."""
import keras
import numpy as np
from keras import layers, ops

PAIRS = [
    ("the cat sleeps", "die katze schläft jetzt"), ("a dog runs fast", "ein hund rennt schnell"),
    ("we see the house", "wir sehen das haus"), ("birds sing", "vögel singen laut"),
    ("the child plays", "das kind spielt heute"), ("it rains", "es regnet draußen"),
]
SRC_LEN, TGT_LEN = 6, 7
EMB, UNITS = 10, 12


def vocabulary(texts, special):
    words = sorted({w for t in texts for w in t.split()})
    return {w: i for i, w in enumerate(special + words)}


src_vocab = vocabulary([s for s, _ in PAIRS], ["<pad>"])
tgt_vocab = vocabulary([t for _, t in PAIRS], ["<pad>", "<s>", "</s>"])


def encode(text, vocab, length, wrap=False):
    ids = [vocab[w] for w in text.split()]
    if wrap:
        ids = [vocab["<s>"], *ids, vocab["</s>"]]
    return np.pad(ids, (0, length - len(ids)))


source = np.stack([encode(s, src_vocab, SRC_LEN) for s, _ in PAIRS])
target = np.stack([encode(t, tgt_vocab, TGT_LEN + 1, wrap=True) for _, t in PAIRS])
decoder_in, decoder_out = target[:, :-1], target[:, 1:]

src = keras.Input((SRC_LEN,), dtype="int32", name="src")
tgt = keras.Input((TGT_LEN,), dtype="int32", name="tgt")
encoded = layers.Embedding(len(src_vocab), EMB, mask_zero=True)(src)
encoded, forward_h, backward_h = layers.Bidirectional(
    layers.GRU(UNITS, return_sequences=True, return_state=True)
)(encoded)
state = layers.Dense(UNITS, activation="tanh")(layers.concatenate([forward_h, backward_h]))
decoded = layers.Embedding(len(tgt_vocab), EMB, mask_zero=True)(tgt)
decoded = layers.GRU(UNITS, return_sequences=True)(decoded, initial_state=state)
memory = layers.Dense(UNITS)(encoded)
context = layers.Attention()([decoded, memory])
joined = layers.concatenate([decoded, context], axis=-1)
scores = layers.TimeDistributed(layers.Dense(len(tgt_vocab)))(joined)
model = keras.Model([src, tgt], scores)


def masked_loss(y_true, y_pred):
    loss = keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)
    mask = ops.cast(y_true != 0, loss.dtype)
    return ops.sum(loss * mask) / ops.sum(mask)


model.compile("adam", loss=masked_loss)
model.fit([source, decoder_in], decoder_out, batch_size=3, epochs=1, verbose=0)


def translate(text):
    ids = np.zeros((1, TGT_LEN), dtype="int32")
    ids[0, 0] = tgt_vocab["<s>"]
    for step in range(TGT_LEN - 1):
        logits = model.predict([encode(text, src_vocab, SRC_LEN)[np.newaxis], ids], verbose=0)
        ids[0, step + 1] = np.argmax(logits[0, step])
        if step > 1:
            break
    return ids, logits


ids, logits = translate("birds sing")
print("ids", ids.shape, "logits", logits.shape, "pairs", source.shape, decoder_out.shape)
