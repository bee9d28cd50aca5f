# Translates characters with an LSTM encoder, an LSTM decoder and attention between them.
import keras
import numpy as np
from keras import layers

PAIRS = [("go.", "va !"), ("run!", "cours !"), ("wait.", "attends."), ("hello!", "salut !"), ("i see.", "je vois."),
         ("stop!", "stop !"), ("help!", "au secours !"), ("jump.", "saute.")]
LATENT_DIM = 48


def vocabulary(texts):
    characters = sorted(set("".join(texts)))
    return {c: i for i, c in enumerate(characters)}


def vectorize(pairs):
    sources = [s for s, _ in pairs]
    targets = ["\t" + t + "\n" for _, t in pairs]
    src_index, trg_index = vocabulary(sources), vocabulary(targets)
    max_src, max_trg = max(map(len, sources)), max(map(len, targets))
    enc = np.zeros((len(pairs), max_src, len(src_index)), "float32")
    dec_in = np.zeros((len(pairs), max_trg, len(trg_index)), "float32")
    dec_out = np.zeros_like(dec_in)
    for i, (source, target) in enumerate(zip(sources, targets)):
        for t, char in enumerate(source):
            enc[i, t, src_index[char]] = 1.0
        for t, char in enumerate(target):
            dec_in[i, t, trg_index[char]] = 1.0
            if t > 0:
                dec_out[i, t - 1, trg_index[char]] = 1.0
    return enc, dec_in, dec_out


def build_model(num_encoder_tokens, num_decoder_tokens):
    encoder_inputs = keras.Input((None, num_encoder_tokens), name="encoder_inputs")
    encoder_lstm = layers.LSTM(LATENT_DIM, return_state=True, name="encoder_lstm")
    encoder_output, state_h, state_c = encoder_lstm(encoder_inputs)

    decoder_inputs = keras.Input((None, num_decoder_tokens), name="decoder_inputs")
    decoder_lstm = layers.LSTM(LATENT_DIM, return_sequences=True, return_state=True, name="decoder_lstm")
    decoder_output, _, _ = decoder_lstm(decoder_inputs, initial_state=[state_h, state_c])

    attn_out = layers.Attention(name="attention")([encoder_output, decoder_output])
    decoder_concat_input = layers.Concatenate(axis=1, name="concat_layer")([decoder_output, attn_out])
    decoder_dense = layers.Dense(num_decoder_tokens, activation="softmax", name="decoder_dense")
    return keras.Model([encoder_inputs, decoder_inputs], decoder_dense(decoder_concat_input))


keras.utils.set_random_seed(0)
encoder_input_data, decoder_input_data, decoder_target_data = vectorize(PAIRS)
model = build_model(encoder_input_data.shape[2], decoder_input_data.shape[2])
model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
model.fit([encoder_input_data, decoder_input_data], decoder_target_data, batch_size=4, epochs=1, verbose=0)
print("done")
