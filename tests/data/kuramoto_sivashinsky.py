"""Numbers of tests/models/kuramoto_sivashinsky_test.cpp: ETDRK4 for u_t = -u u_x - u_xx - u_xxxx with numpy's transform
and the phi functions by their recursion in long double, or by their series
near zero."""
import numpy as np


def phi(order, z):
    """phi_k(z) = sum_j z^j / (j + k)!"""
    if abs(z) < 1.5:
        term = 1.0
        for j in range(1, order + 1):
            term /= j
        total, j = 0.0, 0
        while abs(term) > 1e-22:
            total += term
            j += 1
            term *= z / (j + order)
        return total
    z = np.longdouble(z)
    value, factorial = np.exp(z), np.longdouble(1)
    for j in range(order):
        value = (value - 1 / factorial) / z
        factorial *= j + 1
    return float(value)


def advance(u, period, h, steps):
    n = len(u)
    k = 2 * np.pi / period * np.arange(n // 2 + 1)
    z = h * (k**2 - k**4)
    slope = -0.5j * k
    slope[-1] = 0
    phi1, phi2, phi3 = (np.array([phi(order, x) for x in z]) for order in (1, 2, 3))
    E, E2 = np.exp(z), np.exp(z / 2)
    Q = h / 2 * np.array([phi(1, x / 2) for x in z])
    f1, f2, f3 = h * (phi1 - 3 * phi2 + 4 * phi3), h * (phi2 - 2 * phi3), h * (4 * phi3 - phi2)
    N = lambda v: slope * np.fft.rfft(np.fft.irfft(v, n) ** 2)
    v = np.fft.rfft(u)
    for _ in range(steps):
        Nv = N(v)
        a = E2 * v + Q * Nv
        Na = N(a)
        b = E2 * v + Q * Na
        Nb = N(b)
        c = E2 * a + Q * (2 * Nb - Nv)
        v = E * v + f1 * Nv + 2 * f2 * (Na + Nb) + f3 * N(c)
    return np.fft.irfft(v, n)


if __name__ == "__main__":
    n, period = 16, 22.0
    x = 2 * np.pi * np.arange(n) / n
    u = 0.1 + np.cos(x) * (1 + np.sin(x)) + 0.3 * np.sin(5 * x)
    print(", ".join(f"{value:.16g}" for value in advance(u, period, 0.25, 20)))
