"""What the benchmarks share: what a number of seconds depends on, and tables that can go into a page."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from prrt_estimators.model_selection._environment import hardware, versions


def print_machine(threads: int) -> None:
    """Print processor, threads, load and versions."""
    machine = hardware()
    load = f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "unknown"
    print(f"{machine['processor']}, {machine['cpu_count']} CPUs, {threads} threads, load before the start {load}")
    print(", ".join(f"{name} {version}" for name, version in versions().items()))
    print()


def give(table: pd.DataFrame, out: Path | None) -> None:
    """Print a table as it stands on a page of the documentation, and write it as CSV."""
    text = table.to_csv(index=False, lineterminator="\n")
    rows = [line.split(",") for line in text.splitlines()]
    for row in [rows[0], ["---"] * len(rows[0]), *rows[1:]]:
        print("| " + " | ".join(row) + " |")
    if out is not None:
        out.write_text(text, encoding="utf-8")
