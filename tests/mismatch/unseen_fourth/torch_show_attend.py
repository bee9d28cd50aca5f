# Show, attend and tell: captions a picture and shows where the network looked at each word.
import torch
import torch.nn as nn
import torch.nn.functional as F

WORDS = ["<start>", "<eos>", "<unk>", "<pad>", "a", "dog", "on", "the", "beach", "boat", "with", "two", "people", "red"]


class Encoder(nn.Module):
    """VGG19 keeps 14x14 cells of 24 channels here, the ResNet 7x7 cells of 40."""

    def __init__(self, network="vgg19"):
        super().__init__()
        self.network = network
        if network == "resnet152":
            self.dim, widths = 40, (8, 16, 24, 32, 40)
        else:
            self.dim, widths = 24, (8, 12, 16, 24)
        layers, n_in = [], 3
        for n_out in widths:
            layers += [nn.Conv2d(n_in, n_out, 3, 2, 1), nn.BatchNorm2d(n_out), nn.ReLU()]
            n_in = n_out
        self.net = nn.Sequential(*layers)

    def forward(self, x):
        x = self.net(x)
        x = x.permute(0, 2, 3, 1)
        return x.reshape(x.size(0), -1, x.size(-1))


class Attention(nn.Module):
    def __init__(self, encoder_dim, hidden=32):
        super().__init__()
        self.U, self.W, self.v = nn.Linear(hidden, hidden), nn.Linear(encoder_dim, hidden), nn.Linear(hidden, 1)

    def forward(self, img_features, hidden_state):
        att = torch.tanh(self.W(img_features) + self.U(hidden_state).unsqueeze(1))
        alpha = F.softmax(self.v(att).squeeze(2), dim=1)
        context = (img_features * alpha.unsqueeze(2)).sum(1)
        return context, alpha


class Decoder(nn.Module):
    def __init__(self, vocabulary_size, encoder_dim, hidden=32):
        super().__init__()
        self.vocabulary_size = vocabulary_size
        self.init_h, self.init_c = nn.Linear(encoder_dim, hidden), nn.Linear(encoder_dim, hidden)
        self.f_beta = nn.Linear(hidden, encoder_dim)
        self.deep_output = nn.Linear(hidden, vocabulary_size)
        self.attention = Attention(encoder_dim, hidden)
        self.embedding = nn.Embedding(vocabulary_size, hidden)
        self.lstm = nn.LSTMCell(hidden + encoder_dim, hidden)

    def caption(self, img_features, beam_size, max_len=8):
        """Beam search; the best sentence and the weights of the attention for each of its words."""
        prev_words = torch.zeros(beam_size, 1, dtype=torch.long)
        sentences, top_preds = prev_words, torch.zeros(beam_size, 1)
        alphas = torch.ones(beam_size, 1, img_features.size(1))
        avg = img_features.mean(dim=1)
        h, c = torch.tanh(self.init_h(avg)), torch.tanh(self.init_c(avg))
        for _ in range(max_len):
            embedding = self.embedding(prev_words).squeeze(1)
            context, alpha = self.attention(img_features, h)
            context = torch.sigmoid(self.f_beta(h)) * context
            h, c = self.lstm(torch.cat((embedding, context), dim=1), (h, c))
            output = F.log_softmax(self.deep_output(h), dim=1)
            output = top_preds.expand_as(output) + output
            top_preds, top_words = output.view(-1).topk(beam_size, 0, True, True)
            prev_idxs, next_words = top_words // self.vocabulary_size, top_words % self.vocabulary_size
            sentences = torch.cat((sentences[prev_idxs], next_words.unsqueeze(1)), dim=1)
            alphas = torch.cat((alphas[prev_idxs], alpha[prev_idxs].unsqueeze(1)), dim=1)
            h, c, img_features = h[prev_idxs], c[prev_idxs], img_features[prev_idxs]
            top_preds, prev_words = top_preds.unsqueeze(1), next_words.unsqueeze(1)
        best = top_preds.argmax()
        return sentences[best].tolist(), alphas[best].tolist()


def generate_caption_visualization(encoder, decoder, img, word_dict, beam_size=3):
    img_features = encoder(img)
    img_features = img_features.expand(beam_size, img_features.size(1), img_features.size(2))
    sentence, alpha = decoder.caption(img_features, beam_size)
    tokens = [word_dict[index] for index in sentence]
    overlays = []
    for idx in range(len(tokens)):
        weights = torch.tensor(alpha[idx])
        shape_size = 14
        alpha_img = weights.view(shape_size, shape_size)
        alpha_img = F.interpolate(alpha_img[None, None], size=img.shape[-2:], mode="bicubic", align_corners=False)
        overlays.append(img[0] * 0.2 + 0.8 * alpha_img[0])
    return tokens, overlays


torch.manual_seed(0)
network = "resnet152"
encoder = Encoder(network).eval()
decoder = Decoder(len(WORDS), encoder.dim).eval()
img = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
with torch.no_grad():
    tokens, overlays = generate_caption_visualization(encoder, decoder, img, dict(enumerate(WORDS)))
print(" ".join(tokens), len(overlays), tuple(overlays[0].shape))
