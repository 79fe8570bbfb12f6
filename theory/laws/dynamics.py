"""Laws in which training time stands beside the sizes."""

from theory.declaration import symbols as s
from theory.declaration.law import Law
from theory.declaration.symbols import D, N, S, t
from theory.learning import bottlenecks

E = s.floor()
A, data, F = s.amplitude("A", of=N), s.amplitude("B", of=D), s.amplitude("F", of=t)


def _kaplan_steps() -> Law:
    n_c, s_c = s.scale("N_c", of=N), s.scale("S_c", of=S)
    alpha_N = s.exponent("alpha_N", of=N, typical=(0.077, 0.3))
    # Kaplan's is 0.76; over six decades of steps that alone would take the loss beyond ln V.
    alpha_S = s.exponent("alpha_S", of=S, typical=(0.3, 0.45))
    return Law(
        name="kaplan_steps",
        title="model size and serial steps",
        resources=(N, S),
        parameters=(n_c, s_c, alpha_N, alpha_S),
        formula=(n_c / N) ** alpha_N.symbol + (s_c / S) ** alpha_S.symbol,
        weights={N: alpha_N.symbol, S: alpha_S.symbol},
        source="Kaplan et al. 2020, arXiv:2001.08361, eq. (1.6)",
        citation="kaplan2020",
    )


kaplan_steps = _kaplan_steps()


def _dmft_terms() -> Law:
    r_N, r_D, r_t = (s.exponent(f"r_{r.name}", of=r) for r in (N, D, t))
    return Law(
        name="dmft_terms",
        title="model size, data and time, free exponents",
        resources=(N, D, t),
        parameters=(E, A, data, F, r_N, r_D, r_t),
        formula=E + A * N**-r_N + data * D**-r_D + F * t**-r_t,
        floor=E,
        weights={N: r_N.symbol, D: r_D.symbol, t: r_t.symbol},
        source="Bordelon et al. 2024, arXiv:2402.01092: bottleneck scalings in N, D and t",
        citation="bordelon2024",
    )


dmft_terms = _dmft_terms()

task = s.exponent("a_1", of=t, typical=(0.3, 0.35))
spectrum = s.shape("b_1", "spectral exponent b less 1", typical=(0.5, 0.5))


def _dmft_tied() -> Law:
    r_N, r_D, r_t = (
        bottlenecks.at(exponent, task.symbol, spectrum.symbol)
        for exponent in (bottlenecks.FEATURES, bottlenecks.SAMPLES, bottlenecks.TIME)
    )
    return Law(
        name="dmft_tied",
        title="model size, data and time, exponents tied by the spectrum",
        resources=(N, D, t),
        parameters=(E, A, data, F, task, spectrum),
        formula=E + A * N**-r_N + data * D**-r_D + F * t.symbol**-r_t,
        floor=E,
        weights={N: r_N, D: r_D, t: r_t},
        source="Bordelon et al. 2024, arXiv:2402.01092, with a - 1 = a_1 and b - 1 = b_1; the "
        "exact infinite-data exponent in N is min(a - 1, b)",
        citation="bordelon2024",
        nests={"dmft_terms": {"r_N": r_N, "r_D": r_D, "r_t": r_t}},
    )


dmft_tied = _dmft_tied()
