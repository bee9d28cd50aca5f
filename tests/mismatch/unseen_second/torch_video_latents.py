# Repaints a video: its latents are mixed with noise and cleaned by a diffusion transformer.
import torch
import torch.nn as nn


class VideoVAE(nn.Module):
    """Encodes pictures to an eighth of their sides and every fourth frame."""

    def __init__(self, latent=6, width=8):
        super().__init__()
        self.conv_in = nn.Conv3d(3, width, 3, padding=1)
        self.down = nn.ModuleList([
            nn.Conv3d(width, width, 3, stride=(1, 2, 2), padding=1),
            nn.Conv3d(width, width, 3, stride=(2, 2, 2), padding=1),
            nn.Conv3d(width, width, 3, stride=(2, 2, 2), padding=1),
        ])
        self.conv_out = nn.Conv3d(width, latent, 1)

    def encode(self, video):
        h = self.conv_in(video)
        for down in self.down:
            h = torch.nn.functional.silu(down(h))
        return self.conv_out(h)


class DiTBlock(nn.Module):
    def __init__(self, dim, heads=4):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(dim, dim * 2), nn.GELU(), nn.Linear(dim * 2, dim))
        self.modulation = nn.Linear(dim, 2 * dim)

    def forward(self, x, temb):
        shift, scale = self.modulation(temb).unsqueeze(1).chunk(2, dim=-1)
        h = self.norm1(x) * (1 + scale) + shift
        x = x + self.attn(h, h, h, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class VideoTransformer(nn.Module):
    def __init__(self, latent=6, dim=32, depth=2, patch=2):
        super().__init__()
        self.patch = patch
        self.patch_embed = nn.Conv3d(latent, dim, (1, patch, patch), (1, patch, patch))
        self.time = nn.Sequential(nn.Linear(1, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.blocks = nn.ModuleList([DiTBlock(dim) for _ in range(depth)])
        self.final = nn.Linear(dim, latent * patch * patch)

    def forward(self, latents, timestep):
        B, C, T, H, W = latents.shape
        x = self.patch_embed(latents).flatten(2).transpose(1, 2)
        temb = self.time(timestep[:, None])
        for block in self.blocks:
            x = block(x, temb)
        x = self.final(x).view(B, T, H // self.patch, W // self.patch, C, self.patch, self.patch)
        return x.permute(0, 4, 1, 2, 5, 3, 6).reshape(B, C, T, H, W)


class Pipeline:
    def __init__(self, vae, transformer):
        self.vae, self.transformer = vae, transformer
        self.vae_scale_factor = 8

    def prepare_latents(self, frames, height, width):
        shape = (1, 6, (frames - 1) // 4 + 1, height // self.vae_scale_factor, width // self.vae_scale_factor)
        return torch.randn(shape)

    @torch.no_grad()
    def __call__(self, video, steps=4, denoise_strength=0.7):
        frames, height, width = video.shape[-3:]
        timesteps = torch.linspace(denoise_strength, 0, steps + 1)
        samples = self.vae.encode(video)
        noise = self.prepare_latents(frames, height, width)
        latents = noise * timesteps[0] + (1 - timesteps[0]) * samples
        for t, t_next in zip(timesteps[:-1], timesteps[1:]):
            velocity = self.transformer(latents, t.view(1))
            latents = latents + (t_next - t) * velocity
        return latents


torch.manual_seed(0)
frames, height, width = 9, 96, 172
pipe = Pipeline(VideoVAE().eval(), VideoTransformer().eval())
video = torch.rand(1, 3, frames, height, width) * 2 - 1
print(pipe(video).shape)
