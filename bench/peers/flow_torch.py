#!/usr/bin/env python3
"""Peer of bench/flow: steps of RealNVP flows and conditional samples in PyTorch, float32, on one and two threads.

    python3 bench/peers/flow_torch.py [--repetitions 60]

A step is the loss, its gradient and Adam (foreach, the quicker one); flow_amortized draws (u, y) anew in each. Both nets
of a layer are separate modules, as one writes them. Prints one JSON object a line, with the fastest of the repetitions
after two that warm up.
"""
import argparse
import json
import math
import time

import torch
from torch import nn

LAYERS, HIDDEN, DIMENSION, CONTEXT = 6, 256, 2, 5
OBSERVED = torch.tensor([0.1615, 0.1868, 0.3949, 0.3728, 0.4177])
TIMES = torch.arange(1.0, 6.0)


def net(inputs):
    return nn.Sequential(nn.Linear(inputs, HIDDEN), nn.LeakyReLU(0.01), nn.Linear(HIDDEN, HIDDEN), nn.LeakyReLU(0.01),
                         nn.Linear(HIDDEN, 1))


class Flow(nn.Module):
    def __init__(self, context):
        super().__init__()
        self.scale = nn.ModuleList(net(1 + context) for _ in range(LAYERS))
        self.shift = nn.ModuleList(net(1 + context) for _ in range(LAYERS))

    def coupling(self, i, kept, context):
        seen = kept if context is None else torch.cat([kept, context], 1)
        return torch.tanh(self.scale[i](seen)), self.shift[i](seen)

    def forward(self, z, context=None):
        halves, log_det = [z[:, :1], z[:, 1:]], 0
        for i in range(LAYERS):
            b, a = self.coupling(i, halves[1 - i % 2], context)
            halves[i % 2] = halves[i % 2] * torch.exp(b) + a
            log_det = log_det + b.sum(1)
        return torch.cat(halves, 1), log_det

    def inverse(self, x, context=None):
        halves, log_det = [x[:, :1], x[:, 1:]], 0
        for i in reversed(range(LAYERS)):
            b, a = self.coupling(i, halves[1 - i % 2], context)
            halves[i % 2] = (halves[i % 2] - a) * torch.exp(-b)
            log_det = log_det - b.sum(1)
        return torch.cat(halves, 1), log_det


def forward_map(u):
    cdf = 0.5 * (1 + torch.erf(u / math.sqrt(2)))
    A, B = 0.4 + 0.8 * cdf[:, :1], 0.01 + 0.3 * cdf[:, 1:]
    return A * (1 - torch.exp(-B * TIMES))


def log_target(u):
    residual = OBSERVED - forward_map(u)
    return -(residual**2).sum(1) / 2e-3 - (u**2).sum(1) / 2


def best_time(work, repetitions):
    for _ in range(2):
        work()
    best = float("inf")
    for _ in range(repetitions):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def step_of(flow, loss):
    optimizer = torch.optim.Adam(flow.parameters(), lr=1e-4, foreach=True)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss().backward()
        optimizer.step()

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=60)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    options = parser.parse_args()

    def report(case, seconds):
        print(json.dumps({"case": case, "seconds_per_unit": seconds, "peer": f"PyTorch {torch.__version__}"}), flush=True)

    for threads in options.threads:
        torch.set_num_threads(threads)
        for batch in (64, 1024):
            repetitions = options.repetitions if batch == 64 else max(5, options.repetitions // 4)
            flow, z = Flow(0), torch.randn(batch, DIMENSION)

            def reverse():
                x, log_det = flow(torch.randn(batch, DIMENSION))
                return -(log_target(x) + log_det).mean()

            report(f"flow_reverse_kl/batch:{batch}/threads:{threads}", best_time(step_of(flow, reverse), repetitions))
            conditional, context = Flow(CONTEXT), torch.randn(batch, CONTEXT)

            def forward():
                latent, log_det = conditional.inverse(z, context)
                return (0.5 * (latent**2).sum(1) - log_det).mean()

            report(f"flow_forward_kl/batch:{batch}/threads:{threads}",
                   best_time(step_of(conditional, forward), repetitions))

            def amortized():
                u = torch.randn(batch, DIMENSION)
                y = forward_map(u) + math.sqrt(1e-3) * torch.randn(batch, CONTEXT)
                latent, log_det = conditional.inverse(u, (y - 0.5) * 4)
                return (0.5 * (latent**2).sum(1) - log_det).mean()

            report(f"flow_amortized/batch:{batch}/threads:{threads}",
                   best_time(step_of(conditional, amortized), repetitions))
        context = torch.randn(1, CONTEXT).expand(100_000, CONTEXT)

        def sample():
            with torch.inference_mode():
                for chunk in range(0, 100_000, 10_000):
                    conditional(torch.randn(10_000, DIMENSION), context[chunk:chunk + 10_000])

        report(f"flow_samples/count:100000/threads:{threads}", best_time(sample, 3))


if __name__ == "__main__":
    main()
