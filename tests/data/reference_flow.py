#!/usr/bin/env python3
"""A plain float64 program for the values in the flow files beside it: a RealNVP flow, its inverse, its densities and
losses, and their gradients. It shares no code with vida and needs numpy, scipy and netCDF4.

    python3 reference_flow.py     compares every value of both files; exit code 1 when one is off

Everything is analytic in the weights (LeakyReLU almost everywhere), so a derivative comes from one complex evaluation,
    d/dw f(w) = Im f(w + i h) / h,  h = 1e-30,
exact to rounding. No conjugate and no absolute value may therefore appear below.
"""
import json
import struct
import sys
from pathlib import Path

import netCDF4
import numpy as np
from scipy.special import ndtr

STEP = 1e-30
LOG_TWO_PI = np.log(2 * np.pi)
OBSERVATION = np.array([0.1615, 0.1868, 0.3949, 0.3728, 0.4177])
NOISE = 1e-3


def read_safetensors(path):
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    body = data[8 + length :]
    return {
        name: np.frombuffer(body[entry["data_offsets"][0] : entry["data_offsets"][1]], "<f8").reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__"
    }


def group(tensors, prefix):
    return {name[len(prefix) + 1 :]: value for name, value in tensors.items() if name.startswith(prefix + ".")}


def network(weights, name, x):
    for k in range(3):
        x = x @ weights[f"{name}.{k}.weight"].T + weights[f"{name}.{k}.bias"]
        if k < 2:
            x = np.where(x.real > 0, x, 0.01 * x)
    return x


def layers(weights):
    return 1 + max(int(name.split(".")[1]) for name in weights)


def coupling(weights, i, kept, context):
    """Log scale b = tanh(scale net) and shift a of layer i."""
    inputs = np.column_stack([kept, context])
    return np.tanh(network(weights, f"layers.{i}.scale", inputs)), network(weights, f"layers.{i}.shift", inputs)


def forward(weights, z, context):
    """T(z; c) and log |det dT/dz|. Even layers move the even coordinates, odd layers the odd ones."""
    x, log_det = z.astype(complex), np.zeros(len(z), complex)
    for i in range(layers(weights)):
        move, keep = slice(i % 2, None, 2), slice(1 - i % 2, None, 2)
        b, a = coupling(weights, i, x[:, keep], context)
        x[:, move] = x[:, move] * np.exp(b) + a
        log_det = log_det + b.sum(1)
    return x, log_det


def inverse(weights, x, context):
    z, log_det = x.astype(complex), np.zeros(len(x), complex)
    for i in reversed(range(layers(weights))):
        move, keep = slice(i % 2, None, 2), slice(1 - i % 2, None, 2)
        b, a = coupling(weights, i, z[:, keep], context)
        z[:, move] = (z[:, move] - a) * np.exp(-b)
        log_det = log_det - b.sum(1)
    return z, log_det


def log_prob(weights, x, context):
    z, log_det = inverse(weights, x, context)
    return -0.5 * (z * z).sum(1) - z.shape[1] / 2 * LOG_TWO_PI + log_det


def normal_cdf(u):
    """Phi, and its derivative along the imaginary part, which is infinitesimal."""
    return ndtr(u.real) + 1j * u.imag * np.exp(-u.real**2 / 2) / np.sqrt(2 * np.pi)


def oxygen_demand(u):
    A, B = 0.4 + 0.8 * normal_cdf(u[:, 0]), 0.01 + 0.30 * normal_cdf(u[:, 1])
    return np.stack([A * (1 - np.exp(-B * t)) for t in range(1, 6)], 1)


def log_target(u):
    residual = OBSERVATION - oxygen_demand(u)
    log_likelihood = -0.5 * (residual * residual).sum(1) / NOISE - 2.5 * (LOG_TWO_PI + np.log(NOISE))
    return log_likelihood - 0.5 * (u * u).sum(1) - LOG_TWO_PI


def reverse_kl(weights, z):
    x, log_det = forward(weights, z, np.zeros((len(z), 0)))
    return -(log_target(x) + log_det).mean()


def gaussian_loss(mean, factor, z):
    return -np.log(np.diag(factor)).sum() - log_target(mean + z @ factor.T).mean()


def gradient(function, arrays):
    """Gradient of function(arrays) for a dict of arrays."""
    result = {}
    for name, value in arrays.items():
        result[name] = np.zeros(value.shape)
        for index in np.ndindex(value.shape):
            moved = value.astype(complex)
            moved[index] += 1j * STEP
            result[name][index] = function({**arrays, name: moved}).imag / STEP
    return result


def after_adam(weights, z, steps=10, rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8):
    weights = {name: value.copy() for name, value in weights.items()}
    first = {name: np.zeros(value.shape) for name, value in weights.items()}
    second = {name: np.zeros(value.shape) for name, value in weights.items()}
    for t in range(1, steps + 1):
        for name, slope in gradient(lambda w: reverse_kl(w, z), weights).items():
            first[name] = beta1 * first[name] + (1 - beta1) * slope
            second[name] = beta2 * second[name] + (1 - beta2) * slope * slope
            step = rate * first[name] / (1 - beta1**t)
            weights[name] = weights[name] - step / (np.sqrt(second[name] / (1 - beta2**t)) + epsilon)
    return weights


class Comparison:
    failed = False

    def __call__(self, name, found, expected):
        found, expected = np.asarray(found).real, np.asarray(expected)
        error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
        good = error <= 1e-10
        self.failed |= not good
        print(f"  {'ok ' if good else 'OFF'} {name:32s} {error:.1e}")

    def tensors(self, name, found, expected):
        order = sorted(expected)
        self(name, np.concatenate([found[k].ravel() for k in order]), np.concatenate([expected[k].ravel() for k in order]))


def check(stem, compare):
    print(stem.name)
    tensors = read_safetensors(stem.with_suffix(".safetensors"))
    weights = group(tensors, "params")
    with netCDF4.Dataset(stem.with_suffix(".nc")) as file:
        golden = {name: np.asarray(variable[...]) for name, variable in file.variables.items()}
    z, x = golden["z"], golden["x"]
    context = golden.get("context", np.zeros((len(z), 0)))

    image, log_det = forward(weights, z, context)
    compare("x_of_z", image, golden["x_of_z"])
    compare("logdet_of_z", log_det, golden["logdet_of_z"])
    latent, log_det = inverse(weights, x, context)
    compare("z_of_x", latent, golden["z_of_x"])
    compare("logdet_inverse_of_x", log_det, golden["logdet_inverse_of_x"])
    compare("log_prob_of_x", log_prob(weights, x, context), golden["log_prob_of_x"])
    compare("nll", -log_prob(weights, x, context).mean(), golden["nll"])
    slopes = gradient(lambda w: -log_prob(w, x, context).mean(), weights)
    compare.tensors("grad_nll", slopes, group(tensors, "grad_nll"))
    if "bod_forward" not in golden:
        return

    compare("bod_forward", oxygen_demand(z), golden["bod_forward"])
    compare("bod_log_target", log_target(z), golden["bod_log_target"])
    compare("reverse_kl_loss", reverse_kl(weights, z), golden["reverse_kl_loss"])
    compare.tensors("grad_reverse_kl", gradient(lambda w: reverse_kl(w, z), weights), group(tensors, "grad_reverse_kl"))
    trained = after_adam(weights, z)
    compare.tensors("adam10", trained, group(tensors, "adam10"))
    compare("reverse_kl_loss_after_adam10", reverse_kl(trained, z), golden["reverse_kl_loss_after_adam10"])
    gaussian = {"mean": golden["gauss_mean"], "factor": golden["gauss_chol"]}
    compare("gauss_loss", gaussian_loss(gaussian["mean"], gaussian["factor"], z), golden["gauss_loss"])
    slopes = gradient(lambda q: gaussian_loss(q["mean"], q["factor"], z), gaussian)
    compare("gauss_grad_mean", slopes["mean"], golden["gauss_grad_mean"])
    compare("gauss_grad_chol", np.tril(slopes["factor"]), golden["gauss_grad_chol"])


def main():
    compare = Comparison()
    for name in ("flow_d2", "flow_d7_c3"):
        check(Path(__file__).parent / name, compare)
    return 1 if compare.failed else 0


if __name__ == "__main__":
    sys.exit(main())
