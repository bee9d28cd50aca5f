"""Seq2seq with one-hot tokens: an encoder's states start the decoder; then step-by-step inference."""
import keras
import numpy as np
from keras import layers

num_encoder_tokens = 13
num_decoder_tokens = 17
latent_dim = 10
max_encoder_len, max_decoder_len = 9, 7

rng = np.random.default_rng(0)
enc_ids = rng.integers(0, num_encoder_tokens, (6, max_encoder_len))
dec_ids = rng.integers(0, num_decoder_tokens, (6, max_decoder_len + 1))
encoder_input_data = np.eye(num_encoder_tokens, dtype="float32")[enc_ids]
decoder_input_data = np.eye(num_decoder_tokens, dtype="float32")[dec_ids[:, :-1]]
decoder_target_data = np.eye(num_decoder_tokens, dtype="float32")[dec_ids[:, 1:]]

encoder_inputs = keras.Input(shape=(None, num_encoder_tokens))
encoder = layers.LSTM(latent_dim, return_state=True)
encoder_outputs, state_h, state_c = encoder(encoder_inputs)
encoder_states = [state_h, state_c]

decoder_inputs = keras.Input(shape=(None, num_decoder_tokens))
decoder_lstm = layers.LSTM(latent_dim, return_sequences=True, return_state=True)
decoder_outputs, _, _ = decoder_lstm(decoder_inputs, initial_state=encoder_states)
decoder_dense = layers.Dense(num_decoder_tokens, activation="softmax")
decoder_outputs = decoder_dense(decoder_outputs)

model = keras.Model([encoder_inputs, decoder_inputs], decoder_outputs)
model.compile(optimizer="rmsprop", loss="categorical_crossentropy")
model.fit([encoder_input_data, decoder_input_data], decoder_target_data, batch_size=3, epochs=1, verbose=0)

encoder_model = keras.Model(encoder_inputs, encoder_states)
states = encoder_model.predict(encoder_input_data[:1], verbose=0)
target = np.zeros((1, 1, num_decoder_tokens), dtype="float32")
target[0, 0, 2] = 1.0
inference_h = keras.Input(shape=(latent_dim,))
inference_c = keras.Input(shape=(latent_dim,))
out, h, c = decoder_lstm(decoder_inputs, initial_state=[inference_h, inference_c])
decoder_model = keras.Model([decoder_inputs, inference_h, inference_c], [decoder_dense(out), h, c])
token, h, c = decoder_model.predict([target] + states, verbose=0)
print("token", token.shape, "h", h.shape)
