# Sentiment of tweets with a bidirectional LSTM over packed sequences.
import torch
import torch.nn as nn

PAD_IDX = 0


def load_tweets(n=96):
    """Numbers of words and the label; stands for the csv file and its tokenizer."""
    generator = torch.Generator().manual_seed(4)
    tweets = []
    for _ in range(n):
        length = int(torch.randint(5, 24, (), generator=generator))
        ids = torch.randint(1, 400, (length,), generator=generator)
        tweets.append((ids, float(ids.sum() % 2)))
    return tweets


class BucketIterator:
    """Batches of about the same length; text is (longest, batch), its lengths come with it."""

    def __init__(self, examples, batch_size):
        self.batch_size = batch_size
        self.examples = sorted(examples, key=lambda e: len(e[0]))

    def __iter__(self):
        for start in range(0, len(self.examples), self.batch_size):
            batch = sorted(self.examples[start:start + self.batch_size], key=lambda e: -len(e[0]))
            lengths = torch.tensor([len(ids) for ids, _ in batch])
            text = nn.utils.rnn.pad_sequence([ids for ids, _ in batch], padding_value=PAD_IDX)
            yield text, lengths, torch.tensor([label for _, label in batch])


class RNN(nn.Module):
    def __init__(self, vocab_size, embedding_dim, hidden_dim, output_dim, n_layers, bidirectional, dropout, pad_idx):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim, padding_idx=pad_idx)
        self.rnn = nn.LSTM(embedding_dim, hidden_dim, num_layers=n_layers, bidirectional=bidirectional,
                           dropout=dropout, batch_first=True)
        self.fc = nn.Linear(hidden_dim * 2, output_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, text, text_lengths):
        # text = [sent len, batch size]
        embedded = self.dropout(self.embedding(text))
        # pack sequence; lengths need to be on CPU!
        packed_embedded = nn.utils.rnn.pack_padded_sequence(embedded, text_lengths.to("cpu"), batch_first=True)
        packed_output, (hidden, cell) = self.rnn(packed_embedded)
        output, output_lengths = nn.utils.rnn.pad_packed_sequence(packed_output, batch_first=True)
        # concat the final forward and backward hidden layers
        hidden = self.dropout(torch.cat((hidden[-2, :, :], hidden[-1, :, :]), dim=1))
        return self.fc(hidden)


def binary_accuracy(preds, y):
    rounded_preds = torch.round(torch.sigmoid(preds))
    return (rounded_preds == y).float().mean()


def train(model, iterator, optimizer, criterion):
    epoch_loss, epoch_acc, n = 0.0, 0.0, 0
    model.train()
    for text, text_lengths, label in iterator:
        optimizer.zero_grad()
        predictions = model(text, text_lengths).squeeze(1)
        loss = criterion(predictions, label)
        acc = binary_accuracy(predictions, label)
        loss.backward()
        optimizer.step()
        epoch_loss, epoch_acc, n = epoch_loss + loss.item(), epoch_acc + acc.item(), n + 1
    return epoch_loss / n, epoch_acc / n


torch.manual_seed(0)
train_iterator = BucketIterator(load_tweets(), batch_size=32)
model = RNN(vocab_size=400, embedding_dim=20, hidden_dim=24, output_dim=1, n_layers=2, bidirectional=True,
            dropout=0.3, pad_idx=PAD_IDX)
optimizer = torch.optim.Adam(model.parameters())
criterion = nn.BCEWithLogitsLoss()
train_loss, train_acc = train(model, train_iterator, optimizer, criterion)
print(f"train loss {train_loss:.3f}, accuracy {train_acc:.2f}")
