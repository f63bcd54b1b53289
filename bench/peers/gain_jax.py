#!/usr/bin/env python3
"""Peer of bench/gain: one cost and gradient of the gain objective in JAX, on the reference problem (1000 cycles).

    python3 bench/peers/gain_jax.py [--threads 2] [--repetitions 5] [--data tests/data/learn_gain_l96.nc]

The best effort of the same mathematics: exact cost, Cholesky factors instead of eigenvalues or inverses, one compiled
lax.scan over the cycles, reverse-mode differentiation with the value. Prints one JSON object a line, with the fastest of
the repetitions: {"case": "gain_gradient/float64", "seconds_per_unit": ..., ...}. Ends with exit code 1 when the cost is
not the one in the golden file.
"""
import argparse
import json
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--data", type=Path, default=ROOT / "tests/data/learn_gain_l96.nc")
    return parser.parse_args()


def limit_threads(count):
    """Before JAX starts: XLA's pool takes its size from the cores that the process may use."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(count)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
    os.environ["JAX_PLATFORMS"] = "cpu"


def make_objective(y, dtype):
    import jax
    import jax.numpy as jnp
    from jax.scipy.linalg import cho_solve, solve_triangular

    F, dt, q, n = 8.0, 0.05, 0.1, y.shape[1]
    y, eye = jnp.asarray(y, dtype), jnp.eye(n, dtype=dtype)

    def slope(v):
        return (jnp.roll(v, -1, -1) - jnp.roll(v, 2, -1)) * jnp.roll(v, 1, -1) - v + F

    def step(v):
        k1 = slope(v)
        k2 = slope(v + dt / 2 * k1)
        k3 = slope(v + dt / 2 * k2)
        return v + dt / 6 * (k1 + 2 * k2 + 2 * k3 + slope(v + dt * k3))

    def objective(K):
        A = eye - K  # H = I
        noise = K @ K.T  # R = I

        def cycle(carry, y_now):
            m, C = carry
            forecast, tangent = jax.linearize(step, m)
            J_C = jax.vmap(tangent, in_axes=1, out_axes=1)(C)  # J C, J by columns
            C_hat = jax.vmap(tangent)(J_C) + q * eye  # (J (J C)')' + Q, C symmetric
            mean = forecast + K @ (y_now - forecast)
            C = A @ C_hat @ A.T + noise
            L_hat, L = jnp.linalg.cholesky(C_hat), jnp.linalg.cholesky(C)
            d = forecast - mean
            white = solve_triangular(L_hat, d, lower=True)
            log_ratio = jnp.log(jnp.diagonal(L_hat)).sum() - jnp.log(jnp.diagonal(L)).sum()
            kl = 0.5 * (jnp.trace(cho_solve((L_hat, True), C)) - n + white @ white) + log_ratio
            innovation = y_now - mean
            loglik = -0.5 * (innovation @ innovation + jnp.trace(C) + n * jnp.log(2 * jnp.pi))
            return (mean, C), kl - loglik

        start = (jnp.ones(n, dtype), eye)
        return jax.lax.scan(cycle, start, y)[1].sum()

    return jax.jit(jax.value_and_grad(objective)), 0.4 * eye


def measure(objective, gain, repetitions):
    import jax

    jax.block_until_ready(objective(gain))  # compiles
    jax.block_until_ready(objective(gain))  # warms up
    seconds = []
    for _ in range(repetitions):
        start = time.perf_counter()
        value, gradient = jax.block_until_ready(objective(gain))
        seconds.append(time.perf_counter() - start)
    return seconds, float(value), gradient


def main():
    options = arguments()
    limit_threads(options.threads)
    import jax
    import netCDF4
    import numpy as np

    jax.config.update("jax_enable_x64", True)
    with netCDF4.Dataset(options.data) as file:
        y, cost, golden = (np.array(file[name][...]) for name in ("y", "cost_initial", "gradient_initial"))
    agree = True
    for dtype, cost_tolerance, gradient_tolerance in (("float64", 1e-9, 1e-9), ("float32", 1e-5, 1e-3)):
        objective, gain = make_objective(y, dtype)
        seconds, value, gradient = measure(objective, gain, options.repetitions)
        cost_error = abs(value - cost) / abs(cost)
        gradient_error = np.linalg.norm(np.asarray(gradient, float) - golden) / np.linalg.norm(golden)
        right = cost_error < cost_tolerance and gradient_error < gradient_tolerance
        agree = agree and right
        print(json.dumps({"case": f"gain_gradient/{dtype}", "seconds_per_unit": min(seconds),
                          "median_seconds": float(np.median(seconds)), "unit": "cost and gradient", "peer": "JAX " + jax.__version__,
                          "threads": options.threads, "cost": value, "cost_error": float(cost_error),
                          "gradient_error": float(gradient_error)}), flush=True)
        if not right:
            print(f"gain_jax.py: {dtype} disagrees with {options.data.name}", file=sys.stderr)
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
