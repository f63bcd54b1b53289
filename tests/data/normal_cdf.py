#!/usr/bin/env python3
"""Prints the coefficients of G in kernels/pack_math.cuh (needs mpmath): Chebyshev interpolation of
G(t) = (z + K) Phi(-z) exp(z^2 / 2), t = (z - K) / (z + K), on [-1, 1], and its largest relative error."""
from mpmath import cos, erfc, exp, mp, mpf, nstr, pi, polyval, sqrt

mp.dps = 60


def mills(z):
    if z < 200:
        return erfc(z / sqrt(2)) / 2 * exp(z * z / 2) * sqrt(2 * pi)
    fraction = mpf(0)
    for k in range(400, 0, -1):
        fraction = k / (z + fraction)
    return 1 / (z + fraction)


def interpolation(K, degree):
    def G(t):
        z = K * (1 + t) / (1 - t)
        return (z + K) * mills(z) / sqrt(2 * pi)

    N = degree + 1
    angles = [pi * (2 * j + 1) / (2 * N) for j in range(N)]
    values = [G(cos(a)) for a in angles]
    chebyshev = [(1 if k == 0 else 2) / mpf(N) * sum(v * cos(k * a) for v, a in zip(values, angles)) for k in range(N)]
    T = [[mpf(1)], [mpf(0), mpf(1)]]
    while len(T) < N:
        doubled = [mpf(0)] + [2 * c for c in T[-1]]
        T.append([c - (T[-2][i] if i < len(T[-2]) else 0) for i, c in enumerate(doubled)])
    coefficients = [sum(chebyshev[k] * T[k][i] for k in range(i, N)) for i in range(N)]
    points = [cos(pi * i / 800) for i in range(1, 800)]
    return coefficients, max(abs(polyval(coefficients[::-1], t) / G(t) - 1) for t in points)


for name, K, degree, digits in (("float", mpf(3.5), 10, 9), ("double", mpf(5), 22, 17)):
    coefficients, error = interpolation(K, degree)
    print(f"{name}: K = {nstr(K)}, error {nstr(error, 2)}")
    print(", ".join(f"Real({nstr(c, digits)})" for c in coefficients))
