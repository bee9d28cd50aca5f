# Depth of video frames for a 3D player: an exported network that looks at a window of frames.
import warnings

import numpy as np
import onnxruntime
import torch
import torch.nn as nn

warnings.filterwarnings("ignore")


class VideoDepth(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.encode = nn.Sequential(nn.Conv2d(3, dim, 4, 4), nn.ReLU(), nn.Conv2d(dim, dim, 3, padding=1), nn.ReLU())
        self.temporal = nn.Conv3d(dim, dim, (3, 1, 1), padding=(1, 0, 0))
        self.head = nn.Conv2d(dim, 16, 3, padding=1)
        self.up = nn.PixelShuffle(4)

    def forward(self, x):
        x = x.transpose(1, 2)
        n, c, t, h, w = x.shape
        f = self.encode(x.transpose(1, 2).flatten(0, 1))
        f = f.unflatten(0, (n, t)).transpose(1, 2)
        f = f + self.temporal(f)
        depth = self.up(torch.relu(self.head(f.transpose(1, 2).flatten(0, 1))))
        return depth.unflatten(0, (n, t)).squeeze(2)


class DepthEstimator:
    def __init__(self, path):
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.name = self.session.get_inputs()[0].name

    def preprocess(self, frame, size=96):
        rows = np.linspace(0, frame.shape[0] - 1, size).astype(int)
        cols = np.linspace(0, frame.shape[1] - 1, size).astype(int)
        x = frame[rows][:, cols].astype(np.float32) / 255
        x = (x - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        return x.transpose(2, 0, 1)[None].astype(np.float32)

    def estimate(self, frame):
        depth = self.session.run(None, {self.name: self.preprocess(frame)})[0]
        depth = depth.reshape(-1, *depth.shape[-2:])[-1]
        return (depth - depth.min()) / (depth.max() - depth.min() + 1e-6)


torch.manual_seed(0)
path = "video_depth_small.onnx"
torch.onnx.export(VideoDepth().eval(), (torch.randn(1, 1, 3, 96, 96),), path, input_names=["input"],
                  output_names=["depth"], dynamo=False)
estimator = DepthEstimator(path)
video = np.random.default_rng(0).integers(0, 256, (4, 180, 240, 3), dtype=np.uint8)
print([round(float(estimator.estimate(frame).mean()), 3) for frame in video])
