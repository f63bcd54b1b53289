#!/usr/bin/env python3
"""A plain float64 program for the values in the golden files beside it: the fixed-gain filter's cost and gradient, the
extended Kalman filter, the Lorenz-96 step and its Jacobian. It shares no code with vida and prefers the textbook form
to speed; it needs numpy and netCDF4.

    python3 reference.py check [FILE ...]     compares every value it can compute; exit code 1 when one is off
    python3 reference.py values IN.nc OUT.nc  computes them for the problem in IN.nc (y, H, R, Q, m0, C0, K, F, dt, ..)

Everything is analytic in K, so derivatives along a direction D come from one complex evaluation,
    d/dt cost(K + t D) = Im cost(K + i h D) / h,  h = 1e-30,
exact to rounding. No conjugate and no absolute value may therefore appear below.
"""
import sys
from pathlib import Path

import netCDF4
import numpy as np

STEP = 1e-30


def slope(v, F):
    return (np.roll(v, -1) - np.roll(v, 2)) * np.roll(v, 1) - v + F


def slope_tangent(v, V):
    """Derivative of slope at v along every column of V."""
    right, left, left2 = np.roll(V, -1, 0), np.roll(V, 1, 0), np.roll(V, 2, 0)
    return (right - left2) * np.roll(v, 1)[:, None] + (np.roll(v, -1) - np.roll(v, 2))[:, None] * left - V


def cycle(v, F, dt, steps):
    """`steps` classical Runge-Kutta steps and their Jacobian, propagated through the stages."""
    J = np.eye(len(v), dtype=v.dtype)
    for _ in range(steps):
        k1, K1 = slope(v, F), slope_tangent(v, J)
        u, U = v + dt / 2 * k1, J + dt / 2 * K1
        k2, K2 = slope(u, F), slope_tangent(u, U)
        u, U = v + dt / 2 * k2, J + dt / 2 * K2
        k3, K3 = slope(u, F), slope_tangent(u, U)
        u, U = v + dt * k3, J + dt * K3
        k4, K4 = slope(u, F), slope_tangent(u, U)
        v, J = v + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4), J + dt / 6 * (K1 + 2 * K2 + 2 * K3 + K4)
    return v, J


def log_det(A):
    sign, log_modulus = np.linalg.slogdet(A)
    return log_modulus + np.log(sign)  # for complex A the sign is a phase


def kl_divergence(m, C, m_ref, C_ref):
    """KL( N(m, C) || N(m_ref, C_ref) )."""
    d = m_ref - m
    solved = np.linalg.solve(C_ref, np.column_stack([C, d]))
    return 0.5 * (np.trace(solved[:, :-1]) - len(m) + d @ solved[:, -1] + log_det(C_ref) - log_det(C))


def expected_log_likelihood(m, C, y, H, R):
    """E log N(y; H u, R), u ~ N(m, C)."""
    d = y - H @ m
    solved = np.linalg.solve(R, np.column_stack([H @ C @ H.T, d]))
    return -0.5 * (d @ solved[:, -1] + np.trace(solved[:, :-1]) + len(y) * np.log(2 * np.pi) + log_det(R))


def run_filter(problem, K=None):
    """Per cycle: forecast, analysis, KL and expected log-likelihood. Without K the extended Kalman filter's gain is used."""
    H, R, Q = problem["H"], problem["R"], problem["Q"]
    kind = float if K is None else K.dtype
    m, C = problem["m0"].astype(kind), problem["C0"].astype(kind)
    eye = np.eye(len(m))
    out = {name: [] for name in ("forecast_mean", "forecast_cov", "analysis_mean", "analysis_cov", "gain", "kl", "loglik")}
    for y in problem["y"]:
        m_hat, J = cycle(m, problem["F"], problem["dt"], problem["steps_per_cycle"])
        C_hat = J @ C @ J.T + Q
        gain = K if K is not None else np.linalg.solve(H @ C_hat @ H.T + R, H @ C_hat).T
        A = eye - gain @ H
        m = m_hat + gain @ (y - H @ m_hat)
        C = A @ C_hat @ A.T + gain @ R @ gain.T
        out["kl"].append(kl_divergence(m, C, m_hat, C_hat))
        out["loglik"].append(expected_log_likelihood(m, C, y, H, R))
        for name, value in zip(out, (m_hat, C_hat, m, C, gain)):
            out[name].append(value)
    return {name: np.array(value) for name, value in out.items()}


def cost(problem, K):
    terms = run_filter(problem, K)
    return (terms["kl"] - terms["loglik"]).sum()


def derivative_along(problem, K, direction):
    return cost(problem, K + 1j * STEP * direction).imag / STEP


def gradient(problem, K):
    """One evaluation per entry of K: for small problems."""
    result = np.empty_like(K)
    for index in np.ndindex(K.shape):
        direction = np.zeros_like(K)
        direction[index] = 1
        result[index] = derivative_along(problem, K, direction)
    return result


def read_problem(path):
    with netCDF4.Dataset(path) as file:
        stored = {name: np.array(variable[...]) for name, variable in file.variables.items()}
    n = (stored["truth"] if "truth" in stored else stored["y"]).shape[1]
    defaults = {"F": 8.0, "dt": 0.05, "steps_per_cycle": 1, "H": np.eye(n), "R": np.eye(stored["y"].shape[1]),
                "Q": 0.1 * np.eye(n), "m0": np.ones(n), "C0": np.eye(n)}
    problem = {name: stored.get(name, value) for name, value in defaults.items()} | {"y": stored["y"]}
    problem["steps_per_cycle"] = int(problem["steps_per_cycle"])
    return problem, stored, stored.get("K", 0.4 * problem["H"].T)


def check(path):
    problem, stored, K = read_problem(path)
    worst = 0.0

    def compare(name, ours, golden, tolerance=1e-10):
        nonlocal worst
        error = np.linalg.norm(np.asarray(ours) - golden) / np.linalg.norm(golden)
        print(f"  {name:<24} relative difference {error:.1e}")
        worst = max(worst, error / tolerance if np.isfinite(error) else np.inf)

    print(path.name)
    fixed, ekf = run_filter(problem, K), run_filter(problem)
    total = (fixed["kl"] - fixed["loglik"]).sum()
    suffix = "" if "K" in stored else "_initial"
    compare("cost", total, stored["cost" + suffix])
    compare("kl", fixed["kl"], stored["kl" + suffix])
    compare("loglik", fixed["loglik"], stored["loglik" + suffix])
    for name in ("forecast_mean", "forecast_cov", "analysis_mean", "analysis_cov"):
        if name + suffix in stored:
            compare(name, fixed[name][: len(stored[name + suffix])], stored[name + suffix])
    compare("ekf_mean", ekf["analysis_mean"], stored["ekf_mean"])
    if suffix:
        compare("ekf_gain_last", ekf["gain"][-1], stored["ekf_gain_last"])
        compare("ekf_gain_steady", ekf["gain"][-50:].mean(0), stored["ekf_gain_steady"])
        compare("cost_100", cost(problem, stored["gain_100"]), stored["cost_100"])
    else:
        psi, J = cycle(problem["m0"], problem["F"], problem["dt"], problem["steps_per_cycle"])
        compare("psi_m0", psi, stored["psi_m0"])
        compare("jacobian_m0", J, stored["jacobian_m0"])
        compare("analysis_cov_last", fixed["analysis_cov"][-1], stored["analysis_cov_last"])
        compare("ekf_cov_last", ekf["analysis_cov"][-1], stored["ekf_cov_last"])
    golden = stored["gradient" + suffix]
    if golden.size < 100:
        compare("gradient", gradient(problem, K), golden)
    else:  # along the gradient itself, where a wrong length shows, and along a random direction
        for name, D in (("itself", golden), ("random", np.random.default_rng(1).standard_normal(K.shape))):
            D = D / np.linalg.norm(D)
            compare(f"gradient along {name}", derivative_along(problem, K, D), (golden * D).sum(), 1e-9)
    return worst < 1


def write_values(source, target):
    problem, _, K = read_problem(source)
    fixed, ekf = run_filter(problem, K), run_filter(problem)
    values = {"K": K, "cost": (fixed["kl"] - fixed["loglik"]).sum(), "kl": fixed["kl"], "loglik": fixed["loglik"],
              "gradient": gradient(problem, K), "analysis_mean": fixed["analysis_mean"],
              "analysis_cov_last": fixed["analysis_cov"][-1], "ekf_mean": ekf["analysis_mean"],
              "ekf_cov_last": ekf["analysis_cov"][-1]}
    values |= {name: problem[name] for name in ("y", "H", "R", "Q", "m0", "C0", "F", "dt", "steps_per_cycle")}
    with netCDF4.Dataset(target, "w") as file:
        for name, value in values.items():
            value = np.asarray(value, float)
            dims = [f"{name}_{axis}" for axis in range(value.ndim)]
            for dim, size in zip(dims, value.shape):
                file.createDimension(dim, size)
            file.createVariable(name, "f8", dims)[...] = value


def main(arguments):
    if arguments[:1] == ["values"] and len(arguments) == 3:
        write_values(*map(Path, arguments[1:]))
        return 0
    if arguments[:1] != ["check"]:
        print(__doc__)
        return 2
    paths = [Path(name) for name in arguments[1:]] or [
        path for path in sorted(Path(__file__).parent.glob("*.nc")) if "flow_" not in path.name
    ]  # those are of reference_flow.py and reference_mixture_flow.py
    agree = [check(path) for path in paths]
    print("all values agree" if all(agree) else "VALUES DIFFER")
    return 0 if all(agree) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
