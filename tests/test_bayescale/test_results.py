"""Every result speaks alike: a table, plain data that is JSON, and one verdict."""

import inspect
import json

import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale.diagnosis import Result
from bayescale.posteriors.abstract import AbstractPosterior


def _kinds(base: type) -> set[type]:
    return {base, *(kind for one in base.__subclasses__() for kind in _kinds(one))}


def test_every_kind_of_result_is_public_and_whole() -> None:
    for kind in _kinds(Result) - {Result, AbstractPosterior}:
        if kind.__module__.startswith("bayescale."):
            assert getattr(bs, kind.__name__) is kind
            assert not inspect.isabstract(kind), kind


def _cheap(post: bs.Posterior) -> list[Result]:
    runs = post.observed
    assert runs is not None
    early = np.argsort(runs.column("N")) < len(runs) - 8
    part = bs.fit(runs.select(early), post.law.name, engine="laplace", seed=0)
    return [
        post,
        bs.stack({"one": post, "other": post}, by="equal"),
        post.predict(N=1e9, D=1e10),
        bs.plan(post, compute=1e21),
        bs.design(post, budget=1e19, at=1e21, single_law=True, draws=8),
        bs.regime(post),
        bs.check("chinchilla"),
        bs.hold_out(part, runs.select(~early)),
    ]


def _dear(post: bs.Posterior) -> list[Result]:
    runs = post.observed
    assert runs is not None
    names = np.where(np.arange(len(runs)) % 2, "a", "b")
    grouped, law = bs.read_runs(runs.table.assign(corpus=names)), post.law.name
    return [
        bs.fit_groups(grouped, law, groups="corpus", shared=("alpha", "beta")),
        bs.collapse(runs, seed=0),
        bs.calibrate(runs, ("chinchilla",), engine="laplace", seed=0),
        bs.fit_many([runs], law, seed=0),
    ]


def _require_protocol(one: Result) -> None:
    assert isinstance(one.summary(), pd.DataFrame)
    assert one.reasons == one.diagnosis.reasons
    assert one.trusted is (not one.diagnosis.refusals)
    data = one.to_dict()
    assert data["diagnostics"] == one.diagnosis.to_dict()
    assert data["trusted"] is one.trusted
    json.dumps(data)


@pytest.mark.filterwarnings("ignore::bayescale.errors.DiagnosticsWarning")
def test_results_speak_alike(ladder: bs.Posterior) -> None:
    for one in _cheap(ladder):
        _require_protocol(one)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayescale.errors.DiagnosticsWarning")
def test_all_results_speak_alike(ladder: bs.Posterior) -> None:
    results = {type(one): one for one in (*_cheap(ladder), *_dear(ladder))}
    known = {kind for kind in _kinds(Result) if kind.__module__.startswith("bayescale.")}
    assert known - {Result, AbstractPosterior} == set(results)
    for one in results.values():
        _require_protocol(one)
