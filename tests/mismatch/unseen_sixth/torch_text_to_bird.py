"""Text to picture in stages: each stage's discriminator also judges whether picture and sentence belong together."""
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)


class cfg:
    class TREE:
        BRANCH_NUM = 2
        BASE_SIZE = 128

    class GAN:
        DF_DIM = 6
        GF_DIM = 12
        Z_DIM = 16

    class TEXT:
        EMBEDDING_DIM = 20

    BATCH_SIZE = 3


def downBlock(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 4, 2, 1, bias=False), nn.BatchNorm2d(o), nn.LeakyReLU(0.2, inplace=True))


def Block3x3_leakRelu(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, 1, 1), nn.BatchNorm2d(o), nn.LeakyReLU(0.2, inplace=True))


class D_GET_LOGITS(nn.Module):
    def __init__(self, ndf, nef, bcondition=False):
        super().__init__()
        self.df_dim, self.ef_dim, self.bcondition = ndf, nef, bcondition
        if bcondition:
            self.jointConv = Block3x3_leakRelu(ndf * 8 + nef, ndf * 8)
        self.outlogits = nn.Sequential(nn.Conv2d(ndf * 8, 1, 4, 4), nn.Sigmoid())

    def forward(self, h_code, c_code=None):
        if self.bcondition and c_code is not None:
            # conditioning output: the sentence at each of the 4 x 4 places
            c_code = c_code.view(-1, self.ef_dim, 1, 1)
            c_code = c_code.repeat(1, 1, 4, 4)
            h_c_code = torch.cat((h_code, c_code), 1)
            h_c_code = self.jointConv(h_c_code)
        else:
            h_c_code = h_code
        return self.outlogits(h_c_code).view(-1)


class D_NET(nn.Module):
    """Halves the picture 4 + extra times, to 4 x 4."""

    def __init__(self, extra):
        super().__init__()
        ndf, nef = cfg.GAN.DF_DIM, cfg.TEXT.EMBEDDING_DIM
        blocks = [nn.Conv2d(3, ndf, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True),
                  downBlock(ndf, ndf * 2), downBlock(ndf * 2, ndf * 4), downBlock(ndf * 4, ndf * 8)]
        for _ in range(extra):
            blocks += [downBlock(ndf * 8, ndf * 16), Block3x3_leakRelu(ndf * 16, ndf * 8)]
        self.img_code = nn.Sequential(*blocks)
        self.UNCOND_DNET = D_GET_LOGITS(ndf, nef, bcondition=False)
        self.COND_DNET = D_GET_LOGITS(ndf, nef, bcondition=True)

    def forward(self, x):
        return self.img_code(x)


class G_NET(nn.Module):
    def __init__(self):
        super().__init__()
        gf, base = cfg.GAN.GF_DIM, cfg.TREE.BASE_SIZE
        self.start = base // 16
        self.fc = nn.Linear(cfg.GAN.Z_DIM + cfg.TEXT.EMBEDDING_DIM, gf * self.start ** 2)
        self.ups = nn.ModuleList(nn.Conv2d(gf, gf, 3, padding=1) for _ in range(4 + cfg.TREE.BRANCH_NUM - 1))
        self.imgs = nn.ModuleList(nn.Conv2d(gf, 3, 3, padding=1) for _ in range(cfg.TREE.BRANCH_NUM))

    def forward(self, z, sent_emb):
        h = self.fc(torch.cat((z, sent_emb), 1)).view(len(z), -1, self.start, self.start)
        fake = []
        for i, up in enumerate(self.ups):
            h = F.relu(up(F.interpolate(h, scale_factor=2)))
            if i >= 3:
                fake.append(torch.tanh(self.imgs[i - 3](h)))
        return fake


def prepare_data():
    """Pictures of birds in the size of each branch, and the embeddings of their captions."""
    img = torch.rand(cfg.BATCH_SIZE, 3, 256, 256) * 2 - 1
    sizes = [cfg.TREE.BASE_SIZE * 2 ** i for i in range(cfg.TREE.BRANCH_NUM)]
    return [F.interpolate(img, size=s) for s in sizes], torch.randn(cfg.BATCH_SIZE, cfg.TEXT.EMBEDDING_DIM)


def discriminator_loss(netD, real, fake, conditions):
    real_f, fake_f = netD(real), netD(fake.detach())
    ones, zeros = torch.ones(len(real)), torch.zeros(len(real))
    cond = F.binary_cross_entropy(netD.COND_DNET(real_f, conditions), ones) + F.binary_cross_entropy(netD.COND_DNET(fake_f, conditions), zeros)
    wrong = F.binary_cross_entropy(netD.COND_DNET(real_f[:-1], conditions[1:]), zeros[1:])
    uncond = F.binary_cross_entropy(netD.UNCOND_DNET(real_f), ones) + F.binary_cross_entropy(netD.UNCOND_DNET(fake_f), zeros)
    return cond + wrong + uncond


netG, netsD = G_NET(), [D_NET(extra) for extra in range(cfg.TREE.BRANCH_NUM)]
optD = [torch.optim.Adam(d.parameters(), lr=2e-4, betas=(0.5, 0.999)) for d in netsD]
optG = torch.optim.Adam(netG.parameters(), lr=2e-4, betas=(0.5, 0.999))
real_imgs, sent_emb = prepare_data()
fake_imgs = netG(torch.randn(cfg.BATCH_SIZE, cfg.GAN.Z_DIM), sent_emb)
for i, netD in enumerate(netsD):
    errD = discriminator_loss(netD, real_imgs[i], fake_imgs[i], sent_emb)
    optD[i].zero_grad()
    errD.backward()
    optD[i].step()
    print(f"errD{i}: {errD.item():.2f}")
errG = sum(F.binary_cross_entropy(d.COND_DNET(d(f), sent_emb), torch.ones(len(f))) for d, f in zip(netsD, fake_imgs))
optG.zero_grad()
errG.backward()
optG.step()
print(f"errG: {errG.item():.2f}")
