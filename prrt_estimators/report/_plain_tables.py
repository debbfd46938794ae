"""The tables of the page for other programs: Markdown, and HTML that word processors open."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from prrt_estimators._io import atomic_write


def markdown(table: pd.DataFrame) -> str:
    """Return a table in Markdown.

    Examples
    --------
    >>> print(markdown(pd.DataFrame({"model": ["a|b"], "AUROC": ["0.70"]})))
    | model | AUROC |
    |---|---|
    | a\\|b | 0.70 |
    """
    lines = [list(map(str, table.columns)), ["---"] * table.shape[1], *table.astype(str).to_numpy().tolist()]
    return "\n".join(
        f"|{'|'.join(cells)}|" if k == 1 else f"| {' | '.join(_cell(one) for one in cells)} |"
        for k, cells in enumerate(lines)
    )


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def plain_html(tables: Mapping[str, pd.DataFrame]) -> str:
    """Return a page of headed tables without style, which Word and LibreOffice take over as tables."""
    parts = ['<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Tables</title></head><body>']
    for title, table in tables.items():
        head = "".join(f"<th>{html.escape(str(name))}</th>" for name in table.columns)
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>"
            for row in table.astype(str).to_numpy().tolist()
        )
        parts.append(
            f'<h2>{html.escape(title)}</h2><table border="1"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        )
    return "\n".join([*parts, "</body></html>\n"])


def write_tables(tables: Mapping[str, pd.DataFrame], folder: Path) -> list[Path]:
    """Write ``tables.md`` and ``tables.html``."""
    text = "\n\n".join(f"## {title}\n\n{markdown(table)}" for title, table in tables.items()) + "\n"
    files = {"tables.md": text, "tables.html": plain_html(tables)}
    for name, content in files.items():
        with atomic_write(folder / name) as temporary:
            temporary.write_text(content, encoding="utf-8")
    return [folder / name for name in files]
