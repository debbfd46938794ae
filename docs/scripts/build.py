"""Build the documentation from clean, with warnings as errors, and check the pages that come out.

Run from the root of the repository::

    python docs/scripts/build.py                     # all of it
    python docs/scripts/build.py --examples first    # of the gallery, only examples with "first" in their name
    python docs/scripts/build.py --examples none     # the gallery without results, in a minute
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1]
#: What a build leaves behind, all of it ignored by git.
GENERATED = ("_build", "gallery", "api")


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
    print(f"built in {time.monotonic() - start:.0f} s: {options.out / 'index.html'}")
    return subprocess.run(
        [sys.executable, str(DOCS / "scripts" / "check_html.py"), str(options.out)], check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
