"""Make the fixtures of MLflow: python tests/reference/logs/make_mlflow.py, with mlflow 3.17.2.

The database and the file store, packed, as the empty tables take 900 kB: a run that
finishes, one that raises, one that is deleted, one that is killed after 60 steps, and one that is
killed and taken up again at step 30. Paths of the machine are replaced afterwards.
"""

import gzip
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from logged import CONFIG, rows

HERE = Path(__file__).resolve().parent
MODES = ("finished", "failed", "deleted", "killed", "restarted", "resumed")
RESUMED_AT = 30


def train(store: str, how: str) -> None:
    import mlflow

    mlflow.set_tracking_uri(store)
    mlflow.set_experiment("fixtures")
    again = None
    if how == "resumed":
        found = mlflow.search_runs(filter_string="run_name = 'restarted'", output_format="list")
        again = found[0].info.run_id
    with mlflow.start_run(run_id=again, run_name=None if again else how) as run:
        if not again:
            mlflow.log_params(CONFIG)
            mlflow.set_tag("purpose", "a \N{SNOWMAN}")
        many = how in ("killed", "restarted", "resumed")
        for step, row in enumerate(rows(60 if many else 20, seed=1 if how == "resumed" else 0)):
            if how != "resumed" or step >= RESUMED_AT:
                mlflow.log_metrics(row, step=step)
        if how in ("killed", "restarted"):
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "failed":
            raise RuntimeError
    if how == "deleted":
        mlflow.delete_run(run.info.run_id)


def make() -> None:
    target = HERE / "mlflow"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    with tempfile.TemporaryDirectory() as home:
        for name in (Path(__file__).name, "logged.py"):  # out of the repository, which MLflow names
            shutil.copy(HERE / name, home)
        for store in (f"sqlite:///{home}/mlflow.db", f"file://{home}/mlruns"):
            for how in MODES:
                subprocess.run(
                    [sys.executable, Path(__file__).name, store, how],
                    env={
                        "PATH": os.environ["PATH"],
                        "HOME": home,
                        "LOGNAME": "user",
                        "MLFLOW_ALLOW_FILE_STORE": "true",
                    },
                    cwd=home,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    check=False,
                )
        database = Path(home) / "mlflow.db"
        with sqlite3.connect(database) as connection:
            connection.execute("UPDATE runs SET artifact_uri = 'artifacts', user_id = 'user'")
            connection.execute("UPDATE experiments SET artifact_location = 'artifacts'")
            connection.execute("UPDATE tags SET value = 'user' WHERE key = 'mlflow.user'")
            connection.execute("UPDATE tags SET value = '' WHERE key = 'mlflow.source.name'")
        connection.execute("VACUUM")
        connection.close()
        (target / "mlflow.db.gz").write_bytes(gzip.compress(database.read_bytes(), mtime=0))
        for meta in Path(home, "mlruns").rglob("meta.yaml"):
            meta.write_text(meta.read_text("utf-8").replace(home, ""), "utf-8")
        with gzip.GzipFile(target / "mlruns.tar.gz", "wb", mtime=0) as packed:
            with tarfile.open(fileobj=packed, mode="w") as archive:
                archive.add(Path(home, "mlruns"), "mlruns", filter=anonymous)


def anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    train(*sys.argv[1:]) if len(sys.argv) > 1 else make()
