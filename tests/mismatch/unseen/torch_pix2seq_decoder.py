# Detection as a sequence: image features are decoded to tokens of boxes.
import torch
import torch.nn as nn


class Backbone(nn.Module):
    def __init__(self, out):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 32, 7, 4, 3), nn.BatchNorm2d(32), nn.ReLU(),
            nn.Conv2d(32, 64, 3, 2, 1), nn.BatchNorm2d(64), nn.ReLU(),
            nn.Conv2d(64, out, 3, 2, 1),
        )

    def forward(self, x):
        return self.body(x)


class Pix2Seq(nn.Module):
    def __init__(self, vocab, d_model=64, nhead=8, layers=2, max_len=120):
        super().__init__()
        self.backbone = Backbone(d_model)
        self.input_embed = nn.Embedding(vocab, d_model)
        self.query_pos = nn.Parameter(torch.randn(max_len, 1, d_model) * 0.02)
        self.feat_pos = nn.Parameter(torch.randn(1, 64, d_model) * 0.02)
        enc_layer = nn.TransformerEncoderLayer(d_model, nhead, 128, batch_first=True)
        self.encoder = nn.TransformerEncoder(enc_layer, layers)
        dec_layer = nn.TransformerDecoderLayer(d_model, nhead, 128)
        self.decoder = nn.TransformerDecoder(dec_layer, layers)
        self.vocab_embed = nn.Linear(d_model, vocab)

    def forward(self, images, tokens):
        feat = self.backbone(images).flatten(2).transpose(1, 2)
        memory = self.encoder(feat + self.feat_pos[:, : feat.shape[1]])
        input_embed = self.input_embed(tokens)
        input_embed = input_embed.transpose(0, 1)
        num_seq = input_embed.shape[0]
        attn_mask = torch.triu(torch.ones((num_seq, num_seq)), diagonal=1).bool()
        out_dec = self.decoder(input_embed + self.query_pos[:num_seq], memory, tgt_mask=attn_mask)
        return self.vocab_embed(out_dec.transpose(0, 1))


torch.manual_seed(0)
VOCAB = 400
model = Pix2Seq(VOCAB)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
images = torch.rand(4, 3, 128, 128)
tokens = torch.randint(0, VOCAB, (4, 101))
logits = model(images, tokens[:, :-1])
loss = nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
optimizer.zero_grad()
loss.backward()
optimizer.step()
print("loss", loss.item())
