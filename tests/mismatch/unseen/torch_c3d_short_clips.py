# Action recognition with C3D on short clips.
import torch
import torch.nn as nn


class C3D(nn.Module):
    def __init__(self, num_classes, w=8):
        super().__init__()
        self.conv1 = nn.Conv3d(3, w, kernel_size=(3, 3, 3), padding=(1, 1, 1))
        self.pool1 = nn.MaxPool3d(kernel_size=(1, 2, 2), stride=(1, 2, 2))
        self.conv2 = nn.Conv3d(w, w * 2, kernel_size=(3, 3, 3), padding=(1, 1, 1))
        self.pool2 = nn.MaxPool3d(kernel_size=(2, 2, 2), stride=(2, 2, 2))
        self.conv3a = nn.Conv3d(w * 2, w * 4, kernel_size=(3, 3, 3), padding=(1, 1, 1))
        self.conv3b = nn.Conv3d(w * 4, w * 4, kernel_size=(3, 3, 3), padding=(1, 1, 1))
        self.pool3 = nn.MaxPool3d(kernel_size=(2, 2, 2), stride=(2, 2, 2))
        self.conv4a = nn.Conv3d(w * 4, w * 8, kernel_size=(3, 3, 3), padding=(1, 1, 1))
        self.conv4b = nn.Conv3d(w * 8, w * 8, kernel_size=(3, 3, 3), padding=(1, 1, 1))
        self.pool4 = nn.MaxPool3d(kernel_size=(2, 2, 2), stride=(2, 2, 2))
        self.conv5a = nn.Conv3d(w * 8, w * 8, kernel_size=(3, 3, 3), padding=(1, 1, 1))
        self.conv5b = nn.Conv3d(w * 8, w * 8, kernel_size=(3, 3, 3), padding=(1, 1, 1))
        self.pool5 = nn.MaxPool3d(kernel_size=(2, 2, 2), stride=(2, 2, 2), padding=(0, 1, 1))
        self.fc6 = nn.Linear(w * 8 * 4 * 4, 256)
        self.fc7 = nn.Linear(256, 256)
        self.fc8 = nn.Linear(256, num_classes)
        self.dropout = nn.Dropout(p=0.5)
        self.relu = nn.ReLU()

    def forward(self, x):
        h = self.pool1(self.relu(self.conv1(x)))
        h = self.pool2(self.relu(self.conv2(h)))
        h = self.relu(self.conv3b(self.relu(self.conv3a(h))))
        h = self.pool3(h)
        h = self.relu(self.conv4b(self.relu(self.conv4a(h))))
        h = self.pool4(h)
        h = self.relu(self.conv5b(self.relu(self.conv5a(h))))
        h = self.pool5(h)
        h = h.view(h.size(0), -1)
        h = self.dropout(self.relu(self.fc6(h)))
        h = self.dropout(self.relu(self.fc7(h)))
        return self.fc8(h)


def sample_clips(video, clip_length, count):
    """Clips of consecutive frames, as (clip, channel, frame, height, width)."""
    last = video.size(1) - clip_length
    return torch.stack([video[:, i * last // count : i * last // count + clip_length] for i in range(count)])


torch.manual_seed(0)
clip_length = 15
video = torch.rand(3, 60, 112, 112)
net = C3D(num_classes=21)
criterion = nn.CrossEntropyLoss()
clips = sample_clips(video, clip_length, count=2)
loss = criterion(net(clips), torch.tensor([4, 17]))
loss.backward()
print("loss", loss.item())
