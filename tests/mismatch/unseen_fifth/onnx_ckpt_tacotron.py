"""A server for speech: loads a Tacotron from best_model.pth.tar and its config.json."""
import json
import os
import tempfile

import torch
import torch.nn as nn

torch.manual_seed(0)
folder = tempfile.mkdtemp()

symbols = list("_~!'(),-.:;? abcdefghijklmnopqrstuvwxyz")


class Prenet(nn.Module):
    def __init__(self, in_features, out_features=(24, 16)):
        super().__init__()
        sizes = [in_features, *out_features]
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in zip(sizes[:-1], sizes[1:]))

    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x))
        return x


class Encoder(nn.Module):
    def __init__(self, in_features):
        super().__init__()
        self.prenet = Prenet(in_features)
        self.rnn = nn.GRU(16, 16, batch_first=True, bidirectional=True)

    def forward(self, x):
        return self.rnn(self.prenet(x))[0]


class Decoder(nn.Module):
    def __init__(self, in_features, memory_dim, r):
        super().__init__()
        self.r, self.memory_dim = r, memory_dim
        self.prenet = Prenet(memory_dim)
        self.attention_rnn = nn.GRUCell(16 + in_features, 32)
        self.query = nn.Linear(32, in_features)
        self.proj_to_mel = nn.Linear(32, memory_dim * r)

    def forward(self, inputs, steps):
        b = inputs.size(0)
        memory, h = inputs.new_zeros(b, self.memory_dim), inputs.new_zeros(b, 32)
        context, outputs = inputs.mean(1), []
        for _ in range(steps):
            h = self.attention_rnn(torch.cat([self.prenet(memory), context], -1), h)
            align = torch.softmax((inputs @ self.query(h).unsqueeze(-1)).squeeze(-1), -1)
            context = (align.unsqueeze(-1) * inputs).sum(1)
            out = self.proj_to_mel(h).view(b, self.r, self.memory_dim)
            outputs.append(out)
            memory = out[:, -1]
        return torch.cat(outputs, 1)


class Tacotron(nn.Module):
    def __init__(self, num_chars, num_speakers, r=5, linear_dim=65, mel_dim=20, embedding_dim=32):
        super().__init__()
        self.mel_dim, self.linear_dim = mel_dim, linear_dim
        self.embedding = nn.Embedding(num_chars, embedding_dim)
        self.encoder = Encoder(embedding_dim)
        if num_speakers > 1:
            self.speaker_embedding = nn.Embedding(num_speakers, 32)
        self.decoder = Decoder(32, mel_dim, r)
        self.last_linear = nn.Linear(mel_dim, linear_dim)

    def forward(self, characters, steps=6):
        mel = self.decoder(self.encoder(self.embedding(characters)), steps)
        return mel, self.last_linear(mel)


class AudioProcessor:
    def __init__(self, num_mels, num_freq, **kwargs):
        self.num_mels, self.num_freq = num_mels, num_freq


def train():
    """What train.py left in the folder."""
    config = {"r": 7, "embedding_size": 32, "text_cleaner": "english",
              "audio": {"num_mels": 20, "num_freq": 65, "sample_rate": 22050}}
    ap = AudioProcessor(**config["audio"])
    model = Tacotron(num_chars=len(symbols), num_speakers=1, r=config["r"], linear_dim=ap.num_freq,
                     mel_dim=ap.num_mels)
    torch.save({"model": model.state_dict(), "step": 185000}, os.path.join(folder, "best_model.pth.tar"))
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config, f)


# ------------------------------------------------------------------ server/synthesizer.py
class Synthesizer:
    def load_model(self, model_path, model_name, model_config):
        model_config = os.path.join(model_path, model_config)
        model_file = os.path.join(model_path, model_name)
        print(" > Loading model ...")
        print(" | > model config: ", os.path.basename(model_config))
        print(" | > model file: ", os.path.basename(model_file))
        with open(model_config) as f:
            config = json.load(f)
        self.config = config
        self.ap = AudioProcessor(**config["audio"])
        self.model = Tacotron(len(symbols), config["embedding_size"], self.ap.num_freq, self.ap.num_mels, config["r"])
        cp = torch.load(model_file)
        self.model.load_state_dict(cp["model"])
        self.model.eval()

    def tts(self, text):
        ids = torch.tensor([[symbols.index(c) for c in text.lower() if c in symbols]])
        with torch.no_grad():
            mel, linear = self.model(ids)
        return linear[0].numpy()


train()
synthesizer = Synthesizer()
synthesizer.load_model(folder, "best_model.pth.tar", "config.json")
print("frames", synthesizer.tts("Be a voice, not an echo.").shape)
