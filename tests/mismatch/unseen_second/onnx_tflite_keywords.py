# Tests a quantization-ready keyword spotter as TFLite on spectral features of one second.
import keras
import numpy as np
import tensorflow as tf
from keras import layers


class Flags:
    sample_rate = 16000
    clip_duration_ms = 1000
    window_size_ms = 30.0
    window_stride_ms = 10.0
    dct_coefficient_count = 40
    wanted_words = "yes,no,up,down,left,right,on,off,stop,go"


def prepare_model_settings(label_count, flags):
    desired_samples = int(flags.sample_rate * flags.clip_duration_ms / 1000)
    window_size_samples = int(flags.sample_rate * flags.window_size_ms / 1000)
    window_stride_samples = int(flags.sample_rate * flags.window_stride_ms / 1000)
    length_minus_window = desired_samples - window_size_samples
    spectrogram_length = 0 if length_minus_window < 0 else 1 + length_minus_window // window_stride_samples
    return {
        "desired_samples": desired_samples,
        "window_size_samples": window_size_samples,
        "window_stride_samples": window_stride_samples,
        "spectrogram_length": spectrogram_length,
        "dct_coefficient_count": flags.dct_coefficient_count,
        "fingerprint_size": flags.dct_coefficient_count * spectrogram_length,
        "label_count": label_count,
    }


def ds_cnn(spectrogram_length, coefficients, label_count, filters=12):
    inputs = keras.Input((spectrogram_length * coefficients,), batch_size=1, name="input")
    x = layers.Reshape((spectrogram_length, coefficients, 1))(inputs)
    x = layers.Conv2D(filters, (10, 4), strides=(2, 2), padding="same", activation="relu")(x)
    for _ in range(3):
        x = layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)
        x = layers.Conv2D(filters, 1, activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(label_count, activation="softmax")(x))


def pretrained():
    """Stands for ds_cnn_s.tflite: windows of 40 ms, every 20 ms, ten coefficients."""
    keras.utils.set_random_seed(0)
    return tf.lite.TFLiteConverter.from_keras_model(ds_cnn(49, 10, 12)).convert()


def fingerprint(audio, settings):
    frames = tf.signal.frame(audio, settings["window_size_samples"], settings["window_stride_samples"])
    power = tf.abs(tf.signal.rfft(frames * tf.signal.hann_window(settings["window_size_samples"])))
    bands = tf.signal.linear_to_mel_weight_matrix(40, power.shape[-1], 16000, 20, 4000)
    mfcc = tf.signal.mfccs_from_log_mel_spectrograms(tf.math.log(power @ bands + 1e-6))
    return mfcc[:, : settings["dct_coefficient_count"]].numpy().reshape(1, -1)


def tflite_test(model_settings, model_content):
    rng = np.random.default_rng(0)
    interpreter = tf.lite.Interpreter(model_content=model_content)
    interpreter.allocate_tensors()
    input_details, output_details = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    predicted = []
    for _ in range(3):
        audio = rng.normal(0, 0.1, model_settings["desired_samples"]).astype(np.float32)
        interpreter.set_tensor(input_details["index"], fingerprint(audio, model_settings))
        interpreter.invoke()
        predicted.append(int(interpreter.get_tensor(output_details["index"]).argmax()))
    return predicted


flags = Flags()
settings = prepare_model_settings(len(flags.wanted_words.split(",")) + 2, flags)
print(tflite_test(settings, pretrained()))
