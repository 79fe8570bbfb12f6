"""What a notebook shows of a result: the verdict first, the table, and nothing that runs."""

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest

import bayescale as bs

HOSTILE = "<script>alert(1)</script>"


class Page(HTMLParser):
    """The tags and the text of some HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def shown(thing: Any) -> Page:
    return Page(thing._repr_html_())


MADE: dict[str, Callable[[bs.Posterior], Any]] = {
    "Runs": lambda post: post.observed,
    "Posterior": lambda post: post,
    "Plan": lambda post: bs.plan(post, compute=[1e21, 1e22], force=True),
    "Prediction": lambda post: post.predict(N=1e9, D=1e10, force=True),
    "Design": lambda post: bs.design(post, budget=1e19, at=1e21, single_law=True, draws=8),
    "Check": lambda post: bs.check("chinchilla"),
}


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.filterwarnings("ignore::bayescale.errors.DiagnosticsWarning")
def test_a_result_shows_its_verdict_one_line_and_a_table(kind: str, ladder: bs.Posterior) -> None:
    thing = MADE[kind](ladder)
    assert "\n" not in repr(thing) or kind == "Check"
    assert type(thing).__name__ == kind
    page = shown(thing)
    assert {"div", "p", "code", "table"} <= set(page.tags)
    assert repr(thing).partition("\n")[0] in page.text
    if kind != "Runs":
        word = {"ok": "ok", "warn": "warnings", "refuse": "REFUSED"}[str(thing.diagnosis.status)]
        assert page.text.startswith(word)
        assert all(reason in page.text for reason in thing.reasons)


def test_a_refused_posterior_says_so_first(refused: bs.Posterior) -> None:
    text = shown(refused).text
    assert text.startswith("REFUSED: not to be trusted Posterior('chinchilla'")
    assert "Pareto k 0.93" in text


def test_one_line_names_budget_and_verdict(ladder: bs.Posterior) -> None:
    plan = bs.plan(ladder, compute=[1e19, 1e20])
    row = plan.recommended.iloc[0]
    assert repr(plan) == (
        f"Plan(1e+19 FLOP: N {row['N']:.3g}, D {row['D']:.3g}, loss {row['loss']:.3g}; and 1 more; "
        f"diagnostics {plan.diagnosis.status})"
    )
    one = ladder.predict(N=[1e8, 2e8], D=1e10, noise=True)
    assert repr(one) == "Prediction(2 points, 4000 draws, noise included, diagnostics ok)"


def test_names_of_runs_and_columns_are_text() -> None:
    table = {"N": [1e8, 2e8], "D": [1e10] * 2, "loss": [3.0, 2.9], "run": [HOSTILE, "b"]}
    runs = bs.read_runs(pd.DataFrame({**table, "<img src=x>": [1, 2]}), name=HOSTILE)
    page = shown(runs)
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert page.text.count(HOSTILE) == 2  # the table's name and the run's


def test_an_audit_shows_what_it_found() -> None:
    size = [1e6 * 2**i for i in range(12)]
    found = bs.audit(pd.DataFrame({"N": size, "loss": [0.3 + 0.05 * i for i in range(12)]}))
    text = shown(found).text
    assert text.startswith("REFUSED: not to be trusted Audit('table', 12 runs: not_a_loss (refuse)")
    assert found.findings[0].sentence in text


def test_long_lists_are_cut_and_counted(ladder: bs.Posterior) -> None:
    from dataclasses import replace

    many = bs.Diagnosis(warnings=tuple(f"reason {i}." for i in range(8)))
    text = shown(replace(ladder, diagnosis=many)).text
    assert "reason 4." in text
    assert "reason 5." not in text
    assert "and 3 more in .diagnosis" in text
