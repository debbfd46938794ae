"""Check built pages without a network: links and anchors lead somewhere, pages need nothing from elsewhere, the reference is complete.

Run after a build, which does this by itself::

    python docs/scripts/check_html.py docs/_build/html
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: What a browser fetches to show a page: these must lie beside it.
FETCHED = {(tag, "src") for tag in ("script", "img", "source", "iframe", "embed", "video", "audio")} | {
    ("object", "data")
}
SEVERAL = {("img", "srcset"), ("source", "srcset")}
SHEETS = {"stylesheet", "preload", "icon", "shortcut icon", "manifest"}


class Page(HTMLParser):
    """Links, anchors and fetched files of one page."""

    def __init__(self, text: str):
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag points to and what points to it."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag == "link" and SHEETS & {given.get("rel", "").lower()}:
            self.fetched.append(given.get("href", ""))
        self.fetched += [value for name, value in given.items() if (tag, name) in FETCHED and value]
        for value in (value for name, value in given.items() if (tag, name) in SEVERAL):
            self.fetched += [part.split()[0] for part in value.split(",") if part.strip()]


def read_pages(folder: Path) -> dict[Path, Page]:
    """Return the pages of a folder by file."""
    files = [file for file in sorted(folder.rglob("*.html")) if "_static" not in file.relative_to(folder).parts]
    return {file.resolve(): Page(file.read_text("utf-8")) for file in files}


def elsewhere(link: str) -> bool:
    """Return whether a browser has to ask another machine for a link."""
    return link.startswith("//") or urlsplit(link).scheme in ("http", "https", "ftp")


def fetching_sheets(folder: Path) -> Iterator[str]:
    """Yield each style sheet that fetches fonts, pictures or other sheets from elsewhere."""
    for file in sorted(folder.rglob("*.css")):
        text = re.sub(r"/\*.*?\*/", "", file.read_text("utf-8"), flags=re.S)
        for first, second in re.findall(r"url\(\s*[\"']?([^\"')\s]+)|@import\s+[\"']([^\"']+)", text):
            if elsewhere(first or second):
                yield f"{file.relative_to(folder)}: is fetched from elsewhere: {first or second}"


def broken(pages: dict[Path, Page], folder: Path) -> Iterator[str]:
    """Yield each link, anchor or fetched file that is not there, and what is fetched from elsewhere."""
    for file, page in pages.items():
        where = file.relative_to(folder.resolve())
        for link in page.fetched:
            if elsewhere(link):
                yield f"{where}: is fetched from elsewhere: {link}"
            elif not link.startswith("data:") and not (file.parent / unquote(urlsplit(link).path)).is_file():
                yield f"{where}: is not there: {link}"
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or link.startswith("//"):
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if target.is_dir():
                target = target / "index.html"
            if not target.is_file():
                yield f"{where}: leads nowhere: {link}"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{where}: no such place on the page: {link}"


def missing_names(folder: Path) -> Iterator[str]:
    """Yield each public name, and each method of a public class, that the reference does not describe."""
    import importlib
    import inspect

    import reference
    from sphinx.util.inventory import InventoryFile

    listed = set()
    for kind, entries in InventoryFile.loads((folder / "objects.inv").read_bytes(), uri="").data.items():
        if kind.startswith("py:"):
            listed |= set(entries)
    for name, room in reference.homes().items():
        thing = getattr(importlib.import_module(room), name)
        members = reference.own_members(thing) if inspect.isclass(thing) else []
        if inspect.isclass(thing) and issubclass(thing, BaseException):
            members = []
        for full in [f"{room}.{name}", *(f"{room}.{name}.{member}" for member in members)]:
            if full not in listed:
                yield f"the reference does not describe {full}"


def main() -> int:
    """Print what is wrong; return 1 if anything is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of the built pages")
    folder = parser.parse_args().folder
    pages = read_pages(folder)
    wrong = [*broken(pages, folder), *fetching_sheets(folder), *missing_names(folder)]
    for line in wrong:
        print(line)
    print(f"{len(pages)} pages, {sum(len(page.links) for page in pages.values())} links: {len(wrong)} wrong")
    return 1 if wrong or not pages else 0


if __name__ == "__main__":
    sys.exit(main())
