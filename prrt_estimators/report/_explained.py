"""A folder of explanations and the page that shows them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from prrt_estimators._io import atomic_write
from prrt_estimators.plotting import save_figure
from prrt_estimators.report._report import data_uri


@dataclass
class Section:
    """A part of the page.

    Parameters
    ----------
    title : str
    """

    title: str
    text: list[str] = field(default_factory=list)
    panels: list[tuple[str, Any, str]] = field(default_factory=list)
    tables: list[pd.DataFrame] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    def add(self, name: str, display: Any, caption: str) -> None:
        """Add a figure that a Display has drawn."""
        self.panels.append((name, display.figure_, caption))


#: Lists what an explanation wrote, so that the next one in the same folder can take away what it does not write anew.
WRITTEN = ".explained.json"


class ExplanationFolder:
    """Writes figures and tables as they come, and a page of them all in the end.

    What an earlier explanation left in the folder goes with the new page: figures of another model or of other
    patients must not be taken for those of this one. Files of anybody else stay.

    Parameters
    ----------
    folder : path
    title : str
    """

    def __init__(self, folder: str | os.PathLike[str], title: str):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.title = title
        self.opening: list[str] = []
        self.cautions: list[str] = []
        self.sections: list[Section] = []
        self.written: set[str] = set()

    def wrote(self, paths: Iterable[Path | None]) -> list[str]:
        """Note files that belong to this explanation; return their names below the folder."""
        names = [path.relative_to(self.folder).as_posix() for path in paths if path is not None]
        self.written.update(names)
        return names

    def open(self, sentence: str) -> None:
        """Add a sentence to the beginning of the page."""
        self.opening.append(sentence)

    def caution(self, sentence: str) -> None:
        """Add a sentence that nobody must overlook, once."""
        if sentence and sentence not in self.cautions:
            self.cautions.append(sentence)

    def add(self, section: Section, **tables: pd.DataFrame) -> None:
        """Write the figures and tables of a section."""
        for name, figure, _ in section.panels:
            section.files += self.wrote(save_figure(figure, self.folder / name))
        for name, table in tables.items():
            with atomic_write(self.folder / f"{name}.csv") as temporary:
                table.to_csv(temporary, index=False, lineterminator="\n")
            section.files += self.wrote([self.folder / f"{name}.csv"])
        self.sections.append(section)

    def close(self) -> Path:
        """Write the page."""
        environment = Environment(
            loader=PackageLoader("prrt_estimators", "report"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        page = environment.get_template("explain.html").render(
            title=self.title,
            opening=self.opening,
            cautions=self.cautions,
            sections=[
                {
                    "title": section.title,
                    "text": section.text,
                    "figures": [
                        {"source": data_uri(figure), "caption": caption} for _, figure, caption in section.panels
                    ],
                    "tables": [
                        {
                            "columns": [str(column) for column in table.columns],
                            "rows": [[_shown(cell) for cell in row] for row in table.itertuples(index=False)],
                        }
                        for table in section.tables
                    ],
                    "files": section.files,
                }
                for section in self.sections
            ],
        )
        target = self.folder / "explain.html"
        with atomic_write(target) as temporary:
            temporary.write_text(page, encoding="utf-8")
        self.wrote([target])
        self._clear()
        return target

    def _clear(self) -> None:
        """Remove what the explanation before wrote and this one did not."""
        listed = self.folder / WRITTEN
        try:
            before = json.loads(listed.read_text("utf-8"))
        except (OSError, ValueError):
            before = []
        for name in before if isinstance(before, list) else []:
            old = self.folder / str(name)
            # A list that somebody changed must not lead out of the folder.
            if str(name) not in self.written and old.resolve().is_relative_to(self.folder.resolve()):
                old.unlink(missing_ok=True)
        with atomic_write(listed) as temporary:
            temporary.write_text(json.dumps(sorted(self.written), indent=1), encoding="utf-8")


def _shown(cell: Any) -> str:
    return f"{cell:.3g}" if isinstance(cell, float) else str(cell)
