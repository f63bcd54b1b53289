#!/usr/bin/env python3
"""Peer of bench/inpainting: a training step and samples of the in-painting flow in PyTorch, float32, on one and two threads.

    python3 bench/peers/inpainting_torch.py [--repetitions 6] [--threads 1 2]

The centre of an image (14 x 14 of 28 x 28 pixels) given the pixels around it: an encoder 588 -> 1024 -> 256 makes features,
a head on them guesses the pixels, and six coupling layers (98 of 196 coordinates, h = 512, four logistics each) map the
dequantised pixels to the latent. Images are random bytes, and one fixed normal quantile stands for the map of each pixel.

A step gathers a batch of 256, dequantises it, and takes loss, gradient, clipping and AdamW (fused, the quicker one). Samples
are 100 for each of 16 images whose features are known, all 1600 in one batch; a mixture is inverted by 28 bisections of
[-60, 60] in the log domain, 400 samples at a time, which is quicker than all at once. Prints one JSON object a line, with
the fastest of the repetitions after one that warms up.
"""
import argparse
import json
import math
import time

import torch
from torch import nn
from torch.nn.functional import logsigmoid, mse_loss

SIDE, CENTRE, FEATURES, HIDDEN, COMPONENTS = 28, 14, 256, 512, 4
PIXELS, HALF = CENTRE * CENTRE, CENTRE * CENTRE // 2
SCALE_LIMIT, SPREAD = 2.0, 2.5
BATCH, IMAGES, DRAWS = 256, 16, 100
CHUNK = 400  # samples whose mixtures are inverted together: their arrays stay in cache


def splits():
    """The coordinates that move in each layer, as masks of the block."""
    row, column = torch.meshgrid(torch.arange(CENTRE), torch.arange(CENTRE), indexing="ij")
    board, top, even = (row + column) % 2 == 0, row < CENTRE // 2, row % 2 == 0
    return [mask.flatten() for first in (board, top, even) for mask in (first, ~first)]


def bisected(target, log_w, means, inverse_scale):
    """x with log F(x) - log G(x) = target: [sample, moved]."""
    low, width, offset = torch.full_like(target, -60), 120.0, means * inverse_scale
    for _ in range(28):
        width /= 2
        middle = low + width
        u = (middle[:, None] * inverse_scale).sub_(offset)
        log_terms = logsigmoid(u).add_(log_w)
        y = torch.logsumexp(log_terms, 1) - torch.logsumexp(log_terms.sub_(u), 1)
        low = torch.where(y < target, middle, low)
    return low + width / 2


class Coupling(nn.Module):
    def __init__(self, mask):
        super().__init__()
        moved, kept = mask.nonzero().flatten(), (~mask).nonzero().flatten()
        self.register_buffer("moved", moved)
        self.register_buffer("kept", kept)
        self.register_buffer("place", torch.cat([kept, moved]).argsort())  # where each coordinate is in [kept, moved]
        self.net = nn.Sequential(
            nn.Linear(HALF + FEATURES, HIDDEN), nn.ReLU(), nn.Dropout(0.1),
            nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Dropout(0.1),
            nn.Linear(HIDDEN, HALF * (2 + 3 * COMPONENTS)))

    def settings(self, kept, features):
        """b, a: [sample, moved]; log w, mu, s: [sample, component, moved]."""
        rows = self.net(torch.cat([kept, features], 1)).view(len(kept), 2 + 3 * COMPONENTS, HALF)
        o, a, logits, means, spreads = rows.split([1, 1, COMPONENTS, COMPONENTS, COMPONENTS], 1)
        b = SCALE_LIMIT * torch.tanh(o.squeeze(1))
        return b, a.squeeze(1), torch.log_softmax(logits, 1), means, SPREAD * torch.tanh(spreads / SPREAD)

    def forward(self, x, features):
        kept = x[:, self.kept]
        b, a, log_w, means, s = self.settings(kept, features)
        u = (x[:, None, self.moved] - means) * torch.exp(-s)
        below = logsigmoid(u)
        above = below - u
        log_F, log_G = torch.logsumexp(log_w + below, 1), torch.logsumexp(log_w + above, 1)
        log_f = torch.logsumexp(log_w - s + below + above, 1)
        moved = (log_F - log_G) * torch.exp(b) + a
        return torch.cat([kept, moved], 1)[:, self.place], (log_f - log_F - log_G + b).sum(1)

    def inverse(self, z, features):
        kept = z[:, self.kept]
        b, a, log_w, means, s = self.settings(kept, features)
        target = (z[:, self.moved] - a) * torch.exp(-b)
        mixtures = zip(*(part.split(CHUNK) for part in (target, log_w, means, torch.exp(-s))))
        return torch.cat([kept, torch.cat([bisected(*mixture) for mixture in mixtures])], 1)[:, self.place]


class Inpainting(nn.Module):
    def __init__(self):
        super().__init__()
        inside = torch.zeros(SIDE, SIDE, dtype=torch.bool)
        first = (SIDE - CENTRE) // 2
        inside[first:first + CENTRE, first:first + CENTRE] = True
        self.register_buffer("centre", inside.flatten().nonzero().flatten())
        self.register_buffer("around", (~inside).flatten().nonzero().flatten())
        self.encoder = nn.Sequential(nn.Linear(SIDE * SIDE - PIXELS, 1024), nn.ReLU(), nn.Dropout(0.2),
                                     nn.Linear(1024, FEATURES), nn.ReLU())
        self.head = nn.Sequential(nn.Linear(FEATURES, PIXELS), nn.Sigmoid())
        self.couplings = nn.ModuleList(Coupling(mask) for mask in splits())

    def features(self, images):
        return self.encoder(images[:, self.around].float() * (2 / 255) - 0.26)

    def loss(self, images):
        """Bits per pixel plus four times the squared error of the head."""
        pixels, features = images[:, self.centre].float(), self.features(images)
        x = torch.special.ndtri((pixels + torch.rand_like(pixels) + 0.5) / 257)
        log_det = (0.5 * x**2).sum(1) + PIXELS * (0.5 * math.log(2 * math.pi) - math.log(257))
        for coupling in self.couplings:
            x, log_slope = coupling(x, features)
            log_det = log_det + log_slope
        nll = (0.5 * x**2).sum(1) - log_det
        bits = nll.mean() / (PIXELS * math.log(2)) + 0.5 * math.log2(2 * math.pi)
        return bits + 4 * mse_loss(self.head(features), pixels / 255)

    def sample(self, features, draws):
        features = features.repeat_interleave(draws, 0)
        x = torch.randn(len(features), PIXELS)
        for coupling in reversed(self.couplings):
            x = coupling.inverse(x, features)
        return 257 * torch.special.ndtr(x) - 0.5


def best_time(work, repetitions):
    work()
    best = float("inf")
    for _ in range(repetitions):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def step_of(model, images):
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.999), weight_decay=0.01, fused=True)

    def step():
        optimizer.zero_grad(set_to_none=True)
        model.loss(images[torch.randint(len(images), (BATCH,))]).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 4.0)
        optimizer.step()

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=6)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    options = parser.parse_args()

    def report(case, seconds, **others):
        rounded = {name: round(value, 1) for name, value in others.items()}
        print(json.dumps({"case": case, "seconds_per_unit": seconds, **rounded, "peer": f"PyTorch {torch.__version__}"}),
              flush=True)

    torch.manual_seed(1)
    images = torch.randint(256, (4096, SIDE * SIDE), dtype=torch.uint8)
    for threads in options.threads:
        torch.set_num_threads(threads)
        model = Inpainting()
        seconds = best_time(step_of(model, images), options.repetitions)
        report(f"inpainting_step/batch:{BATCH}/threads:{threads}", seconds, milliseconds=1e3 * seconds,
               images_per_second=BATCH / seconds)
        model.eval()
        with torch.inference_mode():
            features = model.features(images[:IMAGES])
            seconds = best_time(lambda: model.sample(features, DRAWS), max(2, options.repetitions // 3))
        report(f"inpainting_samples/count:{IMAGES * DRAWS}/threads:{threads}", seconds,
               samples_per_second=IMAGES * DRAWS / seconds)


if __name__ == "__main__":
    main()
