"""Build the documentation from clean, with warnings as errors, and check the pages and notebooks that come out.

Run from the root of the repository::

    python docs/scripts/build.py                     # all of it
    python docs/scripts/build.py --examples first    # of the gallery, only examples with "first" in their name
    python docs/scripts/build.py --examples none     # the gallery without results, in a minute
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1]
#: What a build leaves behind, all of it ignored by git.
GENERATED = ("_build", "gallery", "api")
#: Seconds that an example may take on two cores.
SLOW = 90


def example_times(gallery: Path) -> list[str]:
    """Return a line for each example that was run, by the clock of sphinx-gallery."""
    costs = {
        file.name.split(".")[0]: json.loads(file.read_text("utf-8"))["time"] for file in gallery.glob("*.cost.json")
    }
    lines = [f"{seconds:6.1f} s  {name}{'  TOO SLOW' * (seconds > SLOW)}" for name, seconds in sorted(costs.items())]
    return [*lines, f"{sum(costs.values()):6.1f} s  all examples"] if costs else []


def main() -> int:
    """Build, check, and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--examples", default="", help="part of the file names of the examples to run; 'none' runs none"
    )
    parser.add_argument("--out", type=Path, default=DOCS / "_build" / "html", help="folder of the pages")
    parser.add_argument("--keep", action="store_true", help="keep what an earlier build left, and build what changed")
    options = parser.parse_args()
    if not options.keep:
        for name in GENERATED:
            shutil.rmtree(DOCS / name, ignore_errors=True)
        shutil.rmtree(options.out, ignore_errors=True)
    environment = dict(os.environ)
    if options.examples:
        environment["PRRT_DOCS_EXAMPLES"] = f"/plot_.*{options.examples}"
    start = time.monotonic()
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-n",
        "-b",
        "html",
        "-q",
        str(DOCS),
        str(options.out),
    ]
    done = subprocess.run(command, env=environment, check=False)
    if done.returncode:
        return done.returncode
    print(*example_times(DOCS / "gallery"), sep="\n")
    print(f"built in {time.monotonic() - start:.0f} s: {options.out / 'index.html'}")
    # Both are run, so that one build names everything that is wrong.
    checks = (("notebooks.py", DOCS / "gallery"), ("check_html.py", options.out))
    codes = [
        subprocess.run([sys.executable, str(DOCS / "scripts" / name), str(folder)], check=False).returncode
        for name, folder in checks
    ]
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
