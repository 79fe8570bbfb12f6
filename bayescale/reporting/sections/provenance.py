"""Provenance: which table, which choices, which versions, and how to repeat it."""

import shlex
from typing import Any

from bayescale.posteriors.posterior import Posterior
from bayescale.reporting.blocks import Block, Bullets, Command, Paragraph, Table
from bayescale.reporting.section import Section
from bayescale.reporting.subject import Subject


def write(subject: Subject) -> list[Block]:
    """Facts of every fit, what was done to the table, and the commands."""
    first = subject.posterior.first
    blocks: list[Block] = []
    for name, post in subject.carried.items():
        caption = f"How the fit of law '{name}' was made."
        blocks.append(Table(caption, ("what", "is"), tuple(_facts(post).items())))
    for label, key in (("What was done to the table", "notes"), ("From the logs", "provenance")):
        if told := tuple(str(one) for one in first.record.get(key, ())):
            blocks.append(Bullets(label, told))
    if "table" not in first.record:
        return [*blocks, Paragraph("The draws were made elsewhere; nothing says how.")]
    fits = [_command(post) for post in subject.carried.values()]
    blocks.append(Paragraph("To repeat it, with the options that the table was read with:"))
    blocks.append(Command((*fits, *subject.commands)))
    return blocks


def _facts(post: Posterior) -> dict[str, str]:
    record: Any = post.record
    facts = {
        "table": record.get("table"),
        "runs": record.get("n_runs"),
        "SHA-256 of the runs": record.get("data_hash"),
        "group": record.get("group"),
        "law": f"{post.law.name}: L = {post.law.formula_text()}",
        "source of the law": post.law.source,
        "likelihood": None if post.model is None else _likelihood(post),
        "engine": record.get("engine"),
        "seed": record.get("seed"),
        "draws": f"{post.draws.sizes['chain']} x {post.draws.sizes['draw']}",
        "versions": ", ".join(f"{n} {v}" for n, v in record.get("versions", {}).items()),
    }
    return {name: str(value) for name, value in facts.items() if value not in (None, "")}


def _likelihood(post: Posterior) -> str:
    assert post.model is not None
    options = dict(post.model.likelihood.to_dict())
    name = str(options.pop("name"))
    told = ", ".join(f"{key}={value}" for key, value in options.items())
    return f"{name}({told})" if told else name


def _command(post: Posterior) -> str:
    """The fit as a command, as far as the record knows it."""
    words = ["bayescale", "fit", str(post.record["table"]), "--law", _law(post)]
    words += ["--engine", str(post.record["engine"]), "--seed", str(post.seed)]
    words += ["--likelihood", _likelihood(post), "-o", f"{post.law.name}.nc"]
    return shlex.join(words)


def _law(post: Posterior) -> str:
    from theory import laws

    return post.law.name if post.law.name in laws.catalogue() else post.law.formula_text()


SECTION = Section(90, "Provenance", write)
