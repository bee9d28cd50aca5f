"""TextRCNN for news titles, trained in batches of 16 and converted to ONNX; the test set is read title by title."""
import warnings

import numpy as np
import onnxruntime as ort
import torch
import torch.nn as nn

warnings.filterwarnings("ignore")
torch.manual_seed(0)
np.random.seed(0)


class Config:
    sequence_length = 36
    vocab_size = 300
    embedding_size = 16
    hidden_size = 12
    num_classes = 6
    batch_size = 16


class TextRCNN(nn.Module):
    """A word is what stands left of it, itself, and what stands right of it; the maximum over the words counts."""

    def __init__(self, config):
        super().__init__()
        self.batch_size, self.hidden_size = config.batch_size, config.hidden_size
        self.embedding = nn.Embedding(config.vocab_size, config.embedding_size)
        self.fw = nn.GRU(config.embedding_size, config.hidden_size, batch_first=True)
        self.bw = nn.GRU(config.embedding_size, config.hidden_size, batch_first=True)
        width = config.embedding_size + 2 * config.hidden_size
        self.text_w = nn.Linear(width, 24)
        self.fc = nn.Linear(24, config.num_classes)

    def initial_context(self):
        return torch.zeros(self.batch_size, 1, self.hidden_size)

    def forward(self, input_x):
        x = self.embedding(input_x)
        output_fw, _ = self.fw(x)
        output_bw, _ = self.bw(x.flip(1))
        output_bw = output_bw.flip(1)
        first = self.initial_context()
        # the context of a word ends before the word
        c_left = torch.cat([first, output_fw[:, :-1]], dim=1)
        c_right = torch.cat([output_bw[:, 1:], first], dim=1)
        x = torch.cat([c_left, x, c_right], dim=2)
        y2 = torch.tanh(self.text_w(x)).max(dim=1).values
        return self.fc(y2)


class Predictor(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_x):
        return self.model(input_x).argmax(dim=1)


def load_data(part):
    n = {"train": 64, "test": 10}[part]
    x = np.random.randint(1, Config.vocab_size, (n, Config.sequence_length))
    for i, length in enumerate(np.random.randint(8, Config.sequence_length, n)):
        x[i, length:] = 0
    return x, np.random.randint(0, Config.num_classes, n)


def train(model):
    x, y = load_data("train")
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for i in range(0, len(x), Config.batch_size):
        logits = model(torch.from_numpy(x[i:i + Config.batch_size]))
        loss = nn.functional.cross_entropy(logits, torch.from_numpy(y[i:i + Config.batch_size]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print("loss", loss.item())


model = TextRCNN(Config)
train(model)
model.eval()
example = torch.ones(Config.batch_size, Config.sequence_length, dtype=torch.int64)
torch.onnx.export(Predictor(model), (example,), "TextRCNN.onnx", dynamo=False, opset_version=14,
                  input_names=["input_x:0"], output_names=["predictions:0"],
                  dynamic_axes={"input_x:0": {0: "batch"}})

testX, testY = load_data("test")
sess = ort.InferenceSession("TextRCNN.onnx", providers=["CPUExecutionProvider"])
for input_meta in sess.get_inputs():
    print(input_meta)
for output_meta in sess.get_outputs():
    print(output_meta)

correct = 0
for input, label in zip(testX, testY):
    feed_data = {"input_x:0": np.array([input], dtype=np.int64)}
    result = sess.run(["predictions:0"], feed_data)
    correct += int(result[0][0] == label)
print("accuracy", correct / len(testX))
