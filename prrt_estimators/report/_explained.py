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

from prrt_estimators._io import atomic_write, make_folder
from prrt_estimators._pandas_tables import for_spreadsheets
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
        make_folder(self.folder)
        self.title = title
        self.opening: list[str] = []
        self.cautions: list[str] = []
        self.sections: list[Section] = []
        self.written: set[str] = set()
        self.before = self._listed()
        if "explain.html" in self.before:
            # Until the new page is there, none is better than one that shows other figures than lie beside it.
            (self.folder / "explain.html").unlink(missing_ok=True)

    def _listed(self) -> set[str]:
        """Return what an explanation before this one wrote, below the folder."""
        try:
            names = json.loads((self.folder / WRITTEN).read_text("utf-8"))
        except (OSError, ValueError):
            return set()
        if not isinstance(names, list):
            return set()
        inside = self.folder.resolve()
        # A list that somebody changed must not lead out of the folder.
        return {str(name) for name in names if (inside / str(name)).resolve().is_relative_to(inside)} - {"", "."}

    def _list(self, names: set[str]) -> None:
        with atomic_write(self.folder / WRITTEN) as temporary:
            temporary.write_text(json.dumps(sorted(names), indent=1), encoding="utf-8")

    def wrote(self, paths: Iterable[Path | None]) -> list[str]:
        """Note files that belong to this explanation; return their names below the folder."""
        names = [path.relative_to(self.folder).as_posix() for path in paths if path is not None]
        self.written.update(names)
        self._list(self.before | self.written)  # at once: what breaks off here is taken away next time
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
                for_spreadsheets(table).to_csv(temporary, index=False, lineterminator="\n")
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
        for name in self.before - self.written:
            if (self.folder / name).is_file():
                (self.folder / name).unlink()
        self._list(self.written)
        return target


def _shown(cell: Any) -> str:
    return f"{cell:.3g}" if isinstance(cell, float) else str(cell)
