#!/usr/bin/env python3
"""Peer of bench/ensemble: a Lorenz-96 ensemble in JAX, states [40, N], all time steps in one compiled loop.

    python3 bench/peers/lorenz96_jax.py [--repetitions 5]

Two forms of the same Runge-Kutta step are timed, since XLA favours one or the other: the four stages in one fused
expression, and the stages as a lax.scan. Both read neighbours from a copy with a halo, which is quicker than jnp.roll.
Prints one JSON object a line, with the fastest of the repetitions after one that compiles and warms up.
"""
import argparse
import json
import os
import time

os.environ["JAX_PLATFORMS"] = "cpu"

import jax

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp

VARIABLES, FORCING, DT = 40, 8.0, 0.05


def slope(v):
    halo = jnp.concatenate([v[-2:], v, v[:1]])
    return (halo[3:] - halo[:-3]) * halo[1:-2] - v + FORCING


def fused_step(v):
    k1 = slope(v)
    k2 = slope(v + DT / 2 * k1)
    k3 = slope(v + DT / 2 * k2)
    k4 = slope(v + DT * k3)
    return v + DT / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def scanned_step(v):
    ahead = jnp.array([DT / 2, DT / 2, DT, 0], v.dtype)
    weight = jnp.array([DT / 6, DT / 3, DT / 3, DT / 6], v.dtype)

    def stage(carry, factors):
        u, total = carry
        k = slope(u)
        return (v + factors[0] * k, total + factors[1] * k), None

    return jax.lax.scan(stage, (v, v), (ahead, weight))[0][1]


def seconds_per_step(step, members, dtype, repetitions):
    integrate = jax.jit(lambda v, steps: jax.lax.fori_loop(0, steps, lambda _, state: step(state), v))
    v = 8 + jax.random.normal(jax.random.key(1), (VARIABLES, members), dtype)
    steps = max(3, 200_000 // members)
    integrate(v, steps).block_until_ready()
    best = float("inf")
    for _ in range(repetitions):
        start = time.perf_counter()
        integrate(v, steps).block_until_ready()
        best = min(best, time.perf_counter() - start)
    return best / (steps * members)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=5)
    repetitions = parser.parse_args().repetitions
    for dtype in (jnp.float32, jnp.float64):
        for members in (64, 1024, 4096, 100_000):
            for form, step in (("fused", fused_step), ("scan", scanned_step)):
                print(json.dumps({"case": f"lorenz96_ensemble/{jnp.dtype(dtype).name}/N:{members}",
                                  "seconds_per_unit": seconds_per_step(step, members, dtype, repetitions),
                                  "unit": "trajectory step", "peer": f"JAX {jax.__version__} {form}"}), flush=True)


if __name__ == "__main__":
    main()
