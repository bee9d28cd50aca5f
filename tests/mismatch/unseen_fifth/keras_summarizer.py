"""Summaries of reviews: stacked LSTM encoder, LSTM decoder, attention over the encoder's states."""
import numpy as np
from keras.callbacks import EarlyStopping
from keras.layers import LSTM, Attention, Concatenate, Dense, Embedding, Input, TimeDistributed
from keras.models import Model

np.random.seed(1)

max_text_len = 30
max_summary_len = 8
latent_dim = 20
embedding_dim = 12
x_voc, y_voc = 150, 80


def reviews(n):
    """Padded numbers of words; a summary begins with 1 (sostok) and ends with 2 (eostok)."""
    x = np.zeros((n, max_text_len), dtype="int32")
    y = np.zeros((n, max_summary_len), dtype="int32")
    for i in range(n):
        length = np.random.randint(8, max_text_len + 1)
        x[i, :length] = np.random.randint(3, x_voc, length)
        short = np.random.randint(2, max_summary_len - 1)
        y[i, :short + 2] = [1, *np.random.randint(3, y_voc, short), 2]
    return x, y


x_tr, y_tr = reviews(64)
x_val, y_val = reviews(16)

# Encoder
encoder_inputs = Input(shape=(max_text_len,))
enc_emb = Embedding(x_voc, embedding_dim, trainable=True)(encoder_inputs)
# encoder lstm 1
encoder_lstm1 = LSTM(latent_dim, return_sequences=True, return_state=True, dropout=0.4)
encoder_output1, state_h1, state_c1 = encoder_lstm1(enc_emb)
# encoder lstm 2
encoder_lstm2 = LSTM(latent_dim, return_sequences=True, return_state=True, dropout=0.4)
encoder_outputs, state_h, state_c = encoder_lstm2(encoder_output1)

# Set up the decoder, using `encoder_states` as initial state.
decoder_inputs = Input(shape=(max_summary_len - 1,))
dec_emb_layer = Embedding(y_voc, embedding_dim, trainable=True)
dec_emb = dec_emb_layer(decoder_inputs)
decoder_lstm = LSTM(latent_dim, return_sequences=True, return_state=True, dropout=0.4)
decoder_outputs, _, _ = decoder_lstm(dec_emb, initial_state=[state_h, state_c])

# Attention layer, the one of Keras instead of the third party one
attn_layer = Attention(name="attention_layer")
attn_out = attn_layer([encoder_outputs, decoder_outputs])

# Concat attention input and decoder LSTM output
decoder_concat_input = Concatenate(axis=-1, name="concat_layer")([decoder_outputs, attn_out])

# dense layer
decoder_dense = TimeDistributed(Dense(y_voc, activation="softmax"))
decoder_outputs = decoder_dense(decoder_concat_input)

# Define the model
model = Model([encoder_inputs, decoder_inputs], decoder_outputs)
model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy")
es = EarlyStopping(monitor="val_loss", mode="min", verbose=1, patience=2)
history = model.fit(
    [x_tr, y_tr[:, :-1]], y_tr[:, 1:, None], epochs=1, callbacks=[es], batch_size=16,
    validation_data=([x_val, y_val[:, :-1]], y_val[:, 1:, None]), verbose=0)
print("loss", history.history["loss"], "val", history.history["val_loss"])
