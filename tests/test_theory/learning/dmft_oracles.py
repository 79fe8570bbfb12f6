"""Slow, independent solutions of the model: matrices in time, and draws of a finite model."""

import numpy as np


def time_domain(lam, p, *, N, P, noise, learning_rate, steps):
    """Test and train loss of gradient descent by T x T matrices of the DMFT.

    Functions of z are lower triangular Toeplitz matrices: 1/z is the running sum Z, and the
    initial error, held, is the vector of ones. First R1, R3 by iteration of their definitions,
    then C0, C1, C2, C3 by iteration of theirs; causality makes both end. No kappa, no contour.
    """
    T = steps + 1
    eye, ones = np.eye(T), np.ones((T, 1))
    Z = learning_rate * np.tril(np.ones((T, T)), -1)
    lam, p = lam[:, None, None], p[:, None, None]
    R1 = R3 = eye
    for _ in range(T + 1):
        chain = Z @ R1 @ R3
        S = np.linalg.inv(eye + lam * chain)
        df1 = (lam * chain @ S).sum(0)
        before, R1, R3 = R1, eye - df1 / P, eye - df1 / N
        if np.abs(R1 - before).max() < 1e-16:
            break
    G, h = S @ Z, S @ ones
    bias, both = p * h @ h.mT, ones @ ones.T
    C1 = C3 = np.zeros((T, T))
    for _ in range(T + 1):
        old = C1, C3
        C0 = (bias + lam * G @ (lam / P * (R3 @ C1 @ R3.T) + C3 / N) @ G.mT).sum(0)
        C1 = R1 @ (C0 + noise * both) @ R1.T
        C2 = R1 @ (lam * bias + lam**2 * G @ (C3 / N) @ G.mT).sum(0) @ R1.T
        C2 += (lam * S @ (C1 / P) @ S.mT).sum(0)
        C3 = R3 @ C2 @ R3.T
        if max(np.abs(C1 - old[0]).max(), np.abs(C3 - old[1]).max()) < 1e-14:
            break
    return np.diag(C0) + noise, np.diag(C1)


def trained(psi, y, A, times):
    """``A^T w_t/sqrt(N)`` of gradient flow from zero, one a time."""
    P, N = len(y), len(A)
    phi = psi @ A.T / np.sqrt(N)
    values, vectors = np.linalg.eigh(phi.T @ phi / P)
    values = np.maximum(values, 1e-14)
    b = vectors.T @ (phi.T @ y / P)
    weights = [vectors @ (-np.expm1(-values * t) / values * b) for t in times]
    return np.array([w @ A / np.sqrt(N) for w in weights])


def draws(lam, p, *, N, P, noise, times, count, seed, rows=None):
    """Mean and standard error of the test loss of gradient flow over draws of A and of the data."""
    rng = np.random.default_rng(seed)
    M, found = len(lam), []
    for _ in range(count):
        A = rng.standard_normal((N, M)) if rows is None else rows(rng)
        if P is None:
            _, s, Vt = np.linalg.svd(A * np.sqrt(lam) / np.sqrt(N), full_matrices=False)
            target = Vt @ np.sqrt(p)
            decay = np.exp(-np.outer(times, s**2))
            found.append(p.sum() - (target**2 * (1 - decay**2)).sum(1) + noise)
            continue
        psi, w = rng.standard_normal((P, M)) * np.sqrt(lam), np.sqrt(p / lam)
        y = psi @ w + np.sqrt(noise) * rng.standard_normal(P)
        found.append(((w - trained(psi, y, A, times)) ** 2 * lam).sum(1) + noise)
    found = np.array(found)
    return found.mean(0), found.std(0) / np.sqrt(count)


def crossed(lam, p, sizes, *, common, same_projection, noise, times, count, seed):
    """``E (y - f)(y - f')`` of two predictors: at test points, and over the common examples.

    Means over draws and their standard errors. ``sizes = (N, P), (N', P')``.
    """
    rng = np.random.default_rng(seed)
    M, w = len(lam), np.sqrt(p / lam)
    (N, P), (N_prime, P_prime) = sizes
    test, train = [], []
    for _ in range(count):
        A = rng.standard_normal((N, M))
        other = A if same_projection else rng.standard_normal((N_prime, M))
        psi = rng.standard_normal((P + P_prime - common, M)) * np.sqrt(lam)
        y = psi @ w + np.sqrt(noise) * rng.standard_normal(len(psi))
        one = trained(psi[:P], y[:P], A, times)
        two = trained(psi[P - common :], y[P - common :], other, times)
        test.append(((w - one) * (w - two) * lam).sum(1) + noise)
        both = psi[P - common : P], y[P - common : P]
        left, right = (both[1] - f @ both[0].T for f in (one, two))
        train.append((left * right).mean(1) if common else 0 * test[-1])
    test, train = np.array(test), np.array(train)
    root = np.sqrt(count)
    return test.mean(0), test.std(0) / root, train.mean(0), train.std(0) / root
