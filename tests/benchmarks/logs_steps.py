"""CPU seconds and memory of reading and reducing a table of steps, and what 1e9 rows would cost.

    python tests/benchmarks/logs_steps.py [--rows 1e6 5e7] [--folder /tmp]

Fifty runs with the columns run, step, loss and tokens, in Parquet and in CSV. Each reading is a
process of its own, from `import bayescale` to the table of runs; the files are deleted afterwards.
The cost of 1e9 rows is that of the largest table plus the rows that are lacking at the slope
between the two tables.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 50
FORMATS = ("parquet", "csv")

CHILD = """
import json, resource, sys, time
from bayescale.logs.read_logs import read_logs
import bayescale as bs, bayescale.logs.logs
started = time.process_time()
logs = bs.read_logs(sys.argv[1])
read = time.process_time()
runs = logs.to_runs(N=1e6)
done = time.process_time()
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    "rows": sum(run.records for run in logs.merged), "runs": len(runs), "loss": runs.loss.sum(),
    "import": started, "read": read - started, "reduce": done - read,
    "MB": usage.ru_maxrss / 1024,
}))
"""


def make(path: Path, rows: int) -> None:
    import duckdb

    each = rows // RUNS
    options = "FORMAT parquet, ROW_GROUP_SIZE 500000" if path.suffix == ".parquet" else "FORMAT csv"
    duckdb.execute("SET memory_limit = '1GB'")
    duckdb.sql(
        f"COPY (SELECT 'run-' || (i // {each}) AS run, i % {each} AS step, "
        f"3 + 5 / sqrt(1 + i % {each}) + ((i * 7919) % 1000) / 10000.0 AS loss, "
        f"(i % {each}) * 524288 AS tokens FROM range({each * RUNS}) AS t(i)) "
        f"TO '{path}' ({options})"
    )


def measure(path: Path) -> dict:
    started = time.perf_counter()
    out = subprocess.run(
        [sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True, check=True
    )
    wall = time.perf_counter() - started
    return {**json.loads(out.stdout), "wall": wall, "file MB": path.stat().st_size / 1e6}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", nargs="+", type=float, default=[1e6, 5e7])
    parser.add_argument("--folder", default=None)
    given = parser.parse_args()
    print("format   rows    file MB  read  reduce  CPU s together (import)  peak MB  wall s")
    for suffix in FORMATS:
        found = []
        for rows in sorted(given.rows):
            with tempfile.TemporaryDirectory(dir=given.folder) as folder:
                path = Path(folder, f"steps.{suffix}")
                make(path, int(rows))
                one = measure(path)
            found.append(one)
            print(
                f"{suffix:8s} {one['rows']:.0e} {one['file MB']:8.0f} {one['read']:6.2f} "
                f"{one['reduce']:6.2f} {one['read'] + one['reduce']:8.2f} ({one['import']:.2f})"
                f"{one['MB']:10.0f} {one['wall']:8.2f}",
                flush=True,
            )
        if len(found) > 1:
            small, large = found[0], found[-1]
            cost = [one["read"] + one["reduce"] for one in (small, large)]
            slope = (cost[1] - cost[0]) / (large["rows"] - small["rows"])
            total = cost[1] + slope * (1e9 - large["rows"])
            print(f"{suffix:8s} 1e+09, extrapolated: {total:.0f} CPU s", flush=True)


if __name__ == "__main__":
    main()
