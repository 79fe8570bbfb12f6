"""Time and memory to read 200 TensorBoard files of 1,000 steps of 5 metrics, an event a point.

python tests/benchmarks/logs_tensorboard.py [FILES [STEPS]]
"""

import resource
import struct
import sys
import tempfile
import time
from pathlib import Path

from bayescale.logs.checksums import masked_crc32c
from bayescale.logs.formats import FORMATS

METRICS = ("train/loss", "eval/loss", "lr", "grad_norm", "tokens")


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def blob(field: int, value: bytes) -> bytes:
    return bytes([field << 3 | 2]) + varint(len(value)) + value


def event(step: int, tag: str, value: float) -> bytes:
    scalar = blob(1, tag.encode()) + b"\x15" + struct.pack("<f", value)
    data = b"\x09" + struct.pack("<d", 1.7e9 + step) + b"\x10" + varint(step)
    data += blob(5, blob(1, scalar))
    head = struct.pack("<Q", len(data))
    return (
        head
        + struct.pack("<I", masked_crc32c(head))
        + data
        + struct.pack("<I", masked_crc32c(data))
    )


def main(files: int, steps: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for number in range(files):
            run = Path(folder, f"run{number:03d}")
            run.mkdir()
            (run / "events.out.tfevents.1.host").write_bytes(
                b"".join(event(step, tag, step / 3) for step in range(steps) for tag in METRICS)
            )
        form = FORMATS["tensorboard"]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start, cpu = time.perf_counter(), time.process_time()
        points = 0
        kept = []
        for run in form.read(Path(folder)):
            kept.append(run)
            points += sum(len(run.history) - run.history[name].null_count for name in METRICS)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert points == files * steps * len(METRICS)
    print(
        f"{files} files, {points:,} points: {cpu:.2f} CPU s ({wall:.2f} s), "
        f"{cpu / points * 1e6:.2f} us a point; peak memory {peak / 1024:.0f} MiB "
        f"({(peak - before) / 1024:.0f} MiB above what the imports take)"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:])) if len(sys.argv) == 3 else main(
        int(sys.argv[1]) if len(sys.argv) == 2 else 200, 1000
    )
