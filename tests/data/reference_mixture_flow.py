#!/usr/bin/env python3
"""A plain float64 program for the values in the mixture flow files beside it: a coupling flow whose layers pass each moved
coordinate through the distribution function of a mixture of logistics (Ho et al. 2019), its log determinant, its loss and
the gradients. It shares no code with vida and needs torch, numpy, safetensors and netCDF4.

    python3 reference_mixture_flow.py            compares every value of both files; exit code 1 when one is off
    python3 reference_mixture_flow.py --write    draws both flows anew from their seeds and writes the files

Gradients come from automatic differentiation. Either way the program first holds itself to three facts that need none of
its formulas: bisection takes z back to x, the log determinant is that of the Jacobian, and the gradient is that of central
differences.
"""
import argparse
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import netCDF4
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import linear, logsigmoid

SPREAD = 2.5  # |s_k| stays below it


@dataclass
class Case:
    name: str
    dimension: int
    context: int
    hidden: int
    depth: int
    components: int
    scale_limit: float
    moved: list  # one list of coordinates a layer, in the order of the net's rows
    samples: int
    seed: int
    tail: float = 0.0  # size of the coordinates of the last sample, 0 for none

    def kept(self, i):
        return [j for j in range(self.dimension) if j not in self.moved[i]]

    def shapes(self, i):
        """[out, in] of the linear maps of layer i."""
        rows = len(self.moved[i]) * (2 + 3 * self.components)
        widths = [len(self.kept(i)) + self.context] + self.depth * [self.hidden] + [rows]
        return [(b, a) for a, b in zip(widths, widths[1:])]


CASES = [
    Case("mixture_flow_d7_c3", 7, 3, 8, 2, 3, 1.5, [[0, 2, 4, 6], [1, 3, 5], [4, 5, 6], [3, 0, 2, 1], [2]], 9, 119, 40.0),
    Case("mixture_flow_affine_d4", 4, 0, 5, 1, 0, 2.0, [[0, 3], [1, 2], [0, 1, 2]], 9, 31),
]


def parts(case, parameters):
    """{name of the tensor: its part of the vector}, in order."""
    tensors, at = {}, 0
    for i in range(len(case.moved)):
        for k, (rows, columns) in enumerate(case.shapes(i)):
            for name, shape in (("weight", (rows, columns)), ("bias", (rows,))):
                size = math.prod(shape)
                tensors[f"params.layers.{i}.{k}.{name}"] = parameters[at : at + size].reshape(shape)
                at += size
    assert at == len(parameters)
    return tensors


def mixture(x, logits, means, spreads):
    """y = log F - log G and log dy/dx of the mixture with distribution function F = 1 - G. x: [.., m], others [.., K, m]."""
    log_w, s = torch.log_softmax(logits, -2), SPREAD * torch.tanh(spreads / SPREAD)
    u = (x[..., None, :] - means) * torch.exp(-s)
    log_F = torch.logsumexp(log_w + logsigmoid(u), -2)
    log_G = torch.logsumexp(log_w + logsigmoid(-u), -2)
    log_f = torch.logsumexp(log_w - s + logsigmoid(u) + logsigmoid(-u), -2)
    return log_F - log_G, log_f - log_F - log_G


class Coupling:
    """Layer i where the kept coordinates and the context have these values: an elementwise map of the moved ones."""

    def __init__(self, case, tensors, i, kept, context):
        rows = torch.cat([kept, context], -1)
        for k in range(case.depth + 1):
            rows = linear(rows, tensors[f"params.layers.{i}.{k}.weight"], tensors[f"params.layers.{i}.{k}.bias"])
            if k < case.depth:
                rows = torch.relu(rows)
        blocks = rows.unflatten(-1, (2 + 3 * case.components, len(case.moved[i])))
        self.b = case.scale_limit * torch.tanh(blocks[..., 0, :])
        self.a = blocks[..., 1, :]
        self.mixture = blocks[..., 2:, :].chunk(3, -2) if case.components else None

    def __call__(self, x):
        """z and log dz/dx."""
        y, log_slope = mixture(x, *self.mixture) if self.mixture else (x, torch.zeros_like(x))
        return y * torch.exp(self.b) + self.a, log_slope + self.b


def flow(case, parameters, x, context):
    """z = S(x; c) and log |det dS/dx|."""
    tensors, log_det = parts(case, parameters), 0
    for i, moved in enumerate(case.moved):
        layer = Coupling(case, tensors, i, x[..., case.kept(i)], context)
        image, log_slope = layer(x[..., moved])
        x = x.index_copy(-1, torch.tensor(moved), image)
        log_det = log_det + log_slope.sum(-1)
    return x, log_det


def loss_of(case, parameters, x, context):
    z, log_det = flow(case, parameters, x, context)
    return (0.5 * (z * z).sum(-1) - log_det).mean() + 0.5 * case.dimension * math.log(2 * math.pi)


def values(case, parameters, x, context):
    parameters, context = parameters.clone().requires_grad_(), context.clone().requires_grad_()
    z, log_det = flow(case, parameters, x, context)
    loss = loss_of(case, parameters, x, context)
    slopes = torch.autograd.grad(loss, [parameters] + [context] * (case.context > 0))
    found = {"z": z, "log_det": log_det, "loss": loss, "gradient": slopes[0]}
    if case.context:
        found["context_gradient"] = slopes[1]
    return {name: value.detach() for name, value in found.items()}


def inverse_by_bisection(case, parameters, z, context):
    tensors, x = parts(case, parameters), z
    for i in reversed(range(len(case.moved))):
        layer = Coupling(case, tensors, i, x[..., case.kept(i)], context)
        target = x[..., case.moved[i]]
        low, high = torch.full_like(target, -1e6), torch.full_like(target, 1e6)
        for _ in range(90):
            middle = 0.5 * (low + high)
            below = layer(middle)[0] < target
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        x = x.index_copy(-1, torch.tensor(case.moved[i]), 0.5 * (low + high))
    return x


def hold_to_the_facts(case, parameters, x, context, found):
    back = inverse_by_bisection(case, parameters, found["z"], context)
    assert (back - x).abs().max() < 1e-9, f"bisection misses x by {(back - x).abs().max():.1e}"

    for n in range(len(x) - (case.tail > 0)):
        jacobian = torch.autograd.functional.jacobian(lambda v: flow(case, parameters, v, context[n])[0], x[n])
        sign, log_det = torch.linalg.slogdet(jacobian)
        error = abs(log_det - found["log_det"][n])
        assert sign != 0 and error < 1e-10, f"log determinant of sample {n} is off by {error:.1e}"

    def difference(vector, index, size, loss):
        step = torch.zeros_like(vector)
        step.view(-1)[index] = size
        return (loss(vector + step) - loss(vector - step)) / (2 * size)

    def close(name, vector, gradient, indices, loss):
        for index in indices:
            expected = difference(vector, index, 1e-5, loss)
            error = abs(gradient.view(-1)[index] - expected) / gradient.abs().max()
            assert error < 1e-7, f"{name}[{index}]: {gradient.view(-1)[index]:.9g}, differences find {expected:.9g}"

    close("gradient", parameters, found["gradient"], range(0, len(parameters), 17),
          lambda w: loss_of(case, w, x, context))
    if case.context:
        close("context_gradient", context, found["context_gradient"], range(context.numel()),
              lambda c: loss_of(case, parameters, x, c))


def draw(case):
    """Parameters, x and context from the seed. Biases of the mixtures are larger, so that components lie apart."""
    random = np.random.default_rng(case.seed)
    pieces = []
    for i, moved in enumerate(case.moved):
        for k, (rows, columns) in enumerate(case.shapes(i)):
            of_mixture = (k == case.depth) & (np.arange(rows) >= 2 * len(moved))
            pieces.append(random.normal(size=rows * columns) * 0.7 / math.sqrt(columns))
            pieces.append(random.normal(size=rows) * np.where(of_mixture, 1.2, 0.3))
    x = 1.5 * random.normal(size=(case.samples, case.dimension))
    context = random.normal(size=(case.samples, case.context))
    if case.tail:
        x[-1] = case.tail * np.sign(x[-1]) + x[-1]
    return [torch.from_numpy(array) for array in (np.concatenate(pieces), x, context)]


def write(case, stem):
    parameters, x, context = draw(case)
    found = values(case, parameters, x, context)
    hold_to_the_facts(case, parameters, x, context, found)
    save_file({name: tensor.clone() for name, tensor in parts(case, parameters).items()}, stem.with_suffix(".safetensors"))
    dimensions = {"sample": case.samples, "d": case.dimension, "parameter": len(parameters), "layer": len(case.moved),
                  "moved_total": sum(map(len, case.moved))}
    shapes = {"x": ("sample", "d"), "z": ("sample", "d"), "log_det": ("sample",), "parameters": ("parameter",), "loss": (),
              "gradient": ("parameter",), "moved": ("moved_total",), "moved_count": ("layer",)}
    variables = {"x": x, "parameters": parameters, **found, "moved": np.concatenate(case.moved),
                 "moved_count": np.array([len(moved) for moved in case.moved])}
    if case.context:
        dimensions["c"], variables["context"] = case.context, context
        shapes["context"] = shapes["context_gradient"] = ("sample", "c")
    with netCDF4.Dataset(stem.with_suffix(".nc"), "w") as file:
        file.title = f"mixture coupling flow d={case.dimension} context={case.context} layers={len(case.moved)}"
        file.scale_limit = case.scale_limit
        for name in ("components", "hidden", "depth"):
            file.setncattr(name, np.int32(getattr(case, name)))
        for name, size in dimensions.items():
            file.createDimension(name, size)
        for name, value in variables.items():
            file.createVariable(name, "i4" if name.startswith("moved") else "f8", shapes[name])[...] = np.asarray(value)


def check(case, stem):
    """True when the files hold what this program finds for the problem in them."""
    print(case.name)
    with netCDF4.Dataset(stem.with_suffix(".nc")) as file:
        golden = {name: torch.from_numpy(np.array(variable[...])) for name, variable in file.variables.items()}
    parameters, x = golden["parameters"], golden["x"]
    context = golden.get("context", torch.zeros(len(x), 0, dtype=x.dtype))
    tensors = load_file(stem.with_suffix(".safetensors"))
    expected = parts(case, parameters)
    assert tensors.keys() == expected.keys() and all(torch.equal(tensors[name], expected[name]) for name in expected)
    found = values(case, parameters, x, context)
    hold_to_the_facts(case, parameters, x, context, found)
    good = True
    for name, value in found.items():
        error = float((value - golden[name]).norm() / golden[name].norm())
        good &= error <= 1e-12
        print(f"  {'ok ' if error <= 1e-12 else 'OFF'} {name:18s} {error:.1e}")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    good = True
    for case in CASES:
        stem = Path(__file__).parent / case.name
        if options.write:
            write(case, stem)
        good &= check(case, stem)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
