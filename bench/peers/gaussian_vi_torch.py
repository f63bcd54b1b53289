#!/usr/bin/env python3
"""Peer of bench/gaussian_vi: Gaussian variational inference of oxygen-demand problems in PyTorch, on one and two threads.

    python3 bench/peers/gaussian_vi_torch.py [--problems 10000] [--steps 100] [--draws 64]

Full covariance, reparametrised draws that are new in every step, gradients by autograd, Adam with a rate that falls from
0.1 to 0 along half a cosine. Three forms:

  loop     one problem at a time, as such a fit is usually written
  batched  all problems in one tensor; the draws are shared, the gradient of the sum is each problem's own
  vmap     torch.vmap over grad of the loss of one problem, all problems at once, and Adam on the batch

Prints one JSON object a line: the seconds that all problems would take if every step took as long as the fastest of the
repetitions. Other work on the machine can only slow a step.
"""
import argparse
import json
import math
import time

import torch

TIMES = torch.arange(1.0, 6.0, dtype=torch.float64)
NOISE = 1e-3
ROOT_HALF = math.sqrt(0.5)


def forward_map(u, times):
    """G(u), u: [..., 2]."""
    cdf = 0.5 * (1 + torch.erf(u * ROOT_HALF))
    A, B = 0.4 + 0.8 * cdf[..., :1], 0.01 + 0.3 * cdf[..., 1:]
    return A * (1 - torch.exp(-B * times))


def negative_elbo(mean, diagonal, below, y, z, times):
    """mean, diagonal: [..., 2]; below: [...]; y: [..., 5]; z: [draws, 2]. One number a problem."""
    u = torch.stack([mean[..., :1] + diagonal[..., :1] * z[:, 0],
                     mean[..., 1:] + below[..., None] * z[:, 0] + diagonal[..., 1:] * z[:, 1]], -1)
    residual = y[..., None, :] - forward_map(u, times)
    log_density = -(residual**2).sum(-1) / (2 * NOISE) - (u**2).sum(-1) / 2
    constant = -2.5 * math.log(2 * math.pi * NOISE) - math.log(2 * math.pi)
    entropy = torch.log(torch.abs(diagonal)).sum(-1) + 1 + math.log(2 * math.pi)
    return -(log_density.mean(-1) + constant) - entropy


def start(shape, real):
    return (torch.zeros(*shape, 2, dtype=real), torch.ones(*shape, 2, dtype=real), torch.zeros(shape, dtype=real))


class Fit:
    """Problems y: [5] for one, or [problems, 5]."""

    def __init__(self, y, steps, draws, by_vmap=False):
        self.y, self.steps, self.draws, self.taken = y, steps, draws, 0
        self.times = TIMES.to(y.dtype)
        self.parameters = start(y.shape[:-1], y.dtype)
        self.gradients = self.by_vmap if by_vmap else self.by_autograd
        if by_vmap:
            self.gradient = torch.vmap(torch.func.grad(negative_elbo, argnums=(0, 1, 2)), in_dims=(0, 0, 0, 0, None, None))
        else:
            for parameter in self.parameters:
                parameter.requires_grad_()
        self.adam = torch.optim.Adam(self.parameters, lr=0.1, foreach=True)

    def loss(self, z):
        return negative_elbo(*self.parameters, self.y, z, self.times)

    def by_autograd(self, z):
        self.adam.zero_grad(set_to_none=True)
        self.loss(z).sum().backward()

    def by_vmap(self, z):
        for parameter, value in zip(self.parameters, self.gradient(*self.parameters, self.y, z, self.times)):
            parameter.grad = value

    def step(self):
        self.gradients(torch.randn(self.draws, 2, dtype=self.y.dtype))
        self.adam.param_groups[0]["lr"] = 0.05 * (1 + math.cos(math.pi * min(1, self.taken / self.steps)))
        self.adam.step()
        self.taken += 1


def check():
    y = torch.tensor([[0.18, 0.32, 0.42, 0.49, 0.54]], dtype=torch.float64)
    for fit in (Fit(y[0], 2000, 64), Fit(y, 2000, 64), Fit(y, 2000, 64, by_vmap=True)):
        for _ in range(fit.steps):
            fit.step()
        with torch.no_grad():
            print(f"ELBO {-fit.loss(torch.randn(100_000, 2, dtype=y.dtype)).item():.3f}, known 8.593")


def seconds_of_a_step(fit, repetitions):
    best = float("inf")
    for _ in range(2):
        fit.step()
    for _ in range(repetitions):
        begin = time.perf_counter()
        fit.step()
        best = min(best, time.perf_counter() - begin)
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--draws", type=int, default=64)
    parser.add_argument("--repetitions", type=int, default=6, help="steps of all problems; of one, 100 times as many")
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--check", action="store_true", help="fit one observation and print the ELBO instead")
    options = parser.parse_args()
    torch.manual_seed(1)
    if options.check:
        return check()
    for threads in options.threads:
        torch.set_num_threads(threads)
        for real in (torch.float64, torch.float32):
            u = torch.randn(options.problems, 2, dtype=real)
            y = forward_map(u, TIMES.to(real)) + math.sqrt(NOISE) * torch.randn(options.problems, 5, dtype=real)
            sizes = options.steps, options.draws
            each = {"loop": seconds_of_a_step(Fit(y[0], *sizes), 100 * options.repetitions) * options.problems,
                    "batched": seconds_of_a_step(Fit(y, *sizes), options.repetitions),
                    "vmap": seconds_of_a_step(Fit(y, *sizes, by_vmap=True), options.repetitions)}
            for form, seconds in each.items():
                print(json.dumps({"case": f"gaussian_vi/{str(real).removeprefix('torch.')}/problems:{options.problems}"
                                          f"/threads:{threads}",
                                  "seconds_per_unit": seconds * options.steps,
                                  "peer": f"PyTorch {torch.__version__} {form}"}), flush=True)


if __name__ == "__main__":
    main()
