"""A text-to-image pipeline with a latent U-Net: "astronaut on mars" in 64 x 72 instead of the square default."""
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(11)


class ResnetBlock2D(nn.Module):
    def __init__(self, in_channels, out_channels, temb_channels=32):
        super().__init__()
        self.norm1 = nn.GroupNorm(4, in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.time_emb_proj = nn.Linear(temb_channels, out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x, temb):
        h = self.conv1(F.silu(self.norm1(x)))
        h = h + self.time_emb_proj(F.silu(temb))[:, :, None, None]
        return self.conv_shortcut(x) + self.conv2(F.silu(h))


class DownBlock2D(nn.Module):
    def __init__(self, in_channels, out_channels, add_downsample):
        super().__init__()
        self.resnet = ResnetBlock2D(in_channels, out_channels)
        self.downsampler = nn.Conv2d(out_channels, out_channels, 3, stride=2, padding=1) if add_downsample else None

    def forward(self, hidden_states, temb):
        hidden_states = self.resnet(hidden_states, temb)
        output_states = (hidden_states,)
        if self.downsampler is not None:
            hidden_states = self.downsampler(hidden_states)
            output_states += (hidden_states,)
        return hidden_states, output_states


class UpBlock2D(nn.Module):
    def __init__(self, in_channels, skip_channels, out_channels, add_upsample):
        super().__init__()
        self.resnets = nn.ModuleList(
            ResnetBlock2D((in_channels if i == 0 else out_channels) + s, out_channels)
            for i, s in enumerate(skip_channels))
        self.upsampler = nn.Conv2d(out_channels, out_channels, 3, padding=1) if add_upsample else None

    def forward(self, hidden_states, res_hidden_states_tuple, temb):
        for resnet in self.resnets:
            # pop res hidden states
            res_hidden_states = res_hidden_states_tuple[-1]
            res_hidden_states_tuple = res_hidden_states_tuple[:-1]
            hidden_states = torch.cat([hidden_states, res_hidden_states], dim=1)
            hidden_states = resnet(hidden_states, temb)
        if self.upsampler is not None:
            hidden_states = F.interpolate(hidden_states, scale_factor=2.0, mode="nearest")
            hidden_states = self.upsampler(hidden_states)
        return hidden_states


class UNet2DModel(nn.Module):
    def __init__(self, in_channels=4, block_out_channels=(8, 16, 16)):
        super().__init__()
        a, b, c = block_out_channels
        self.conv_in = nn.Conv2d(in_channels, a, 3, padding=1)
        self.time_embedding = nn.Sequential(nn.Linear(1, 32), nn.SiLU(), nn.Linear(32, 32))
        self.down_blocks = nn.ModuleList([DownBlock2D(a, a, True), DownBlock2D(a, b, True), DownBlock2D(b, c, False)])
        self.mid_block = ResnetBlock2D(c, c)
        self.up_blocks = nn.ModuleList(
            [UpBlock2D(c, (c, b), c, True), UpBlock2D(c, (b, a), b, True), UpBlock2D(b, (a, a), a, False)])
        self.conv_out = nn.Conv2d(a, in_channels, 3, padding=1)

    def forward(self, sample, timestep):
        temb = self.time_embedding(timestep.float().view(-1, 1))
        sample = self.conv_in(sample)
        down_block_res_samples = (sample,)
        for block in self.down_blocks:
            sample, res_samples = block(sample, temb)
            down_block_res_samples += res_samples
        sample = self.mid_block(sample, temb)
        for block in self.up_blocks:
            n = len(block.resnets)
            res_samples, down_block_res_samples = down_block_res_samples[-n:], down_block_res_samples[:-n]
            sample = block(sample, res_samples, temb)
        return self.conv_out(sample)


class Pipeline:
    def __init__(self):
        self.unet = UNet2DModel().eval()
        self.vae_decoder = nn.ConvTranspose2d(4, 3, 8, stride=8)

    @torch.no_grad()
    def __call__(self, prompt, height=64, width=64, num_inference_steps=3):
        if height % 8 != 0 or width % 8 != 0:
            raise ValueError(f"`height` and `width` have to be divisible by 8 but are {height} and {width}.")
        latents = torch.randn(1, 4, height // 8, width // 8)
        for t in reversed(range(num_inference_steps)):
            noise_pred = self.unet(latents, torch.tensor([t]))
            latents = latents - 0.1 * noise_pred
        image = self.vae_decoder(latents)
        return (image / 2 + 0.5).clamp(0, 1)


pipe = Pipeline()
image = pipe("astronaut on mars")
print("default", tuple(image.shape))
# both divisible by 8, as the error message asked for
image = pipe("astronaut on mars", width=64, height=72)
print("portrait", tuple(image.shape))
