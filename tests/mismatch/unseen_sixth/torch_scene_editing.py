"""Edits renderings of a scene by an instruction: latents of picture and rendering, guidance by text and picture."""
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)

DDIM_SOURCE = "stable-diffusion-v1-5"
IP2P_SOURCE = "instruct-pix2pix"

# what the hub holds for each model
HUB = {"stable-diffusion-v1-5": {"unet": {"in_channels": 4, "width": 24, "cross_attention_dim": 18}, "scaling_factor": 0.18},
       "instruct-pix2pix": {"unet": {"in_channels": 8, "width": 24, "cross_attention_dim": 18}, "scaling_factor": 0.18}}


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Conv2d(3, 4, 8, 8), nn.ConvTranspose2d(4, 3, 8, 8)


class TextEncoder(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.embed = nn.Embedding(128, dim)
        self.rnn = nn.GRU(dim, dim, batch_first=True)

    def forward(self, texts, length=14):
        ids = [[ord(c) % 128 for c in t[:length]] for t in texts]
        return self.rnn(self.embed(torch.tensor([i + [0] * (length - len(i)) for i in ids])))[0]


class UNet2DConditionModel(nn.Module):
    def __init__(self, in_channels, width, cross_attention_dim):
        super().__init__()
        self.time = nn.Linear(1, width)
        self.conv_in = nn.Conv2d(in_channels, width, 3, padding=1)
        self.down = nn.Conv2d(width, 36, 3, stride=2, padding=1)
        self.attn = nn.MultiheadAttention(36, 3, kdim=cross_attention_dim, vdim=cross_attention_dim, batch_first=True)
        self.up = nn.ConvTranspose2d(36, width, 2, 2)
        self.conv_out = nn.Conv2d(width, 4, 3, padding=1)

    def forward(self, sample, t, encoder_hidden_states):
        h = self.conv_in(sample) + self.time(t.float().view(-1, 1) / 1000)[:, :, None, None]
        d = self.down(F.silu(h))
        b, c, hh, ww = d.shape
        q = d.flatten(2).transpose(1, 2)
        d = d + self.attn(q, encoder_hidden_states, encoder_hidden_states)[0].transpose(1, 2).reshape(b, c, hh, ww)
        return self.conv_out(F.silu(h + self.up(F.silu(d))))


class StableDiffusionPipeline:
    def __init__(self, name):
        hub = HUB[name]
        self.unet, self.vae = UNet2DConditionModel(**hub["unet"]).eval(), VAE().eval()
        self.text_encoder, self.scaling_factor = TextEncoder(hub["unet"]["cross_attention_dim"]).eval(), hub["scaling_factor"]

    @classmethod
    def from_pretrained(cls, name):
        return cls(name)


class InstructPix2Pix:
    def __init__(self, num_train_timesteps=1000, source=DDIM_SOURCE):
        self.pipe = StableDiffusionPipeline.from_pretrained(source)
        self.unet, self.vae = self.pipe.unet, self.pipe.vae
        self.num_train_timesteps = num_train_timesteps
        self.alphas = torch.cumprod(1 - torch.linspace(1e-4, 0.02, num_train_timesteps), 0)

    @torch.no_grad()
    def edit_image(self, text, image, image_cond, guidance_scale=7.5, image_guidance_scale=1.5, diffusion_steps=4, lower=0.7, upper=0.98):
        T = torch.randint(int(lower * self.num_train_timesteps), int(upper * self.num_train_timesteps), (1,))
        text_embeddings = self.pipe.text_encoder([text, "", ""])
        latents = self.vae.encoder(image) * self.pipe.scaling_factor
        cond = self.vae.encoder(image_cond)
        image_cond_latents = torch.cat([cond, cond, torch.zeros_like(cond)])
        a = self.alphas[T]
        latents = a.sqrt() * latents + (1 - a).sqrt() * torch.randn_like(latents)
        for t in torch.linspace(T.item(), 1, diffusion_steps).long():
            latent_model_input = torch.cat([torch.cat([latents] * 3), image_cond_latents], dim=1)
            noise_pred = self.unet(latent_model_input, t.expand(3), text_embeddings)
            noise_text, noise_image, noise_uncond = noise_pred.chunk(3)
            noise = noise_uncond + guidance_scale * (noise_text - noise_image) + image_guidance_scale * (noise_image - noise_uncond)
            a = self.alphas[t]
            x0 = (latents - (1 - a).sqrt() * noise) / a.sqrt()
            prev = self.alphas[max(int(t) - self.num_train_timesteps // diffusion_steps, 0)]
            latents = prev.sqrt() * x0 + (1 - prev).sqrt() * noise
        return self.vae.decoder(latents / self.pipe.scaling_factor).clamp(-1, 1)


ip2p = InstructPix2Pix()
dataset = torch.rand(3, 3, 96, 128) * 2 - 1
for i in range(len(dataset)):
    rendering = dataset[i:i + 1] + 0.05 * torch.randn(1, 3, 96, 128)
    edited = ip2p.edit_image("make it winter", rendering, dataset[i:i + 1])
    print("edited", i, edited.shape)
