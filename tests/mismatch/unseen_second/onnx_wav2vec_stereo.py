# Transcribes a recording with an exported speech model.
import warnings

import numpy as np
import onnxruntime
import torch
import torch.nn as nn

warnings.filterwarnings("ignore")
VOCAB = "|etaoinshrdlu'"


class FeatureExtractor(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        spec = [(10, 5), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2)]
        layers = []
        for i, (kernel, stride) in enumerate(spec):
            layers += [nn.Conv1d(1 if i == 0 else width, width, kernel, stride), nn.GELU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x.unsqueeze(1))


class Wav2Vec2ForCTC(nn.Module):
    def __init__(self, width=16, dim=32):
        super().__init__()
        self.feature_extractor = FeatureExtractor(width)
        self.projection = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, dim))
        self.pos = nn.Conv1d(dim, dim, 15, padding=7, groups=4)
        self.mlp = nn.ModuleList([nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim * 2), nn.GELU(),
                                                nn.Linear(dim * 2, dim)) for _ in range(2)])
        self.lm_head = nn.Linear(dim, len(VOCAB))

    def forward(self, input_values):
        x = self.projection(self.feature_extractor(input_values).transpose(1, 2))
        x = x + self.pos(x.transpose(1, 2)).transpose(1, 2)
        for block in self.mlp:
            x = x + block(x)
        return self.lm_head(x)


def export(path):
    torch.manual_seed(0)
    torch.onnx.export(Wav2Vec2ForCTC().eval(), (torch.randn(1, 16000),), path, input_names=["input"],
                      output_names=["output"], dynamic_axes={"input": {1: "audio_len"}, "output": {1: "audio_len"}},
                      dynamo=False)


def read_recording(seconds, sampling_rate=16000):
    """What a reader of sound files returns for a recording in stereo: (frames, channels)."""
    rng = np.random.default_rng(0)
    return rng.normal(0, 0.1, (int(seconds * sampling_rate), 2)), sampling_rate


class Processor:
    def __call__(self, speech, sampling_rate):
        speech = np.asarray(speech, dtype=np.float32)
        return (speech - speech.mean()) / np.sqrt(speech.var() + 1e-7)

    def decode(self, ids):
        out = []
        for i, c in enumerate(ids):
            if i == 0 or c != ids[i - 1]:
                out.append(VOCAB[c])
        return "".join(out).replace("|", " ")


def predict(session, processor):
    speech_array, sr = read_recording(1.7)
    input_values = processor(speech_array, sampling_rate=16000)
    onnx_outputs = session.run(None, {session.get_inputs()[0].name: input_values})[0]
    prediction = np.argmax(onnx_outputs, axis=-1)
    return processor.decode(prediction.squeeze().tolist())


export("wav2vec2.onnx")
session = onnxruntime.InferenceSession("wav2vec2.onnx", providers=["CPUExecutionProvider"])
print(len(predict(session, Processor())))
