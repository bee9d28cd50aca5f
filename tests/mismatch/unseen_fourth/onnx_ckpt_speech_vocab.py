"""Fine-tunes a flow-matching text-to-speech model from the published checkpoint on texts of our own."""
import torch
import torch.nn as nn
import torch.nn.functional as F

MELS = 20


def get_tokenizer(dataset_name, tokenizer="pinyin"):
    """Characters or pinyin of a vocab.txt, or bytes: the map of the symbols and its size."""
    if tokenizer in ("pinyin", "char"):
        with open(f"data/{dataset_name}_{tokenizer}/vocab.txt", encoding="utf-8") as f:
            vocab_char_map = {line[:-1]: i for i, line in enumerate(f)}
        return vocab_char_map, len(vocab_char_map)
    if tokenizer == "byte":
        return None, 256
    raise ValueError(tokenizer)


def encode(texts, vocab_char_map):
    if vocab_char_map is None:
        ids = [torch.tensor([*bytes(t, "UTF-8")]) for t in texts]
    else:
        ids = [torch.tensor([vocab_char_map.get(c, 0) for c in t]) for t in texts]
    return nn.utils.rnn.pad_sequence(ids, padding_value=-1, batch_first=True)


class TextEmbedding(nn.Module):
    def __init__(self, text_num_embeds, text_dim):
        super().__init__()
        self.text_embed = nn.Embedding(text_num_embeds + 1, text_dim)  # 0 is the filler
        self.text_blocks = nn.Conv1d(text_dim, text_dim, 7, padding=3)

    def forward(self, text, seq_len):
        text = F.pad(text + 1, (0, max(seq_len - text.shape[1], 0)))[:, :seq_len]
        text = self.text_embed(text)
        return text + F.gelu(self.text_blocks(text.transpose(1, 2)).transpose(1, 2))


class DiT(nn.Module):
    def __init__(self, dim=32, depth=2, heads=4, text_num_embeds=256, text_dim=24, mel_dim=MELS):
        super().__init__()
        self.time_embed = nn.Sequential(nn.Linear(1, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.text_embed = TextEmbedding(text_num_embeds, text_dim)
        self.input_embed = nn.Linear(mel_dim * 2 + text_dim, dim)
        layer = nn.TransformerEncoderLayer(dim, heads, 2 * dim, batch_first=True, dropout=0.0)
        self.transformer_blocks = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.proj_out = nn.Linear(dim, mel_dim)

    def forward(self, x, cond, text, time):
        x = self.input_embed(torch.cat((x, cond, self.text_embed(text, x.shape[1])), dim=-1))
        return self.proj_out(self.transformer_blocks(x + self.time_embed(time[:, None])[:, None]))


class CFM(nn.Module):
    """Conditional flow matching with infilling."""

    def __init__(self, transformer, vocab_char_map):
        super().__init__()
        self.transformer, self.vocab_char_map = transformer, vocab_char_map

    def forward(self, inp, texts):
        text = encode(texts, self.vocab_char_map)
        x1, x0, time = inp, torch.randn_like(inp), torch.rand(len(inp))
        t = time[:, None, None]
        mask = torch.rand(inp.shape[:2]) < 0.7
        cond = torch.where(mask[..., None], torch.zeros_like(x1), x1)
        pred = self.transformer((1 - t) * x0 + t * x1, cond, text, time)
        return F.mse_loss(pred[mask], (x1 - x0)[mask])


def prepare(symbols):
    """The files of the release: the vocabulary and the checkpoint that was trained with it."""
    import os

    os.makedirs("data/Emilia_ZH_EN_pinyin", exist_ok=True)
    with open("data/Emilia_ZH_EN_pinyin/vocab.txt", "w", encoding="utf-8") as f:
        f.writelines(f"{s}\n" for s in symbols)
    torch.manual_seed(0)
    released = CFM(DiT(text_num_embeds=len(symbols)), None)
    torch.save({"ema_model_state_dict": released.state_dict(), "step": 1200000}, "ckpts_model_1200000.pt")


prepare([" ", *"abcdefghijklmnopqrstuvwxyz", *(f"{a}{b}{n}" for a in "bpmfdtnlgkhj" for b in ("a", "o", "i", "u") for n in "1234")])

tokenizer = "byte"
vocab_char_map, vocab_size = get_tokenizer("Emilia_ZH_EN", tokenizer)
model = CFM(DiT(text_num_embeds=vocab_size), vocab_char_map)
checkpoint = torch.load("ckpts_model_1200000.pt")
model.load_state_dict(checkpoint["ema_model_state_dict"])
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
for step in range(2):
    mel = torch.randn(3, 50, MELS)
    loss = model(mel, ["good morning", "how do you do", "see you"])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("loss", round(loss.item(), 3))
