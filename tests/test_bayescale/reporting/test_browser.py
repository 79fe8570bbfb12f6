"""The pages in a real browser that reaches no host: what runs, what is shown, who can read it."""

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

import bayescale as bs
from bayescale.plots.style import number
from tests.test_bayescale.reporting.browser import Browser, browser
from tests.test_bayescale.reporting.conftest import HOSTILE


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def few() -> bs.Posterior:
    """Draws so few that the page holds them all."""
    spread = [0.97, 0.99, 1.0, 1.02, 1.04]
    draws = {"E": [1.8] * 5, "A": [480.0] * 5, "B": [2085.0] * 5}
    return bs.Posterior.from_draws(
        "chinchilla",
        {**draws, "alpha": [0.35 * s for s in spread], "beta": [0.37 / s for s in spread]},
    )


@pytest.fixture(scope="module")
def planner_page(few: bs.Posterior, tmp_path_factory: pytest.TempPathFactory) -> Path:
    plan = bs.plan(few, compute=1e22)
    return bs.planner(few, plan, tmp_path_factory.mktemp("page") / "planner.html")


def test_the_report_logs_nothing_asks_for_nothing_and_runs_no_name(
    window: Browser, hostile_page: Path
) -> None:
    window.logged.clear()
    window.asked.clear()
    window.open(hostile_page)
    assert window.value("document.title").endswith(HOSTILE)
    assert window.value("document.querySelectorAll('script').length") == 2
    assert window.value("document.querySelectorAll('img').length") == 0
    assert window.text("planner-N")
    assert window.logged == []
    allowed = (hostile_page.as_uri(), "data:image/png", "about:blank")
    assert [one for one in window.asked if not one.startswith(allowed)] == []


def test_a_script_that_is_not_the_page_s_own_is_stopped(
    window: Browser, hostile_page: Path, tmp_path: Path
) -> None:
    text = hostile_page.read_text("utf-8")
    bad = "<script>document.title = 'owned'</script></body>"
    path = tmp_path / "tampered.html"
    path.write_text(text.replace("</body>", bad), "utf-8")
    window.open(path)
    assert window.value("document.title") != "owned"
    assert any("Content Security Policy" in line for line in window.logged)


def test_sliders_give_python_s_numbers(
    window: Browser, planner_page: Path, few: bs.Posterior
) -> None:
    window.open(planner_page)
    row = bs.plan(few, compute=1e22).recommended.iloc[0]
    assert window.text("planner-N").startswith(f"{number(row['N'])} (80% of draws: ")
    window.move("planner-compute", 900)
    now = window.value("location.hash")
    compute = float(now.partition("compute=")[2].partition("&")[0])
    assert compute != 1e22
    plan = bs.plan(few, compute=compute)
    row = plan.recommended.iloc[0]
    assert window.text("planner-compute-value") == f"{number(compute)} FLOP"
    assert window.text("planner-N").startswith(f"{number(row['N'])} (80% of draws: ")
    assert window.text("planner-D") == number(row["D"])
    assert window.text("planner-loss").startswith(f"{row['loss']:.4f} (80% interval: ")
    window.move("planner-serving", 700)
    served = window.value("location.hash").partition("serving=")[2].partition("&")[0]
    plan = bs.plan(few, compute=compute, inference_tokens=float(served))
    assert window.text("planner-D") == number(plan.recommended["D"].iloc[0])
    assert window.text("planner-budget").endswith(" FLOP")


def test_a_link_holds_the_sliders(window: Browser, planner_page: Path, few: bs.Posterior) -> None:
    window.open(planner_page, "#compute=3e22&serving=none&confidence=0.75&nothing=%3Cscript%3E")
    row = bs.plan(few, compute=3e22).recommended.iloc[0]
    assert window.text("planner-compute-value") == "3e22 FLOP"
    assert window.text("planner-confidence-value") == "0.75"
    assert window.text("planner-N").startswith(number(row["N"]))
    window.value("location.hash = '#compute=5e21'")
    while window.text("planner-compute-value") != "5e21 FLOP":
        pass


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_report_fits_telephone_and_desk_by_day_and_night(
    width: int, dark: bool, window: Browser, hostile_page: Path, tmp_path: Path
) -> None:
    window.size(width, 900, dark=dark)
    window.open(hostile_page)
    assert window.value("document.documentElement.scrollWidth") <= width
    ground = window.value("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(22, 23, 26)" if dark else "rgb(255, 255, 255)")
    # Letters of figures are not smaller than 6 pixels, those of text than 13.
    letters = window.value(
        "Math.min(...[...document.querySelectorAll('svg text')].map("
        "one => one.getBoundingClientRect().height || 99))"
    )
    assert letters > 6
    sizes = window.value(
        "Math.min(...[...document.querySelectorAll('p, td, li, dd')].map("
        "one => parseFloat(getComputedStyle(one).fontSize)))"
    )
    assert sizes > 13
    window.picture(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 20_000


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("page", ["hostile_page", "planner_page"])
def test_nobody_is_kept_out(
    page: str, width: int, dark: bool, window: Browser, request: pytest.FixtureRequest
) -> None:
    window.size(width, 900, dark=dark)
    window.open(request.getfixturevalue(page))
    axe = files("axe_selenium_python") / "node_modules" / "axe-core" / "axe.min.js"
    window.value(f"{axe.read_text('utf-8')}; undefined")
    found = json.loads(window.awaited("axe.run(document).then(JSON.stringify)"))
    assert len(found["passes"]) > 15
    grave = [one for one in found["violations"] if one["impact"] in ("serious", "critical")]
    told = {one["id"]: [node["html"] for node in one["nodes"]] for one in grave}
    assert told == {}
