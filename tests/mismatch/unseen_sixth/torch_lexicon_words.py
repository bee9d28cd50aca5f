"""Named entities in Chinese: a transformer over characters that also attends to the words of a lexicon."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(0)

LEXICON = ["北京", "北京大学", "大学", "学生", "大学生", "上海", "海港", "上海港", "天气", "气候", "今天", "明天"]
TAGS = ["O", "B-LOC", "I-LOC", "B-ORG", "I-ORG"]
SENTENCES = [("北京大学生今天去上海", "B-LOC I-LOC O O O O O O B-LOC I-LOC"), ("上海港明天天气", "B-LOC I-LOC I-LOC O O O O"),
             ("北京大学在北京", "B-ORG I-ORG I-ORG I-ORG O B-LOC I-LOC"), ("今天上海天气", "O O B-LOC I-LOC O O"),
             ("大学生去北京大学", "O O O O B-ORG I-ORG I-ORG I-ORG")]
CHARS = {c: i + 1 for i, c in enumerate(sorted({c for s, _ in SENTENCES for c in s}))}
WORDS = {w: i + 1 for i, w in enumerate(LEXICON)}
MAX_WORD_NUM = 3


class NERDataset(Dataset):
    def __init__(self, max_seq_len=12):
        self.features = [self.feature(s, t.split(), max_seq_len) for s, t in SENTENCES]

    @staticmethod
    def feature(text, tags, max_seq_len):
        """Ids of characters, and for each character the words of the lexicon that cover it."""
        input_ids, labels = [CHARS[c] for c in text], [TAGS.index(t) for t in tags]
        word_ids, word_mask = [], []
        for i in range(len(text)):
            found = [w for w in LEXICON for start in range(max(0, i - len(w) + 1), i + 1) if text.startswith(w, start)]
            ids = [WORDS[w] for w in found][:MAX_WORD_NUM]
            word_ids.append(ids + [0] * (MAX_WORD_NUM - len(ids)))
            word_mask.append([0] * len(ids) + [1] * (MAX_WORD_NUM - len(ids)))
        pad = max_seq_len - len(text)
        return {"input_ids": input_ids + [0] * pad, "attention_mask": [1] * len(text) + [0] * pad,
                "label_ids": labels + [-100] * pad, "word_ids": word_ids + [[0] * MAX_WORD_NUM] * pad,
                "word_mask": word_mask + [[1] * MAX_WORD_NUM] * pad}

    def __len__(self):
        return len(self.features)

    def __getitem__(self, i):
        return {k: torch.tensor(v).long() for k, v in self.features[i].items()}


class WordEmbeddingAdapter(nn.Module):
    def __init__(self, word_dim, hidden):
        super().__init__()
        self.linear1 = nn.Linear(word_dim, hidden)
        self.linear2 = nn.Linear(hidden, hidden)
        self.attn_W = nn.Parameter(torch.randn(hidden, hidden) * 0.05)
        self.layer_norm = nn.LayerNorm(hidden)

    def forward(self, layer_output, word_embeddings, word_mask):
        word_outputs = self.linear2(torch.tanh(self.linear1(word_embeddings)))
        scores = (layer_output.unsqueeze(2) @ self.attn_W @ word_outputs.transpose(2, 3)).squeeze(2)
        scores.masked_fill_(word_mask, -1e9)
        attn = F.softmax(scores, dim=-1)
        weighted = (attn.unsqueeze(-1) * word_outputs).sum(2)
        return self.layer_norm(layer_output + weighted)


class LEBertSoftmax(nn.Module):
    def __init__(self, hidden=32, word_dim=20, add_layer=1, layers=3):
        super().__init__()
        self.char_embeddings = nn.Embedding(len(CHARS) + 1, hidden)
        self.position_embeddings = nn.Embedding(16, hidden)
        self.word_embeddings = nn.Embedding(len(WORDS) + 1, word_dim)
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(hidden, 4, 48, dropout=0.1, batch_first=True) for _ in range(layers))
        self.add_layer, self.adapter = add_layer, WordEmbeddingAdapter(word_dim, hidden)
        self.classifier = nn.Linear(hidden, len(TAGS))

    def forward(self, input_ids, attention_mask, word_ids, word_mask, label_ids=None):
        x = self.char_embeddings(input_ids) + self.position_embeddings(torch.arange(input_ids.size(1)))
        for i, layer in enumerate(self.layers):
            x = layer(x, src_key_padding_mask=attention_mask == 0)
            if i == self.add_layer:
                x = self.adapter(x, self.word_embeddings(word_ids), word_mask)
        logits = self.classifier(x)
        loss = None
        if label_ids is not None:
            loss = F.cross_entropy(logits.flatten(0, 1), label_ids.flatten(), ignore_index=-100)
        return loss, logits


model = LEBertSoftmax()
optimizer = torch.optim.AdamW([{"params": model.layers.parameters(), "lr": 1e-4},
                               {"params": [p for n, p in model.named_parameters() if not n.startswith("layers")], "lr": 1e-3}])
loader = DataLoader(NERDataset(), batch_size=2, shuffle=True)
for epoch in range(2):
    for batch in loader:
        loss, logits = model(**batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print("epoch", epoch, "loss", loss.item())
