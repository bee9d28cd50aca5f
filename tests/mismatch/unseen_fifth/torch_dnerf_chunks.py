"""Novel views of a moving scene: renders one frame of the test path in chunks of rays."""
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(2)


class DirectTemporalNeRF(nn.Module):
    """Moves the points to the canonical frame, then asks the canonical network."""

    def __init__(self, W=24, multires=3):
        super().__init__()
        self.multires = multires
        ch = 3 + 6 * multires
        self._time = nn.Sequential(nn.Linear(ch + 1, W), nn.ReLU(), nn.Linear(W, 3))
        self._occ = nn.Sequential(nn.Linear(ch, W), nn.ReLU(), nn.Linear(W, 4))

    def embed(self, x):
        out = [x]
        for i in range(self.multires):
            out += [torch.sin(2.0**i * x), torch.cos(2.0**i * x)]
        return torch.cat(out, -1)

    def forward(self, pts, ts):
        h = torch.cat([self.embed(pts), ts.expand(pts.shape[:-1] + (1,))], -1)
        dx = self._time(h)
        return self._occ(self.embed(pts + dx)), dx


def raw2outputs(raw, z_vals, rays_d):
    dists = z_vals[..., 1:] - z_vals[..., :-1]
    dists = torch.cat([dists, torch.full_like(dists[..., :1], 1e10)], -1)
    dists = dists * torch.norm(rays_d[..., None, :], dim=-1)
    rgb = torch.sigmoid(raw[..., :3])
    alpha = 1.0 - torch.exp(-F.relu(raw[..., 3]) * dists)
    weights = alpha * torch.cumprod(
        torch.cat([torch.ones(alpha.shape[0], 1), 1.0 - alpha + 1e-10], -1), -1)[:, :-1]
    return torch.sum(weights[..., None] * rgb, -2), weights


def render_rays(ray_batch, network, N_samples, z_vals=None):
    rays_o, rays_d = ray_batch[:, 0:3], ray_batch[:, 3:6]
    near, far = ray_batch[:, 6:7], ray_batch[:, 7:8]
    frame_time = ray_batch[:, None, 8:9]
    if z_vals is None:
        t_vals = torch.linspace(0.0, 1.0, steps=N_samples)
        z_vals = near * (1.0 - t_vals) + far * t_vals
    pts = rays_o[..., None, :] + rays_d[..., None, :] * z_vals[..., :, None]
    raw, dx = network(pts, frame_time)
    rgb_map, weights = raw2outputs(raw, z_vals, rays_d)
    return {"rgb_map": rgb_map, "weights": weights, "z_vals": z_vals, "position_delta": dx}


def batchify_rays(rays_flat, chunk=128, **kwargs):
    """Render rays in smaller minibatches to avoid OOM."""
    all_ret = {}
    for i in range(0, rays_flat.shape[0], chunk):
        ret = render_rays(rays_flat[i:i + chunk], **kwargs)
        for k in ret:
            all_ret.setdefault(k, []).append(ret[k])
    return {k: torch.cat(all_ret[k], 0) for k in all_ret}


def get_rays(H, W, focal):
    j, i = torch.meshgrid(torch.arange(H).float(), torch.arange(W).float(), indexing="ij")
    rays_d = torch.stack([(i - W * 0.5) / focal, -(j - H * 0.5) / focal, -torch.ones_like(i)], -1)
    return torch.zeros_like(rays_d), rays_d


def render(H, W, focal, frame_time, chunk, near=2.0, far=6.0, **kwargs):
    rays_o, rays_d = get_rays(H, W, focal)
    rays_o, rays_d = rays_o.reshape(-1, 3), rays_d.reshape(-1, 3)
    ones = torch.ones_like(rays_d[:, :1])
    rays = torch.cat([rays_o, rays_d, near * ones, far * ones, frame_time * ones], -1)
    all_ret = batchify_rays(rays, chunk, **kwargs)
    return all_ret["rgb_map"].reshape(H, W, 3), all_ret


def tv_loss(network, H, W, focal, times, chunk):
    # the same depths for the frame and for the next one, so that the deformations can be compared
    _, first = render(H, W, focal, times[0], chunk, network=network, N_samples=12)
    _, second = render(H, W, focal, times[1], chunk, network=network, N_samples=12, z_vals=first["z_vals"])
    return F.mse_loss(first["position_delta"], second["position_delta"])


network = DirectTemporalNeRF()
optimizer = torch.optim.Adam(network.parameters(), lr=5e-4)
frame = torch.rand(20, 24, 3)
for step in range(2):
    rgb, extras = render(20, 24, 30.0, 0.25, 128, network=network, N_samples=12)
    loss = F.mse_loss(rgb, frame)
    loss = loss + 1e-4 * tv_loss(network, 20, 24, 30.0, (0.25, 0.30), 128)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
