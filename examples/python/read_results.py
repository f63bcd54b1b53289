#!/usr/bin/env python3
"""Reads what vida wrote, in Python.

    read_results.py RESULT.nc [--plot ERRORS.png]      tells what a result holds; of a learned gain its errors
    read_results.py FLOW.safetensors [--vida PROGRAM]  draws from a trained flow by numpy alone, and compares the log
                                                       density of the draws with that of 'vida density'

Needs xarray and netCDF4; for a flow also the package safetensors, for a plot matplotlib.
"""
import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import xarray as xr


def describe(result):
    """Every variable with its axes and what it is."""
    print(result.attrs.get("title", "a result"))
    for name, variable in result.data_vars.items():
        axes = ", ".join(f"{axis} {variable.sizes[axis]}" for axis in variable.dims)
        units = variable.attrs.get("units", "1")
        print(f"  {name:24s} [{axes}]  {variable.attrs.get('long_name', '')}{'' if units == '1' else f', {units}'}")


def held_out_errors(result):
    """Mean squared error over the state [run, test_cycle], of the gain at the start, the learned one and the EKF."""
    filters = {"start": "test_initial_mean", "learned": "test_analysis_mean", "EKF": "test_ekf_mean"}
    return {name: ((result[mean] - result.test_truth) ** 2).mean("state") for name, mean in filters.items()}


def show_result(path, plot):
    result = xr.open_dataset(path)
    describe(result)
    if "test_truth" not in result:
        return
    errors = held_out_errors(result)
    for run in result.run.values:
        means = ", ".join(f"{name} {float(error.sel(run=run).mean()):.4f}" for name, error in errors.items())
        print(f"mean squared error on held-out data, run {run}: {means}")
    if plot:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt

        for name, error in errors.items():
            error.isel(run=0).plot(label=name, linewidth=1)
        plt.legend()
        plt.ylabel("mean squared error")
        plt.savefig(plot)


class Flow:
    """A RealNVP flow x = T(z) without a context; see docs/flows.md for the names of its tensors."""

    def __init__(self, path, problem=0):
        from safetensors import safe_open

        with safe_open(path, framework="numpy") as file:
            notes = file.metadata() or {}
            tensors = {name: file.get_tensor(name).astype(float) for name in file.keys()}
        if int(notes.get("context", 0)):
            sys.exit(f"{path}: this flow has a context; this example reads flows without one.")
        one = tensors["params.layers.0.scale.0.weight"].ndim == 2  # else [problem, out, in]
        self.weights = {name: tensor if one else tensor[problem] for name, tensor in tensors.items()}
        places = [name.split(".") for name in tensors]  # params.layers.{i}.{scale|shift}.{k}.{weight|bias}
        self.layers, self.depth = 1 + max(int(p[2]) for p in places), max(int(p[4]) for p in places)
        first, last = (self.weights[f"params.layers.0.scale.{k}.weight"] for k in (0, self.depth))
        self.dimension, self.limit = first.shape[1] + last.shape[0], float(notes.get("scale_limit", 1))

    def network(self, name, x):
        for k in range(self.depth + 1):
            x = x @ self.weights[f"params.layers.{name}.{k}.weight"].T + self.weights[f"params.layers.{name}.{k}.bias"]
            if k < self.depth:
                x = np.where(x > 0, x, 0.01 * x)
        return x

    def forward(self, z):
        """T(z) [draw, d] and log |det dT/dz| [draw]: even layers move the even coordinates, odd ones the odd."""
        x, log_det = z.copy(), np.zeros(len(z))
        for i in range(self.layers):
            moved, kept = slice(i % 2, None, 2), slice(1 - i % 2, None, 2)
            scale = self.limit * np.tanh(self.network(f"{i}.scale", x[:, kept]))
            x[:, moved] = x[:, moved] * np.exp(scale) + self.network(f"{i}.shift", x[:, kept])
            log_det += scale.sum(axis=1)
        return x, log_det


def show_flow(path, vida):
    flow = Flow(path)
    z = np.random.default_rng(0).standard_normal((10000, flow.dimension))
    x, log_det = flow.forward(z)
    log_density = -0.5 * (z**2).sum(axis=1) - 0.5 * flow.dimension * np.log(2 * np.pi) - log_det
    print(f"{flow.layers} layers, dimension {flow.dimension}: mean {x.mean(axis=0)}, deviation {x.std(axis=0)}")
    with tempfile.TemporaryDirectory() as folder:
        points, densities = Path(folder, "points.nc"), Path(folder, "density.nc")
        xr.Dataset({"x": (("point", "state"), x)}).to_netcdf(points)
        subprocess.run([vida, "density", path, points, "--precision", "float64", "--quiet", "--out", densities], check=True)
        with xr.open_dataset(densities) as file:
            difference = float(np.abs(file.log_density.values - log_density).max())
    print(f"largest difference from 'vida density': {difference:.1e}")
    return difference < 1e-9


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="result.nc or flow.safetensors")
    parser.add_argument("--plot", metavar="ERRORS.png")
    parser.add_argument("--vida", metavar="PROGRAM", default="vida")
    options = parser.parse_args()
    if options.file.endswith(".safetensors"):
        sys.exit(0 if show_flow(options.file, options.vida) else 1)
    show_result(options.file, options.plot)
