"""Symbolic work within a time budget: it is stopped, on any thread, and leaves nothing behind."""

import itertools
import threading
import time

import pytest
import sympy

from theory.declaration.timebox import within

# An interrupt that lands in a callback of the garbage collector (JAX has one) is lost there, which
# Python reports, and `within` sends it again: only that report is no error.
pytestmark = pytest.mark.filterwarnings(
    "ignore:(?s).*_OutOfTime:pytest.PytestUnraisableExceptionWarning"
)

BUDGET = 0.3
"""Seconds; stopping takes at most a second more (`TRIES` waits of 0.05 s)."""

PATIENCE = 20.0
"""Seconds within which a stopped task must have returned, on a busy machine."""

x = sympy.Symbol("x", positive=True)
y = sympy.Symbol("y", real=True)
k = sympy.Symbol("k", integer=True, nonnegative=True)


def endless_python(expr):
    for i in itertools.count():
        expr = expr + i - i
    return expr


def endless_sympy(expr):
    while True:
        sympy.simplify(sympy.sin(expr) ** 2 + sympy.cos(expr) ** 2 + expr)


def symbolic_workers():
    return [t for t in threading.enumerate() if t.name == "symbolic work" and t.is_alive()]


@pytest.mark.parametrize("endless", [endless_python, endless_sympy])
def test_an_endless_task_is_stopped_within_its_budget(endless):
    start = time.monotonic()
    assert within(BUDGET, endless, x + y) is None
    assert time.monotonic() - start < BUDGET + PATIENCE
    assert symbolic_workers() == []


@pytest.mark.parametrize("endless", [endless_python, endless_sympy])
def test_an_endless_task_is_stopped_off_the_main_thread_too(endless):
    found = ["not run"]

    def run():
        found[0] = within(BUDGET, endless, x + y)

    thread = threading.Thread(target=run)
    start = time.monotonic()
    thread.start()
    thread.join(BUDGET + PATIENCE)
    assert not thread.is_alive()
    assert time.monotonic() - start < BUDGET + PATIENCE
    assert found == [None]
    assert symbolic_workers() == []


def test_several_threads_have_budgets_of_their_own():
    found = {}

    def run(name, work):
        found[name] = within(2 * BUDGET, work, x**2 / x + y - y)

    works = {"endless": endless_sympy, "quick": sympy.simplify, "wrong": lambda e: 1 / 0}
    threads = [threading.Thread(target=run, args=item) for item in works.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10.0)
    assert found == {"endless": None, "quick": x, "wrong": None}


def test_simplifying_works_after_a_task_was_stopped_and_assumptions_survive():
    expr = sympy.sqrt(x**2) + sympy.sqrt(y**2) + (-1) ** (2 * k)
    for _ in range(3):
        assert within(0.05, endless_sympy, expr + sympy.gamma(x)) is None
        assert sympy.simplify(sympy.sqrt(x**2) - x) == 0
        assert sympy.sqrt(y**2) == sympy.Abs(y)  # real, not positive
        assert sympy.simplify((-1) ** (2 * k)) == 1
        assert (x.is_positive, y.is_real, y.is_positive, k.is_integer) == (True, True, None, True)
        assert within(10.0, sympy.simplify, sympy.sin(y) ** 2 + sympy.cos(y) ** 2) == 1


def test_the_work_sees_the_same_assumptions_and_the_result_has_the_same_symbols():
    seen = {}

    def look(expr):
        for symbol in expr.free_symbols:
            seen[symbol.name] = (symbol.is_positive, symbol.is_real, symbol.is_integer)
        return expr * 2

    assert within(10.0, look, x + y + k) == 2 * (x + y + k)
    assert seen == {"x": (True, True, None), "y": (None, True, None), "k": (None, True, True)}


def test_two_symbols_of_one_name_are_kept_apart():
    other = sympy.Symbol("x", real=True)
    assert within(10.0, sympy.expand, (x + other) * x) == x**2 + x * other


@pytest.mark.parametrize(
    "error", [ArithmeticError, ZeroDivisionError, NotImplementedError, TypeError, ValueError]
)
def test_what_sympy_raises_where_it_gives_up_means_nothing_was_found(error):
    def give_up(expr):
        raise error("SymPy gives up")

    assert within(10.0, give_up, x) is None


def test_quick_work_does_not_wait_for_the_budget():
    start = time.monotonic()
    assert within(60.0, sympy.simplify, x / x) == 1
    assert time.monotonic() - start < 5.0
