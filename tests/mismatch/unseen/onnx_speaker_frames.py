# Speaker embeddings of the segments of a conversation, by an exported x-vector network.
import os
import tempfile
import warnings

import numpy as np
import onnxruntime as ort
import torch
import torch.nn as nn

warnings.filterwarnings("ignore")


class XVector(nn.Module):
    def __init__(self, features=23, emb=96):
        super().__init__()
        self.frame = nn.Sequential(
            nn.Conv1d(features, 64, 5), nn.ReLU(), nn.BatchNorm1d(64),
            nn.Conv1d(64, 64, 3, dilation=2), nn.ReLU(), nn.BatchNorm1d(64),
            nn.Conv1d(64, 64, 3, dilation=3), nn.ReLU(), nn.BatchNorm1d(64),
            nn.Conv1d(64, 128, 1), nn.ReLU(),
        )
        self.embedding = nn.Linear(256, emb)

    def forward(self, x):
        x = self.frame(x)
        stats = torch.cat([x.mean(2), x.var(2).add(1e-6).sqrt()], dim=1)
        return self.embedding(stats)


class KaldiXVectorExtraction:
    def __init__(self, path, chunk=100):
        self.sess = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.input_name = self.sess.get_inputs()[0].name
        self.chunk = chunk

    def features2embedding(self, features):
        fea = np.expand_dims(features.T, 0)
        return self.sess.run(None, {self.input_name: fea})[0].squeeze()


def compute_mfcc(seconds, rng):
    return rng.normal(size=(int(seconds * 100), 23)).astype(np.float32)


def vad_segments(features, speech):
    return [features[start:end] for start, end in speech]


rng = np.random.default_rng(0)
torch.manual_seed(0)
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "xvector.onnx")
    torch.onnx.export(XVector().eval(), (torch.randn(1, 23, 100),), path, input_names=["features"],
                      output_names=["embedding"], dynamo=False)
    extractor = KaldiXVectorExtraction(path)
    features = compute_mfcc(4.0, rng)
    embeddings = []
    for segment in vad_segments(features, [(0, 100), (130, 230), (260, 316)]):
        embeddings.append(extractor.features2embedding(segment))
    print(np.array(embeddings).shape)
