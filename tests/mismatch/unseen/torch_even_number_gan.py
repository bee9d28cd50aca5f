# A tiny GAN that learns to write even numbers in binary.
import math

import torch
import torch.nn as nn


def create_binary_list_from_int(number, width):
    return [int(b) for b in bin(number)[2:].zfill(width)]


def generate_even_data(max_int, batch_size=16):
    max_length = int(math.log(max_int, 2))
    sampled = torch.randint(0, max_int // 2, (batch_size,)).tolist()
    labels = [1] * batch_size
    return labels, [create_binary_list_from_int(x * 2, max_length) for x in sampled]


class Generator(nn.Module):
    def __init__(self, input_length):
        super().__init__()
        self.dense_layer = nn.Linear(input_length, input_length)
        self.activation = nn.Sigmoid()

    def forward(self, x):
        return self.activation(self.dense_layer(x))


class Discriminator(nn.Module):
    def __init__(self, input_length):
        super().__init__()
        self.dense = nn.Linear(input_length, 1)
        self.activation = nn.Sigmoid()

    def forward(self, x):
        return self.activation(self.dense(x))


def train(max_int=128, batch_size=16, training_steps=50):
    input_length = int(math.log(max_int, 2))
    generator, discriminator = Generator(input_length), Discriminator(input_length)
    generator_optimizer = torch.optim.Adam(generator.parameters(), lr=0.001)
    discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), lr=0.001)
    loss = nn.BCELoss()
    for _ in range(training_steps):
        generator_optimizer.zero_grad()
        noise = torch.randint(0, 2, size=(batch_size, input_length)).float()
        generated_data = generator(noise)
        true_labels, true_data = generate_even_data(max_int, batch_size=batch_size)
        true_labels = torch.tensor(true_labels).float()
        true_data = torch.tensor(true_data).float()

        generator_discriminator_out = discriminator(generated_data)
        generator_loss = loss(generator_discriminator_out, true_labels)
        generator_loss.backward()
        generator_optimizer.step()

        discriminator_optimizer.zero_grad()
        true_discriminator_loss = loss(discriminator(true_data), true_labels)
        fake_out = discriminator(generated_data.detach())
        fake_loss = loss(fake_out, torch.zeros(batch_size, 1))
        discriminator_loss = (true_discriminator_loss + fake_loss) / 2
        discriminator_loss.backward()
        discriminator_optimizer.step()
    print("loss", discriminator_loss.item())


torch.manual_seed(0)
train()
