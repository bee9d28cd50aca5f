# Trains an enhanced super-resolution generator (RRDB blocks) to double the side of pictures.
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

opt = {
    "scale": 2,
    "datasets": {"train": {"gt_size": 64, "batch_size_per_gpu": 3, "pictures": 6}},
    "network_g": {"num_in_ch": 3, "num_out_ch": 3, "num_feat": 16, "num_block": 2, "num_grow_ch": 8},
    "train": {"lr": 2e-4, "pixel_weight": 1.0},
}


class PairedImageDataset(Dataset):
    def __init__(self, opt, scale):
        self.opt, self.scale = opt, scale
        generator = torch.Generator().manual_seed(5)
        self.pictures = torch.rand(opt["pictures"], 3, 90, 100, generator=generator)

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, index):
        gt_size = self.opt["gt_size"]
        img_gt = self.pictures[index, :, 4:4 + gt_size, 10:10 + gt_size]
        lq_size = gt_size // self.scale
        img_lq = F.interpolate(img_gt[None], size=(lq_size, lq_size), mode="bicubic", align_corners=False)[0]
        return {"lq": img_lq, "gt": img_gt}


class ResidualDenseBlock(nn.Module):
    def __init__(self, num_feat=16, num_grow_ch=8):
        super().__init__()
        self.conv1 = nn.Conv2d(num_feat, num_grow_ch, 3, 1, 1)
        self.conv2 = nn.Conv2d(num_feat + num_grow_ch, num_grow_ch, 3, 1, 1)
        self.conv3 = nn.Conv2d(num_feat + 2 * num_grow_ch, num_feat, 3, 1, 1)
        self.lrelu = nn.LeakyReLU(negative_slope=0.2, inplace=True)

    def forward(self, x):
        x1 = self.lrelu(self.conv1(x))
        x2 = self.lrelu(self.conv2(torch.cat((x, x1), 1)))
        x3 = self.conv3(torch.cat((x, x1, x2), 1))
        return x3 * 0.2 + x


class RRDB(nn.Module):
    """Residual in residual dense block."""

    def __init__(self, num_feat, num_grow_ch=8):
        super().__init__()
        self.rdb1 = ResidualDenseBlock(num_feat, num_grow_ch)
        self.rdb2 = ResidualDenseBlock(num_feat, num_grow_ch)

    def forward(self, x):
        return self.rdb2(self.rdb1(x)) * 0.2 + x


def pixel_unshuffle(x, scale):
    b, c, hh, hw = x.size()
    out_channel = c * scale**2
    h, w = hh // scale, hw // scale
    return x.view(b, c, h, scale, w, scale).permute(0, 1, 3, 5, 2, 4).reshape(b, out_channel, h, w)


class RRDBNet(nn.Module):
    """The generator of ESRGAN; for a scale of 2 or 1 the input is first folded, so that it always enlarges by 4."""

    def __init__(self, num_in_ch, num_out_ch, scale=4, num_feat=64, num_block=23, num_grow_ch=32):
        super().__init__()
        self.scale = scale
        if scale == 2:
            num_in_ch = num_in_ch * 4
        elif scale == 1:
            num_in_ch = num_in_ch * 16
        self.conv_first = nn.Conv2d(num_in_ch, num_feat, 3, 1, 1)
        self.body = nn.Sequential(*(RRDB(num_feat, num_grow_ch) for _ in range(num_block)))
        self.conv_body = nn.Conv2d(num_feat, num_feat, 3, 1, 1)
        self.conv_up1 = nn.Conv2d(num_feat, num_feat, 3, 1, 1)
        self.conv_up2 = nn.Conv2d(num_feat, num_feat, 3, 1, 1)
        self.conv_hr = nn.Conv2d(num_feat, num_feat, 3, 1, 1)
        self.conv_last = nn.Conv2d(num_feat, num_out_ch, 3, 1, 1)
        self.lrelu = nn.LeakyReLU(negative_slope=0.2, inplace=True)

    def forward(self, x):
        if self.scale == 2:
            feat = pixel_unshuffle(x, scale=2)
        elif self.scale == 1:
            feat = pixel_unshuffle(x, scale=4)
        else:
            feat = x
        feat = self.conv_first(feat)
        feat = feat + self.conv_body(self.body(feat))
        feat = self.lrelu(self.conv_up1(F.interpolate(feat, scale_factor=2, mode="nearest")))
        feat = self.lrelu(self.conv_up2(F.interpolate(feat, scale_factor=2, mode="nearest")))
        return self.conv_last(self.lrelu(self.conv_hr(feat)))


class L1Loss(nn.Module):
    def __init__(self, loss_weight=1.0):
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, pred, target):
        return self.loss_weight * (pred - target).abs().mean()


class SRModel:
    def __init__(self, opt):
        self.net_g = RRDBNet(**opt["network_g"])
        self.cri_pix = L1Loss(opt["train"]["pixel_weight"])
        self.optimizer_g = torch.optim.Adam(self.net_g.parameters(), lr=opt["train"]["lr"])

    def feed_data(self, data):
        self.lq, self.gt = data["lq"], data["gt"]

    def optimize_parameters(self):
        self.optimizer_g.zero_grad()
        self.output = self.net_g(self.lq)
        l_pix = self.cri_pix(self.output, self.gt)
        l_pix.backward()
        self.optimizer_g.step()
        return l_pix.item()


torch.manual_seed(0)
train = opt["datasets"]["train"]
train_loader = DataLoader(PairedImageDataset(train, opt["scale"]), batch_size=train["batch_size_per_gpu"], shuffle=True)
model = SRModel(opt)
for current_iter, train_data in enumerate(train_loader):
    model.feed_data(train_data)
    loss = model.optimize_parameters()
print("l_pix", round(loss, 4))
