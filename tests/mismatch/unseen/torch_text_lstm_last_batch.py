# Sentiment of film reviews with an LSTM.
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

BATCH_SIZE = 32
VOCAB_SIZE = 3000
SEQ_LEN = 80


class SentimentNet(nn.Module):
    def __init__(self, n_vocab, emb_dim=64, hidden_dim=96, output_dim=2, num_layers=1):
        super().__init__()
        self.hidden_dim = hidden_dim
        self.num_layers = num_layers
        self.embeddings = nn.Embedding(n_vocab, emb_dim)
        self.lstm = nn.LSTM(emb_dim, hidden_dim, num_layers, batch_first=True)
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(hidden_dim, output_dim)

    def init_hidden(self):
        return (torch.zeros(self.num_layers, BATCH_SIZE, self.hidden_dim),
                torch.zeros(self.num_layers, BATCH_SIZE, self.hidden_dim))

    def forward(self, text):
        x = self.embeddings(text)
        hidden = self.init_hidden()
        lstm_out, _ = self.lstm(x, hidden)
        out = self.dropout(lstm_out[:, -1, :])
        return self.fc(out)


torch.manual_seed(0)
reviews = torch.randint(1, VOCAB_SIZE, (200, SEQ_LEN))
labels = torch.randint(0, 2, (200,))
train_iter = DataLoader(TensorDataset(reviews, labels), batch_size=BATCH_SIZE, shuffle=True)

net = SentimentNet(VOCAB_SIZE)
criterion = nn.CrossEntropyLoss()
optim = torch.optim.Adam(net.parameters())
net.train()
for epoch in range(1):
    train_loss = 0.0
    for text, label in train_iter:
        optim.zero_grad()
        outputs = net(text)
        loss = criterion(outputs, label)
        train_loss += loss.item()
        loss.backward()
        optim.step()
    print(f"epoch {epoch} loss {train_loss / len(train_iter):.3f}")
