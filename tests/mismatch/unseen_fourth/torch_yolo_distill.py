# Distills a trained YOLOv3 into YOLOv3-tiny: the student learns the labels and the teacher's soft outputs.
import torch
import torch.nn as nn
import torch.nn.functional as F

CLASSES = 5
ANCHORS = 3


def conv(n_in, n_out, k=3, s=1):
    return nn.Sequential(nn.Conv2d(n_in, n_out, k, s, k // 2, bias=False), nn.BatchNorm2d(n_out), nn.LeakyReLU(0.1))


class YOLOLayer(nn.Module):
    def forward(self, p):
        bs, _, ny, nx = p.shape
        return p.view(bs, ANCHORS, CLASSES + 5, ny, nx).permute(0, 1, 3, 4, 2).contiguous()


class Darknet(nn.Module):
    """YOLOv3: predictions at strides of 32, 16 and 8."""

    def __init__(self, width=12):
        super().__init__()
        self.stem = nn.Sequential(conv(3, width), conv(width, width, s=2), conv(width, width, s=2))
        self.c3, self.c4, self.c5 = conv(width, 2 * width, s=2), conv(2 * width, 3 * width, s=2), conv(3 * width, 4 * width, s=2)
        out = ANCHORS * (CLASSES + 5)
        self.head5 = nn.Conv2d(4 * width, out, 1)
        self.lateral4, self.head4 = conv(7 * width, 3 * width, 1), nn.Conv2d(3 * width, out, 1)
        self.lateral3, self.head3 = conv(5 * width, 2 * width, 1), nn.Conv2d(2 * width, out, 1)
        self.yolo = YOLOLayer()

    def forward(self, x):
        c3 = self.c3(self.stem(x))
        c4 = self.c4(c3)
        c5 = self.c5(c4)
        p4 = self.lateral4(torch.cat([F.interpolate(c5, scale_factor=2), c4], 1))
        p3 = self.lateral3(torch.cat([F.interpolate(p4, scale_factor=2), c3], 1))
        return [self.yolo(self.head5(c5)), self.yolo(self.head4(p4)), self.yolo(self.head3(p3))]


class TinyDarknet(nn.Module):
    """YOLOv3-tiny: two YOLO layers only."""

    def __init__(self, width=8):
        super().__init__()
        self.backbone = nn.Sequential(*(conv(3 if i == 0 else width, width, s=2) for i in range(4)))
        self.c5 = conv(width, 2 * width, s=2)
        out = ANCHORS * (CLASSES + 5)
        self.head5 = nn.Conv2d(2 * width, out, 1)
        self.lateral4, self.head4 = conv(3 * width, width, 1), nn.Conv2d(width, out, 1)
        self.yolo = YOLOLayer()

    def forward(self, x):
        c4 = self.backbone(x)
        c5 = self.c5(c4)
        p4 = self.lateral4(torch.cat([F.interpolate(c5, scale_factor=2), c4], 1))
        return [self.yolo(self.head5(c5)), self.yolo(self.head4(p4))]


def compute_loss(p, targets):
    """A simple objectness and class loss: one object for each picture, at its cell and scale."""
    loss = 0.0
    for pi in p:
        ny, nx = pi.shape[2:4]
        tobj = torch.zeros_like(pi[..., 4])
        b = torch.arange(len(targets))
        gy, gx = (targets[:, 1] * ny).long(), (targets[:, 2] * nx).long()
        tobj[b, 0, gy, gx] = 1
        loss = loss + F.binary_cross_entropy_with_logits(pi[..., 4], tobj)
        loss = loss + F.cross_entropy(pi[b, 0, gy, gx][:, 5:], targets[:, 0].long())
    return loss


def compute_lost_KD(output_s, output_t, num_classes, batch_size):
    """Knowledge distillation, strategy 1: all predictions as one list, softened by a temperature."""
    T = 3.0
    criterion_st = nn.KLDivLoss(reduction="sum")
    output_s = torch.cat([i.view(-1, num_classes + 5) for i in output_s])
    output_t = torch.cat([i.view(-1, num_classes + 5) for i in output_t])
    loss_st = criterion_st(F.log_softmax(output_s / T, dim=1), F.softmax(output_t / T, dim=1)) * (T * T) / batch_size
    return loss_st * 1e-3


def xray_batches(n, batch_size=2, img_size=128):
    generator = torch.Generator().manual_seed(2)
    for _ in range(n):
        imgs = torch.rand(batch_size, 3, img_size, img_size, generator=generator)
        targets = torch.rand(batch_size, 3, generator=generator)
        targets[:, 0] = torch.randint(0, CLASSES, (batch_size,), generator=generator)
        yield imgs, targets


torch.manual_seed(0)
t_model = Darknet()  # weights/yolov3/best.pt
t_model.eval()
model = TinyDarknet()  # weights/last.pt
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
for imgs, targets in xray_batches(3):
    pred = model(imgs)
    loss = compute_loss(pred, targets)
    with torch.no_grad():
        output_t = t_model(imgs)
    loss = loss + compute_lost_KD(pred, output_t, CLASSES, imgs.size(0))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("loss", round(loss.item(), 3))
