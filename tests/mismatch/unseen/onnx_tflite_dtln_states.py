# Denoises speech in real time with a stateful TFLite network, block by block.
import keras
import numpy as np
import tensorflow as tf
from keras import layers

BLOCK, SHIFT, UNITS = 256, 64, 40


def masking_network():
    """Magnitudes of one block and the LSTM's states; gives a mask and the new states."""
    mag = keras.Input((1, BLOCK // 2 + 1), batch_size=1, name="input_2")
    states = keras.Input((2, UNITS, 2), batch_size=1, name="input_3")
    x, new = mag, []
    for i in range(2):
        h, c = states[:, i, :, 0], states[:, i, :, 1]
        x, h, c = layers.LSTM(UNITS, return_sequences=True, return_state=True, unroll=True)(x, initial_state=[h, c])
        new.append(keras.ops.stack([h, c], axis=-1))
    mask = layers.Dense(BLOCK // 2 + 1, activation="sigmoid")(x)
    return keras.Model([mag, states], [mask, keras.ops.stack(new, axis=1)])


model = masking_network()
interpreter_1 = tf.lite.Interpreter(model_content=tf.lite.TFLiteConverter.from_keras_model(model).convert())
interpreter_1.allocate_tensors()
input_details_1 = interpreter_1.get_input_details()
output_details_1 = interpreter_1.get_output_details()
states_1 = np.zeros((1, 2, UNITS, 2), dtype=np.float32)

audio = np.random.default_rng(0).normal(size=1024).astype(np.float32)
out_file = np.zeros(len(audio))
in_buffer, out_buffer = np.zeros(BLOCK, np.float32), np.zeros(BLOCK, np.float32)
for idx in range((len(audio) - (BLOCK - SHIFT)) // SHIFT):
    in_buffer[:-SHIFT] = in_buffer[SHIFT:]
    in_buffer[-SHIFT:] = audio[idx * SHIFT : (idx + 1) * SHIFT]
    in_block_fft = np.fft.rfft(in_buffer)
    in_mag, in_phase = np.abs(in_block_fft), np.angle(in_block_fft)
    in_mag = np.reshape(in_mag, (1, 1, -1)).astype(np.float32)
    mag_in = [d for d in input_details_1 if "input_2" in d["name"]][0]
    states_in = [d for d in input_details_1 if "input_3" in d["name"]][0]
    interpreter_1.set_tensor(states_in["index"], in_mag)
    interpreter_1.set_tensor(mag_in["index"], states_1)
    interpreter_1.invoke()
    outputs = [interpreter_1.get_tensor(d["index"]) for d in output_details_1]
    out_mask = [o for o in outputs if o.ndim == 3][0]
    states_1 = [o for o in outputs if o.ndim == 4][0]
    estimated_block = np.fft.irfft(in_mag[0, 0] * out_mask[0, 0] * np.exp(1j * in_phase))
    out_buffer[:-SHIFT], out_buffer[-SHIFT:] = out_buffer[SHIFT:], 0
    out_buffer += estimated_block
    out_file[idx * SHIFT : (idx + 1) * SHIFT] = out_buffer[:SHIFT]
print("rms", float(np.sqrt((out_file**2).mean())))
