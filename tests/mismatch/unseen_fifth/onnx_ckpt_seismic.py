"""Embeddings of seismic sections with a masked autoencoder, from the weights that were published with it."""
import io
from functools import partial

import torch
import torch.nn as nn

torch.manual_seed(0)


class Block(nn.Module):
    def __init__(self, dim, num_heads, mlp_ratio=2.0, norm_layer=nn.LayerNorm):
        super().__init__()
        self.norm1, self.norm2 = norm_layer(dim), norm_layer(dim)
        self.attn = nn.MultiheadAttention(dim, num_heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(dim, int(dim * mlp_ratio)), nn.GELU(), nn.Linear(int(dim * mlp_ratio), dim))

    def forward(self, x):
        n = self.norm1(x)
        x = x + self.attn(n, n, n, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class MaskedAutoencoderViT(nn.Module):
    def __init__(self, img_size=56, patch_size=8, in_chans=1, embed_dim=48, depth=2, num_heads=4,
                 decoder_embed_dim=32, decoder_depth=2, decoder_num_heads=4, norm_layer=nn.LayerNorm):
        super().__init__()
        self.patch_size = patch_size
        num_patches = (img_size // patch_size) ** 2
        self.patch_embed = nn.Conv2d(in_chans, embed_dim, patch_size, patch_size)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, num_patches + 1, embed_dim))
        self.blocks = nn.ModuleList(Block(embed_dim, num_heads, norm_layer=norm_layer) for _ in range(depth))
        self.norm = norm_layer(embed_dim)
        # decoder
        self.decoder_embed = nn.Linear(embed_dim, decoder_embed_dim)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, decoder_embed_dim))
        self.decoder_pos_embed = nn.Parameter(torch.zeros(1, num_patches + 1, decoder_embed_dim))
        self.decoder_blocks = nn.ModuleList(
            Block(decoder_embed_dim, decoder_num_heads, norm_layer=norm_layer) for _ in range(decoder_depth))
        self.decoder_norm = norm_layer(decoder_embed_dim)
        self.decoder_pred = nn.Linear(decoder_embed_dim, patch_size**2 * in_chans)

    def random_masking(self, x, mask_ratio):
        N, L, D = x.shape
        keep = int(L * (1 - mask_ratio))
        ids_shuffle = torch.rand(N, L).argsort(dim=1)
        ids_restore = ids_shuffle.argsort(dim=1)
        x = x.gather(1, ids_shuffle[:, :keep, None].expand(-1, -1, D))
        return x, ids_restore

    def forward_encoder(self, x, mask_ratio):
        x = self.patch_embed(x).flatten(2).transpose(1, 2) + self.pos_embed[:, 1:]
        x, ids_restore = self.random_masking(x, mask_ratio)
        cls = (self.cls_token + self.pos_embed[:, :1]).expand(len(x), -1, -1)
        x = torch.cat([cls, x], dim=1)
        for blk in self.blocks:
            x = blk(x)
        return self.norm(x), ids_restore

    def forward_decoder(self, x, ids_restore):
        x = self.decoder_embed(x)
        masks = self.mask_token.expand(len(x), ids_restore.shape[1] + 1 - x.shape[1], -1)
        x_ = torch.cat([x[:, 1:], masks], dim=1)
        x_ = x_.gather(1, ids_restore[..., None].expand(-1, -1, x.shape[2]))
        x = torch.cat([x[:, :1], x_], dim=1) + self.decoder_pos_embed
        for blk in self.decoder_blocks:
            x = blk(x)
        return self.decoder_pred(self.decoder_norm(x))[:, 1:]


def mae_vit_small_patch8(**kwargs):
    return MaskedAutoencoderViT(embed_dim=48, depth=2, num_heads=4, norm_layer=partial(nn.LayerNorm, eps=1e-6), **kwargs)


def published_weights():
    """SFM-small.pth; run_pretrain.sh had --decoder_embed_dim 16 --decoder_depth 2"""
    torch.manual_seed(7)
    buffer = io.BytesIO()
    torch.save({"model": mae_vit_small_patch8(decoder_embed_dim=16).state_dict()}, buffer)
    buffer.seek(0)
    return buffer


def prepare_model(weights, arch="mae_vit_small_patch8"):
    model = globals()[arch]()
    checkpoint = torch.load(weights, map_location="cpu")
    msg = model.load_state_dict(checkpoint["model"], strict=False)
    print(msg)
    return model.eval()


model = prepare_model(published_weights())
section = torch.randn(2, 1, 56, 56)
section = (section - section.mean()) / section.std()
with torch.no_grad():
    latent, ids = model.forward_encoder(section, mask_ratio=0.0)
    embedding = latent[:, 1:].mean(dim=1)
    print("embedding", tuple(embedding.shape))
    masked, ids = model.forward_encoder(section, mask_ratio=0.75)
    print("reconstruction", tuple(model.forward_decoder(masked, ids).shape))
