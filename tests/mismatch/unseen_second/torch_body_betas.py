# Dresses a body model with a garment for sampled shapes, and renders nothing but vertices.
import torch
import torch.nn as nn


def rodrigues(theta):
    """Rotations from axis angles (N, 3)."""
    angle = theta.norm(dim=1, keepdim=True).clamp(min=1e-8)
    x, y, z = (theta / angle).unbind(1)
    zero = torch.zeros_like(x)
    K = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).view(-1, 3, 3)
    s, c = angle.sin()[:, :, None], angle.cos()[:, :, None]
    return torch.eye(3) + s * K + (1 - c) * (K @ K)


class SMPLLayer(nn.Module):
    """Shape and pose to vertices: blend shapes, joints, skinning."""

    def __init__(self, n_verts=137, n_joints=24, n_betas=10):
        super().__init__()
        self.n_verts, self.n_joints = n_verts, n_joints
        self.register_buffer("v_template", torch.rand(n_verts, 3))
        self.register_buffer("shapedirs", torch.randn(n_betas, n_verts * 3) * 0.01)
        self.register_buffer("posedirs", torch.randn((n_joints - 1) * 9, n_verts * 3) * 0.001)
        self.register_buffer("J_regressor", torch.rand(n_joints, n_verts).softmax(1))
        self.register_buffer("weights", torch.rand(n_verts, n_joints).softmax(1))

    def forward(self, beta, theta):
        num_batch = beta.shape[0]
        v_shaped = torch.matmul(beta, self.shapedirs).view(-1, self.n_verts, 3) + self.v_template
        joints = torch.einsum("jv,bvc->bjc", self.J_regressor, v_shaped)
        Rs = rodrigues(theta.reshape(-1, 3)).view(-1, self.n_joints, 3, 3)
        pose_feature = (Rs[:, 1:] - torch.eye(3)).reshape(num_batch, -1)
        v_posed = torch.matmul(pose_feature, self.posedirs).view(-1, self.n_verts, 3) + v_shaped
        moved = torch.einsum("njac,njvc->njva", Rs, v_posed[:, None] - joints[:, :, None]) + joints[:, :, None]
        return torch.einsum("vj,bjva->bva", self.weights, moved), joints


class GarmentMLP(nn.Module):
    """Offsets of the garment from pose, shape and style."""

    def __init__(self, n_theta=72, n_beta=10, n_gamma=4, n_verts=137, hidden=48):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(n_theta + n_beta + n_gamma, hidden), nn.ReLU(), nn.Linear(hidden, hidden),
                                 nn.ReLU(), nn.Linear(hidden, n_verts * 3))

    def forward(self, theta, beta, gamma):
        return self.net(torch.cat([theta, beta, gamma], 1)).view(theta.shape[0], -1, 3)


class Visualizer:
    def __init__(self):
        self.smpl = SMPLLayer()
        self.garment = GarmentMLP()

    def run(self, thetas, betas, gammas):
        verts, joints = self.smpl(betas, thetas)
        return verts, verts + 0.01 * self.garment(thetas, betas, gammas)


def load_shapes(count):
    """The shape file holds 300 coefficients for each body."""
    return torch.randn(count, 300)


torch.manual_seed(0)
thetas = torch.randn(5, 72) * 0.2
betas = load_shapes(5)
gammas = torch.rand(5, 4)
visualizer = Visualizer()
with torch.no_grad():
    body, garment = visualizer.run(thetas, betas, gammas)
print(body.shape, garment.shape)
