"""The report: what it says, that nothing in it runs or is fetched, and who can read it."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale.diagnosis import Diagnosis
from bayescale.errors import DiagnosticsRefused, OutputError, UsageError
from bayescale.models.draws import Draws
from bayescale.plots.style import number
from bayescale.posteriors.labelled import record_of, to_tree
from bayescale.reporting import pictures
from bayescale.reporting.page import MOST_BYTES, write_page
from bayescale.reporting.sections import SECTIONS, in_order
from bayescale.reporting.subject import Subject
from tests.test_bayescale.conftest import run
from tests.test_bayescale.reporting.conftest import HOSTILE
from tests.test_bayescale.reporting.pages import Element, parsed


@pytest.fixture(scope="module")
def page(hostile_page: Path) -> Element:
    return parsed(hostile_page.read_text("utf-8"))


# --- nothing runs that is not the page's own, and nothing is fetched


def test_one_script_runs_and_its_hash_is_named(page: Element) -> None:
    scripts = page.all("script")
    code = [one for one in scripts if one.attributes.get("type") != "application/json"]
    assert len(code) == 1
    assert len(scripts) == 2
    (policy,) = [
        one.attributes["content"]
        for one in page.all("meta")
        if one.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    digest = hashlib.sha256("".join(code[0].words).encode()).digest()
    assert f"script-src 'sha256-{base64.b64encode(digest).decode()}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1]


def test_names_of_runs_tables_and_commands_are_text(page: Element, hostile_page: Path) -> None:
    assert HOSTILE not in hostile_page.read_text("utf-8")
    assert page.all("img") == []
    assert all(not name.startswith("on") for one in page.all() for name in one.attributes)
    assert HOSTILE in page.all("h1")[0].text
    assert HOSTILE in page.all("title")[0].text
    assert f"run 7 {HOSTILE}" in page.by_id("outliers").text
    assert HOSTILE in page.by_id("provenance").text


def test_data_of_the_planner_cannot_end_their_element(hostile: bs.Posterior) -> None:
    both = bs.Stack({HOSTILE: hostile, "other": hostile}, {HOSTILE: 0.5, "other": 0.5}, ROWS, "")
    from bayescale.reporting.blocks import PlannerBlock
    from bayescale.reporting.page import Written, render
    from bayescale.reporting.planner_data import planner_data

    data = planner_data(both)
    text = render("t", "l", Diagnosis(), [Written("p", "P", [PlannerBlock(data)])])
    (held,) = [one for one in parsed(text).all("script") if "type" in one.attributes]
    assert "<" not in "".join(held.words)
    assert json.loads("".join(held.words)) == data


ROWS = pd.DataFrame(index=[HOSTILE, "other"])


def test_no_address_is_in_the_page(hostile_page: Path, page: Element) -> None:
    text = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=\s]+", "", hostile_page.read_text("utf-8"))
    assert not re.search(r"https?:|//[a-z]", text, re.IGNORECASE)
    for one in page.all():
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            told = one.attributes.get(name, "#")
            assert told.startswith(("#", "data:image/png")), told
    assert "@import" not in text
    assert set(re.findall(r"url\((.)", text)) <= {"#"}


def test_the_page_is_small_and_shows_no_place_of_this_machine(hostile_page: Path) -> None:
    text = hostile_page.read_text("utf-8")
    assert len(text.encode()) < MOST_BYTES == 3_000_000
    assert str(Path.home()) not in text
    assert str(hostile_page.parent) not in text


# --- who can read it


def test_headings_are_in_order_and_every_link_leads_somewhere(page: Element) -> None:
    levels = [int(one.tag[1]) for one in page.all("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    links = [one.attributes["href"] for one in page.all("a")]
    assert len(links) >= 10
    assert all(page.by_id(link[1:]).tag == "section" for link in links)


def test_no_name_is_given_twice_and_every_reference_is_met(page: Element) -> None:
    names = [one.attributes["id"] for one in page.all() if "id" in one.attributes]
    assert len(names) == len(set(names))
    asked = [
        found
        for one in page.all()
        for key, value in one.attributes.items()
        for found in re.findall(r"^#(.+)$" if key == "href" else r"url\(#([^)]+)\)", value)
    ]
    assert len(asked) > 100
    assert set(asked) <= set(names)


def test_every_figure_has_an_alt_text_and_every_control_a_label(page: Element) -> None:
    drawings = page.all("svg")
    assert len(drawings) == 5  # valley, frontier, fit, exponents, design
    assert len({one.attributes["aria-label"] for one in drawings}) == 5
    assert all(len(one.attributes["aria-label"]) > 40 for one in drawings)
    labelled = {one.attributes.get("for") for one in page.all("label")}
    within = {inner.attributes["id"] for one in page.all("label") for inner in one.all("input")}
    controls = {one.attributes["id"] for one in page.all("input")}
    assert len(controls) == 7
    assert controls <= labelled | within
    assert all(one.attributes.get("scope") == "col" for one in page.all("th"))
    assert page.all("html")[0].attributes["lang"] == "en"


def luminance(colour: str) -> float:
    parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_text_stands_out_in_light_in_dark_and_on_paper(page: Element) -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    style = page.all("style")[0].text
    modes = re.findall(r":root \{([^}]*--paper[^}]*)\}", style)
    assert len(modes) == 3
    for mode in modes:
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", mode))
        for ink in ("ink", "soft", "link", "alarm", "caution", "good"):
            for ground in ("paper", "tint"):
                assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground, mode)


# --- what it says


def test_the_answer_is_the_plan_s_and_comes_first(hostile: bs.Posterior, page: Element) -> None:
    plan = bs.plan(hostile, compute=1e21, force=True)
    row = plan.recommended.iloc[0]
    answer = page.by_id("answer").text
    assert page.all("h2")[0].text == "The answer"
    assert f"With 1e21 FLOP, train N = {number(row['N'])} (" in answer
    assert f"expect a loss of {row['loss']:.4g} (" in answer
    assert hostile.advice()[1].removeprefix("belief: ")[1:] in answer
    valley = plan.valley().iloc[0]
    told = page.by_id("recommendation").text
    assert f"any N from {number(valley['N_low'])} to {number(valley['N_high'])}" in told
    assert f"{plan.regret.mean():.2g} nats" in told


def test_the_outlier_is_named_and_the_rest_is_not(page: Element) -> None:
    told = page.by_id("outliers").text
    assert told.startswith("Outliers 1 run is an outlier more likely than not")
    assert "run 8 " not in told


def test_all_reasons_of_gate_and_audit_are_told(hostile: bs.Posterior, page: Element) -> None:
    told = page.by_id("checks").text
    plan = bs.plan(hostile, compute=1e21, force=True)
    whole = hostile.diagnosis + plan.diagnosis
    for sentence in (*whole.reasons, *whole.notes):
        assert " ".join(sentence.split()) in told


def test_provenance_holds_hash_seed_versions_and_commands(
    hostile: bs.Posterior, page: Element
) -> None:
    told = page.by_id("provenance").text
    for word in (hostile.record["data_hash"], "--law chinchilla", "--seed 0", "jax", "studentt"):
        assert word in told


def test_sections_stand_in_their_order_and_all_are_there(page: Element) -> None:
    shown = [one.attributes["id"] for one in page.all("section")]
    assert shown == [name for name in in_order() if name != "groups"]
    assert [one.place for one in in_order().values()] == sorted(
        {section.place for section in SECTIONS.values()}
    )


def test_without_a_plan_and_runs_it_says_what_is_not_known(tmp_path: Path) -> None:
    published = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
    post = bs.Posterior.from_draws("chinchilla", published)
    page = parsed(bs.report(post, path=tmp_path / "r.html").read_text("utf-8"))
    assert "No budget was given, so nothing is recommended" in page.by_id("recommendation").text
    assert "there is no frontier" in page.by_id("frontier").text
    assert "no outlier can be named" in page.by_id("outliers").text
    assert "nothing says how" in page.by_id("provenance").text
    assert "Form: additive law" not in page.by_id("answer").text
    assert "Additive law ('chinchilla')." in page.by_id("answer").text


def test_a_refused_posterior_is_reported_by_force_only(
    refused: bs.Posterior, tmp_path: Path
) -> None:
    path = tmp_path / "r.html"
    with pytest.raises(DiagnosticsRefused, match=r"Pareto k 0\.93"):
        bs.report(refused, path=path)
    assert not path.exists()
    page = parsed(bs.report(refused, path=path, force=True).read_text("utf-8"))
    (verdict,) = [one for one in page.all("div") if "verdict" in one.attributes.get("class", "")]
    assert verdict.text.startswith("NOT TRUSTED: diagnostics refused this.")
    assert "Pareto k 0.93" in verdict.text


def test_a_law_that_the_page_cannot_compute_has_a_sentence(tmp_path: Path) -> None:
    draws = {"E": [1.7], "A": [400.0], "B": [300.0], "alpha": [0.3], "beta": [0.3]}
    post = bs.Posterior.from_draws("maximum", draws)
    page = parsed(bs.report(post, path=tmp_path / "r.html").read_text("utf-8"))
    assert "There is no planner here: the planner page computes" in page.by_id("planner").text
    assert page.all("script") == []
    assert "script-src 'none'" in page.all("meta")[1].attributes["content"]
    with pytest.raises(UsageError, match="law 'maximum' is none"):
        bs.planner(post, path=tmp_path / "p.html")


@pytest.mark.slow
def test_a_target_is_answered_by_its_budget_or_by_what_is_out_of_reach(
    ladder: bs.Posterior, tmp_path: Path
) -> None:
    plan = bs.plan(ladder, target=2.6, confidence=0.8)
    page = parsed(bs.report(ladder, plan, tmp_path / "r.html").read_text("utf-8"))
    answer = page.by_id("answer").text
    assert f"of 2.6 with probability 0.8, spend {number(plan.compute[0])} FLOP: train" in answer
    assert len(page.by_id("recommendation").all("svg")) == 2
    none = bs.plan(ladder, target=0.5, force=True)
    page = parsed(bs.report(ladder, none, tmp_path / "n.html", force=True).read_text("utf-8"))
    assert page.by_id("answer").text.startswith("The answer No budget within the range believed")


def test_a_stack_shows_its_weights_and_each_law(ladder: bs.Posterior, tmp_path: Path) -> None:
    members = {"a": ladder, "b": replace(ladder, diagnosis=Diagnosis(warnings=("odd.",)))}
    weights = {"a": 0.3, "b": 0.7}
    both = bs.Stack(members, weights, pd.DataFrame({"score": [1.0, 2.0]}, [*members]), "hand")
    plan = bs.plan(both, compute=1e21)
    page = parsed(bs.report(both, plan, tmp_path / "r.html").read_text("utf-8"))
    forms = page.by_id("forms").text
    assert "0.7" in forms
    assert "What each law would recommend alone" in forms
    assert "Law 'b', of weight 0.70:" in page.by_id("fit").text
    assert "b: odd." in page.by_id("checks").text
    assert "Of law 'b', which carries most weight" in page.by_id("answer").text


def test_many_runs_are_drawn_as_an_image_of_the_page_s_own() -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots()
    for i in range(60):
        axes.plot(np.random.default_rng(i).standard_normal(300))
    shown = pictures.picture(figure, 3.0, "many", 'many "lines" <b>', "caption")
    (image,) = parsed(shown.markup).all("img")
    assert image.attributes["alt"] == 'many "lines" <b>'
    assert base64.b64decode(image.attributes["src"].partition(",")[2]).startswith(b"\x89PNG")


# --- what is refused


def test_what_is_no_posterior_plan_or_page_is_refused(ladder: bs.Posterior, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"its name ends in \.html; got '.*r\.pdf'"):
        bs.report(ladder, path=tmp_path / "r.pdf")
    with pytest.raises(OutputError, match="there is no such folder"):
        bs.report(ladder, path=tmp_path / "no" / "r.html")
    with pytest.raises(UsageError, match=r"a stack of several \(bayescale\.stack\); got list"):
        Subject.of([ladder])
    with pytest.raises(UsageError, match=r"made by `bayescale\.plan`; got float"):
        Subject.of(ladder, 1e21)
    with pytest.raises(UsageError, match=r"design= takes what `bayescale\.design` gives; got int"):
        Subject.of(ladder, design=3)
    with pytest.raises(UsageError, match=r"calibration= takes what `bayescale\.calibrate` gives"):
        Subject.of(ladder, calibration=3)
    with pytest.raises(UsageError, match=r"would have 3\.0 MB, and at most 3 MB"):
        write_page("x" * 3_000_001, tmp_path / "r.html")
    with pytest.raises(UsageError, match="at least one draw; got draws=0"):
        bs.planner(ladder, path=tmp_path / "r.html", draws=0)
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(OutputError, match="it is a folder; name a file"):
        write_page("x", tmp_path / "folder.html")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.html"]


# --- the command line


def test_the_command_writes_the_report_and_how_to_repeat_it(saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    options = ("--compute", "1e21", "--present", "N=1e9", "--next-runs", "1e19", "--single-law")
    result = run("report", saved, *options, "-o", path)
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(path)
    page = parsed(path.read_text("utf-8"))
    told = page.by_id("provenance").text
    assert (
        f"bayescale report {saved.name} --compute 1e+21 --present N=1e9 --cost 6ND --next-runs "
        "1e+19 --single-law"
    ) in told
    assert str(saved.parent) not in path.read_text("utf-8")
    assert len(page.by_id("next_runs").all("svg")) == 1


def test_the_command_refuses_as_the_other_verbs_do(
    saved: Path, untrusted: Path, tmp_path: Path
) -> None:
    path = tmp_path / "r.html"
    assert run("report", untrusted, "-o", path).exit_code == 5
    assert run("planner", untrusted, "-o", path).exit_code == 5
    both = run("report", saved, "--compute", "1e21", "--target", "2.5", "-o", path)
    assert both.exit_code == 2
    assert "got both, leave one out" in both.stderr
    alone = run("report", saved, "--next-runs", "1e21", "-o", path)
    assert alone.exit_code == 2
    assert "--next-runs asks about a larger budget" in alone.stderr
    assert not path.exists()
    far = run("report", saved, "--target", "0.5", "-o", path, "--force")
    assert far.exit_code == 6
    assert path.exists()


def test_the_planner_command_begins_with_its_budget(saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "p.html"
    result = run("planner", saved, "--compute", "3e20", "--draws", "200", "--no-drift", "-o", path)
    assert result.exit_code == 0, result.output
    page = parsed(path.read_text("utf-8"))
    (held,) = [one for one in page.all("script") if "type" in one.attributes]
    data = json.loads("".join(held.words))
    assert data["given"]["compute"] == pytest.approx(3e20)
    assert data["given"]["drift"] is False
    assert len(data["laws"][0]["E"]) == 200
    assert page.all("nav") == []


# --- groups and calibration


@pytest.fixture(scope="module")
def grouped() -> bs.GroupPosterior:
    """Draws for two groups, made and not fitted; one is called by a hostile name."""
    rng = np.random.default_rng(0)
    model = bs.Model.at("power_D", pivot={"D": 1e10}).pooled("corpus", ("a", HOSTILE))
    sizes = {"D": 1e10 * np.exp(rng.uniform(-3, 3, 20)), "corpus": np.repeat(["a", HOSTILE], 10)}
    runs = model.simulate(pd.DataFrame(sizes), seed=1).runs
    draws = Draws(
        {
            name: rng.uniform(0.2, 0.4, (2, 100, 2) if shape else (2, 100))
            for name, shape in model.shapes.items()
        },
        {},
    )
    record = record_of(runs, engine="numpyro", seed=5, draws=draws)
    tree = to_tree(model, runs, draws)
    return bs.GroupPosterior(bs.Posterior(model.law, model, tree, Diagnosis(), record))


def test_groups_have_a_section_and_each_its_fit(grouped: bs.GroupPosterior, tmp_path: Path) -> None:
    page = parsed(bs.report(grouped, path=tmp_path / "r.html").read_text("utf-8"))
    told = page.by_id("groups").text
    assert "2 groups by 'corpus' were fitted together" in told
    assert f"Group '{HOSTILE}':" in told
    assert len(page.by_id("groups").all("svg")) == 4
    assert "fit" not in [one.attributes["id"] for one in page.all("section")]
    assert "each group has forecasts of its own" in page.by_id("answer").text.lower()
    assert "There is no planner for groups" in page.by_id("planner").text
    assert "Outliers are told group by group" in page.by_id("outliers").text
    # The joint posterior alone is known to be of groups.
    joint = parsed(bs.report(grouped.joint, path=tmp_path / "j.html").read_text("utf-8"))
    assert joint.by_id("groups").text == told
    with pytest.raises(UsageError, match="pass one group's posterior"):
        bs.planner(grouped.joint, path=tmp_path / "p.html")


def test_a_calibration_is_shown_where_it_was_made(ladder: bs.Posterior, tmp_path: Path) -> None:
    assert ladder.observed is not None
    spent = ladder.observed.column("C")
    cuts = [float(np.quantile(spent, 0.6))]
    made = bs.calibrate(ladder.observed, ("chinchilla",), cuts=cuts, engine="laplace", seed=0)
    path = bs.report(ladder, path=tmp_path / "r.html", calibration=made)
    section = parsed(path.read_text("utf-8")).by_id("calibration")
    assert all(" ".join(one.split()) in section.text for one in made.advice())
    assert len(section.all("svg")) == 1
    shown = parsed(made._repr_html_()).text
    assert repr(made).partition("\n")[0] in shown
    assert all(" ".join(one.split()) in shown for one in made.advice())
