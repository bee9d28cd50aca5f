# Sentence VAE: trains a few steps on tokens, then samples sentences from the prior.
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.nn.utils.rnn as rnn_utils

PAD, SOS, EOS = 0, 1, 2


class SentenceVAE(nn.Module):
    def __init__(self, vocab_size, embedding_size, rnn_type, hidden_size, latent_size, max_sequence_length,
                 num_layers=1, bidirectional=False):
        super().__init__()
        self.latent_size, self.max_sequence_length = latent_size, max_sequence_length
        self.bidirectional, self.num_layers, self.hidden_size = bidirectional, num_layers, hidden_size
        self.embedding = nn.Embedding(vocab_size, embedding_size)
        rnn = {"rnn": nn.RNN, "gru": nn.GRU}[rnn_type]
        self.encoder_rnn = rnn(embedding_size, hidden_size, num_layers=num_layers, bidirectional=bidirectional,
                               batch_first=True)
        self.decoder_rnn = rnn(embedding_size, hidden_size, num_layers=num_layers, bidirectional=bidirectional,
                               batch_first=True)
        self.hidden_factor = (2 if bidirectional else 1) * num_layers
        self.hidden2mean = nn.Linear(hidden_size * self.hidden_factor, latent_size)
        self.hidden2logv = nn.Linear(hidden_size * self.hidden_factor, latent_size)
        self.latent2hidden = nn.Linear(latent_size, hidden_size * self.hidden_factor)
        self.outputs2vocab = nn.Linear(hidden_size * (2 if bidirectional else 1), vocab_size)

    def forward(self, input_sequence, length):
        batch_size = input_sequence.size(0)
        sorted_lengths, sorted_idx = torch.sort(length, descending=True)
        input_sequence = input_sequence[sorted_idx]
        input_embedding = self.embedding(input_sequence)
        packed_input = rnn_utils.pack_padded_sequence(input_embedding, sorted_lengths.tolist(), batch_first=True)
        _, hidden = self.encoder_rnn(packed_input)
        if self.bidirectional or self.num_layers > 1:
            # flatten hidden state
            hidden = hidden.transpose(0, 1).reshape(batch_size, self.hidden_size * self.hidden_factor)
        else:
            hidden = hidden.squeeze()
        mean, logv = self.hidden2mean(hidden), self.hidden2logv(hidden)
        z = torch.randn([batch_size, self.latent_size]) * torch.exp(0.5 * logv) + mean
        hidden = self.latent2hidden(z)
        if self.bidirectional or self.num_layers > 1:
            # unflatten hidden state
            hidden = hidden.view(batch_size, self.hidden_factor, self.hidden_size).transpose(0, 1).contiguous()
        else:
            hidden = hidden.unsqueeze(0)
        outputs, _ = self.decoder_rnn(packed_input, hidden)
        padded_outputs = rnn_utils.pad_packed_sequence(outputs, batch_first=True)[0].contiguous()
        _, reversed_idx = torch.sort(sorted_idx)
        padded_outputs = padded_outputs[reversed_idx]
        logp = F.log_softmax(self.outputs2vocab(padded_outputs), dim=-1)
        return logp, mean, logv, z

    def inference(self, n=4, z=None):
        if z is None:
            batch_size = n
            z = torch.randn([batch_size, self.latent_size])
        else:
            batch_size = z.size(0)
        hidden = self.latent2hidden(z)
        if self.bidirectional or self.num_layers > 1:
            # unflatten hidden state
            hidden = hidden.view(self.hidden_factor, batch_size, self.hidden_size)
        hidden = hidden.unsqueeze(0)
        generations = torch.full((batch_size, self.max_sequence_length), PAD)
        input_sequence = torch.full((batch_size,), SOS)
        for t in range(self.max_sequence_length):
            input_embedding = self.embedding(input_sequence.unsqueeze(1))
            output, hidden = self.decoder_rnn(input_embedding, hidden)
            logits = self.outputs2vocab(output)
            input_sequence = logits.argmax(dim=-1).reshape(-1)
            generations[:, t] = input_sequence
        return generations, z


def batches(n, vocab_size, longest):
    for _ in range(n):
        lengths = torch.randint(4, longest + 1, (6,))
        lengths[0] = longest
        ids = torch.randint(3, vocab_size, (6, longest))
        ids[torch.arange(longest)[None] >= lengths[:, None]] = PAD
        source = torch.cat([torch.full((6, 1), SOS), ids[:, :-1]], dim=1)
        yield source, ids, lengths


torch.manual_seed(0)
model = SentenceVAE(vocab_size=70, embedding_size=20, rnn_type="gru", hidden_size=28, latent_size=9,
                    max_sequence_length=13, num_layers=1, bidirectional=True)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step, (source, target, lengths) in enumerate(batches(3, 70, 13)):
    logp, mean, logv, z = model(source, lengths)
    nll = F.nll_loss(logp.reshape(-1, logp.size(2)), target[:, :lengths.max()].reshape(-1), ignore_index=PAD)
    kl = -0.5 * torch.mean(1 + logv - mean.pow(2) - logv.exp())
    loss = nll + 0.1 * kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print("step", step, "loss", round(loss.item(), 3))

model.eval()
with torch.no_grad():
    samples, z = model.inference(n=10)
print("sampled", tuple(samples.shape))
