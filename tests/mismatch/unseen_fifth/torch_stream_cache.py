"""Cache-aware streaming recognition: a Conformer-like encoder reads the features chunk by chunk."""
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(1)

# conformer_ctc_bpe.yaml, the encoder's part
cfg = {
    "feat_in": 20,
    "n_layers": 2,
    "d_model": 32,
    "n_heads": 4,
    "subsampling_factor": 2,
    # [left, right] frames of context, -1 means unlimited
    "att_context_size": [-1, -1],
    "vocabulary": 28,
}


class StreamingConfig:
    """What the encoder needs to know for one step of streaming."""

    def __init__(self, att_context_size, max_context=400):
        left, right = att_context_size
        self.last_channel_cache_size = left if left >= 0 else max_context
        lookahead_steps = right if right >= 0 else max_context // 16
        self.chunk_size = lookahead_steps + 1 if right >= 0 else 20
        # frames at the end of a chunk are seen again as the beginning of the next one
        self.cache_drop_size = lookahead_steps if right != 0 else 0


class MultiHeadAttention(nn.Module):
    def __init__(self, n_head, n_feat):
        super().__init__()
        self.h, self.d_k = n_head, n_feat // n_head
        self.linear_q = nn.Linear(n_feat, n_feat)
        self.linear_k = nn.Linear(n_feat, n_feat)
        self.linear_v = nn.Linear(n_feat, n_feat)
        self.linear_out = nn.Linear(n_feat, n_feat)
        self.cache_drop_size = None
        self._cache_id = None

    def update_cache(self, key, value, query, cache, cache_next):
        if cache is not None:
            key = value = torch.cat([cache[self._cache_id], key], dim=1)
            q_length, cache_length = query.size(1), cache_next.size(2)
            q_keep_size = q_length - self.cache_drop_size
            cache_next[self._cache_id, :, :-q_keep_size, :] = cache[self._cache_id, :, q_keep_size:, :]
            cache_next[self._cache_id, :, -q_keep_size:, :] = query[:, :q_keep_size, :]
        return key, value, query

    def forward(self, query, key, value, cache=None, cache_next=None):
        key, value, query = self.update_cache(key, value, query, cache, cache_next)
        b = query.size(0)
        q = self.linear_q(query).view(b, -1, self.h, self.d_k).transpose(1, 2)
        k = self.linear_k(key).view(b, -1, self.h, self.d_k).transpose(1, 2)
        v = self.linear_v(value).view(b, -1, self.h, self.d_k).transpose(1, 2)
        x = F.scaled_dot_product_attention(q, k, v)
        return self.linear_out(x.transpose(1, 2).reshape(b, -1, self.h * self.d_k))


class ConformerLayer(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.norm_att, self.norm_ff = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.self_attn = MultiHeadAttention(n_heads, d_model)
        self.feed_forward = nn.Sequential(nn.Linear(d_model, 2 * d_model), nn.SiLU(), nn.Linear(2 * d_model, d_model))

    def forward(self, x, cache=None, cache_next=None):
        n = self.norm_att(x)
        x = x + self.self_attn(n, n, n, cache, cache_next)
        return x + self.feed_forward(self.norm_ff(x))


class ConformerEncoder(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.pre_encode = nn.Conv1d(cfg["feat_in"], cfg["d_model"], 3, stride=cfg["subsampling_factor"], padding=1)
        self.layers = nn.ModuleList(ConformerLayer(cfg["d_model"], cfg["n_heads"]) for _ in range(cfg["n_layers"]))
        self.decoder = nn.Linear(cfg["d_model"], cfg["vocabulary"] + 1)
        self.d_model = cfg["d_model"]
        self.streaming_cfg = StreamingConfig(cfg["att_context_size"])
        for i, layer in enumerate(self.layers):
            layer.self_attn._cache_id = i
            layer.self_attn.cache_drop_size = self.streaming_cfg.cache_drop_size

    def get_initial_cache_state(self, batch_size):
        return torch.zeros(len(self.layers), batch_size, self.streaming_cfg.last_channel_cache_size, self.d_model)

    def forward(self, audio_signal, cache_last_channel=None):
        x = self.pre_encode(audio_signal).transpose(1, 2)
        cache_next = None if cache_last_channel is None else torch.zeros_like(cache_last_channel)
        for layer in self.layers:
            x = layer(x, cache_last_channel, cache_next)
        return F.log_softmax(self.decoder(x), -1), cache_next


@torch.no_grad()
def perform_streaming(model, features, batch_size=1):
    cache = model.get_initial_cache_state(batch_size)
    frames = model.streaming_cfg.chunk_size * cfg["subsampling_factor"]
    hypothesis = []
    for start in range(0, features.size(2) - frames + 1, frames):
        log_probs, cache = model(features[:, :, start:start + frames], cache)
        hypothesis += log_probs[0].argmax(-1).tolist()
    return hypothesis


asr_model = ConformerEncoder(cfg).eval()
features = torch.randn(1, cfg["feat_in"], 96)
with torch.no_grad():
    offline, _ = asr_model(features)
print("offline mode:", tuple(offline.shape))
print("streaming mode:", len(perform_streaming(asr_model, features)))
