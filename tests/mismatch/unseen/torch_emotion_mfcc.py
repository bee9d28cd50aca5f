# Emotions in speech: two parallel CNNs and a transformer over MFCCs.
import torch
import torch.nn as nn


class ParallelNet(nn.Module):
    def __init__(self, num_emotions):
        super().__init__()
        self.transformer_maxpool = nn.MaxPool2d(kernel_size=[1, 4], stride=[1, 4])
        layer = nn.TransformerEncoderLayer(d_model=40, nhead=4, dim_feedforward=128, dropout=0.4)
        self.transformer_encoder = nn.TransformerEncoder(layer, num_layers=2)
        self.conv2Dblock1 = self._block()
        self.conv2Dblock2 = self._block()
        self.fc1_linear = nn.Linear(64 * 1 * 8 * 2 + 40, num_emotions)
        self.softmax_out = nn.Softmax(dim=1)

    @staticmethod
    def _block():
        return nn.Sequential(
            nn.Conv2d(1, 16, kernel_size=3, stride=1, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=2, stride=2),
            nn.Dropout(p=0.3),
            nn.Conv2d(16, 32, kernel_size=3, stride=1, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=4, stride=4),
            nn.Dropout(p=0.3),
            nn.Conv2d(32, 64, kernel_size=3, stride=1, padding=1),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=4, stride=4),
            nn.Dropout(p=0.3),
        )

    def forward(self, x):
        conv2d_embedding1 = torch.flatten(self.conv2Dblock1(x), start_dim=1)
        conv2d_embedding2 = torch.flatten(self.conv2Dblock2(x), start_dim=1)
        x_reduced = torch.squeeze(self.transformer_maxpool(x), 1)
        x = x_reduced.permute(2, 0, 1)
        transformer_embedding = torch.mean(self.transformer_encoder(x), dim=0)
        complete_embedding = torch.cat([conv2d_embedding1, conv2d_embedding2, transformer_embedding], dim=1)
        output_logits = self.fc1_linear(complete_embedding)
        return output_logits, self.softmax_out(output_logits)


def feature_mfcc(seconds, sample_rate=48000, hop=512, n_mfcc=40):
    frames = int(seconds * sample_rate) // hop + 1
    return torch.randn(n_mfcc, frames)


def make_train_step(model, optimizer):
    def step(X, Y):
        logits, probs = model(X)
        loss = nn.functional.cross_entropy(logits, Y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.item(), (probs.argmax(1) == Y).float().mean().item()

    return step


torch.manual_seed(0)
features = torch.stack([feature_mfcc(5.3) for _ in range(8)]).unsqueeze(1)
print("features", tuple(features.shape))
model = ParallelNet(num_emotions=8)
train_step = make_train_step(model, torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.8))
print(train_step(features, torch.randint(0, 8, (8,))))
