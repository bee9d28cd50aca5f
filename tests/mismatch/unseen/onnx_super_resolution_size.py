# Enlarges gray pictures of any size with an exported sub-pixel network.
import warnings

import numpy as np
import onnxruntime as rt
import torch
import torch.nn as nn

warnings.filterwarnings("ignore")


class SuperResolutionNet(nn.Module):
    def __init__(self, upscale_factor):
        super().__init__()
        self.r = upscale_factor
        self.relu = nn.ReLU()
        self.conv1 = nn.Conv2d(1, 64, (5, 5), (1, 1), (2, 2))
        self.conv2 = nn.Conv2d(64, 64, (3, 3), (1, 1), (1, 1))
        self.conv3 = nn.Conv2d(64, 32, (3, 3), (1, 1), (1, 1))
        self.conv4 = nn.Conv2d(32, upscale_factor**2, (3, 3), (1, 1), (1, 1))

    def shuffle(self, x):
        b, c, h, w = map(int, x.shape)
        x = x.reshape(b, self.r, self.r, h, w).permute(0, 3, 1, 4, 2)
        return x.reshape(b, 1, h * self.r, w * self.r)

    def forward(self, x):
        x = self.relu(self.conv1(x))
        x = self.relu(self.conv2(x))
        x = self.relu(self.conv3(x))
        return self.shuffle(self.conv4(x))


def export():
    torch.manual_seed(0)
    torch_model = SuperResolutionNet(upscale_factor=3).eval()
    path = "super_resolution.onnx"
    torch.onnx.export(
        torch_model,
        (torch.randn(1, 1, 122, 102),),
        path,
        export_params=True,
        do_constant_folding=True,
        input_names=["input"],
        output_names=["output"],
        dynamic_axes={"input": {2: "height", 3: "width"}, "output": {2: "height", 3: "width"}},
        dynamo=False,
    )
    return path


ort_session = rt.InferenceSession(export(), providers=["CPUExecutionProvider"])
for height, width in [(122, 102), (222, 102), (64, 90)]:
    picture = np.random.randn(1, 1, height, width).astype(np.float32)
    ort_outs = ort_session.run(None, {"input": picture})
    print(picture.shape, "->", ort_outs[0].shape)
