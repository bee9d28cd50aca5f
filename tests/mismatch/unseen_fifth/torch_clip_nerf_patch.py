"""Fine-tunes a NeRF towards a text prompt: patches of rays are rendered and scored by a small CLIP."""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)


def config_parser():
    # defaults of configs/fern.txt
    return {
        "N_rand": 256,  # batch size (number of random rays per gradient step)
        "N_samples": 8,
        "multires": 4,
        "sample_scale": 20,  # side of the patch that CLIP sees
        "lrate": 5e-4,
        "w_clip": 0.1,
    }


class NeRF(nn.Module):
    def __init__(self, D=3, W=32, multires=4):
        super().__init__()
        self.multires = multires
        input_ch = 3 + 3 * 2 * multires
        self.pts_linears = nn.ModuleList([nn.Linear(input_ch, W)] + [nn.Linear(W, W) for _ in range(D - 1)])
        self.alpha_linear = nn.Linear(W, 1)
        self.rgb_linear = nn.Linear(W, 3)

    def embed(self, x):
        out = [x]
        for i in range(self.multires):
            out += [torch.sin(2.0**i * x), torch.cos(2.0**i * x)]
        return torch.cat(out, -1)

    def forward(self, pts):
        h = self.embed(pts)
        for layer in self.pts_linears:
            h = F.relu(layer(h))
        return torch.cat([self.rgb_linear(h), self.alpha_linear(h)], -1)


def get_rays(H, W, focal, c2w):
    i, j = torch.meshgrid(torch.linspace(0, W - 1, W), torch.linspace(0, H - 1, H), indexing="xy")
    dirs = torch.stack([(i - W * 0.5) / focal, -(j - H * 0.5) / focal, -torch.ones_like(i)], -1)
    rays_d = torch.sum(dirs[..., None, :] * c2w[:3, :3], -1)
    rays_o = c2w[:3, -1].expand(rays_d.shape)
    return rays_o, rays_d


def render(rays_o, rays_d, model, N_samples, near=2.0, far=6.0):
    z_vals = torch.linspace(near, far, N_samples)
    pts = rays_o[..., None, :] + rays_d[..., None, :] * z_vals[:, None]
    raw = model(pts)
    rgb = torch.sigmoid(raw[..., :3])
    alpha = 1.0 - torch.exp(-F.relu(raw[..., 3]) * (far - near) / N_samples)
    ones = torch.ones(alpha.shape[0], 1)
    trans = torch.cumprod(torch.cat([ones, 1.0 - alpha + 1e-10], -1), -1)[:, :-1]
    weights = alpha * trans
    return (weights[..., None] * rgb).sum(-2)


class ClipImageEncoder(nn.Module):
    def __init__(self, width=16, embed_dim=24):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, kernel_size=5, stride=5, bias=False)
        self.proj = nn.Linear(width, embed_dim)

    def forward(self, image):
        x = self.conv1(image).flatten(2).mean(-1)
        return F.normalize(self.proj(x), dim=-1)


def load_llff_data(n=3, H=48, W=64):
    images = np.random.RandomState(0).rand(n, H, W, 3).astype("float32")
    poses = torch.eye(4)[:3].repeat(n, 1, 1)
    return torch.from_numpy(images), poses, (H, W, 50.0)


def train():
    args = config_parser()
    images, poses, (H, W, focal) = load_llff_data()
    model = NeRF(multires=args["multires"])
    clip_model = ClipImageEncoder().eval()
    text_feature = F.normalize(torch.randn(1, 24), dim=-1)
    optimizer = torch.optim.Adam(model.parameters(), lr=args["lrate"])
    N_rand = args["N_rand"]
    sample_scale = args["sample_scale"]

    for step in range(4):
        img_i = int(torch.randint(len(images), (1,)))
        rays_o, rays_d = get_rays(H, W, focal, poses[img_i])
        # a random place for the patch, its rays row by row
        h0 = int(torch.randint(H - sample_scale, (1,)))
        w0 = int(torch.randint(W - sample_scale, (1,)))
        coords = torch.stack(torch.meshgrid(
            torch.arange(h0, h0 + sample_scale), torch.arange(w0, w0 + sample_scale), indexing="ij"), -1)
        select = coords.reshape(-1, 2)[:N_rand]
        batch_o = rays_o[select[:, 0], select[:, 1]]
        batch_d = rays_d[select[:, 0], select[:, 1]]
        target = images[img_i][select[:, 0], select[:, 1]]

        rgb = render(batch_o, batch_d, model, args["N_samples"])
        rgb_img = rgb.view(sample_scale, sample_scale, -1)
        rgb_img = rgb_img.permute(2, 0, 1).unsqueeze(0)
        image_feature = clip_model(rgb_img)
        clip_loss = 1.0 - (image_feature * text_feature).sum(-1).mean()

        loss = F.mse_loss(rgb, target) + args["w_clip"] * clip_loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"[TRAIN] Iter: {step} Loss: {loss.item():.4f}")


train()
