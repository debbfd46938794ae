"""The reference: one page a public name and one of all commands, written when the HTML is built.

Sphinx reads ``docs/api.md`` as `api_page` would write it now, with each name linked to its page. Names in ``code`` on any
page link there, too.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import api_page
import typer
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

#: Folder of the pages, below docs/; everything in it is generated.
FOLDER = "api"
COMMANDS = "commands"
#: Packages whose own documentation is not looked up: the build needs no network.
FOREIGN = {"numpy", "pandas", "sklearn", "scipy", "torch", "monai", "skorch", "shap", "lifelines", "dataclasses"}
#: Files of the repository that a page of the documentation stands for.
ABOVE = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}


@cache
def homes() -> dict[str, str]:
    """Return the room in which each public name has its page: the first on the API page that offers it."""
    found: dict[str, str] = {}
    for room, name in api_page.public_names():
        found.setdefault(name, room)
    return found


def own_members(kind: type) -> list[str]:
    """Return the public methods and properties of a class that this library wrote."""

    def ours(member: Any) -> bool:
        target = member.fget if isinstance(member, property) else member
        return str(getattr(target, "__module__", "")).startswith("prrt_estimators") and bool(inspect.getdoc(member))

    kinds = (property, classmethod, staticmethod)
    return [
        name
        for name, member in inspect.getmembers(kind)
        if not name.startswith("_") and (isinstance(member, kinds) or inspect.isroutine(member)) and ours(member)
    ]


# Pages ------------------------------------------------------------------------------------------------------------


def write(folder: Path) -> None:
    """Write the pages, and remove those of names that are gone."""
    folder.mkdir(exist_ok=True)
    pages = {name: name_page(room, name) for name, room in homes().items()} | {COMMANDS: command_page()}
    for file in folder.glob("*.rst"):
        if file.stem not in pages:
            file.unlink()
    for name, text in pages.items():
        file = folder / f"{name}.rst"
        if not file.exists() or file.read_text("utf-8") != text:  # what is unchanged is not read again by Sphinx
            file.write_text(text, encoding="utf-8")


def name_page(room: str, name: str) -> str:
    """Return the page of one public name."""
    thing = getattr(importlib.import_module(room), name)
    lines = [name, "=" * len(name), "", f".. currentmodule:: {room}", ""]
    if api_page.is_constant(thing):
        lines += [f".. py:data:: {name}", "", f"   {_rest(api_page.CONSTANTS[name])}"]
        if isinstance(thing, (tuple, dict)):
            lines += ["", "   Holds " + ", ".join(f"``{key!r}``" for key in thing) + "."]
    elif inspect.isclass(thing):
        directive = "autoexception" if issubclass(thing, BaseException) else "autoclass"
        lines += [f".. {directive}:: {name}"]
        members = [] if directive == "autoexception" else own_members(thing)
        if members:
            lines += ["   :members: " + ", ".join(members)]
        if hasattr(thing, "get_params"):
            lines += ["", "   It also has scikit-learn's ``get_params``, ``set_params`` and metadata routing."]
    else:
        lines += [f".. autofunction:: {name}"]
    lines += ["", f".. minigallery:: {room}.{name}", "   :add-heading: Examples", ""]
    return "\n".join(lines)


def _rest(markdown: str) -> str:
    return re.sub(r"(?<!`)`(?!`)([^`]+)`(?!`)", r"``\1``", markdown)


def commands(command: Any = None, path: tuple[str, ...] = ("prrt",)) -> Iterator[tuple[str, Any]]:
    """Yield (words, command) of everything that can be run."""
    if command is None:
        command = typer.main.get_command(importlib.import_module("prrt_estimators.cli").app)
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from commands(inner, (*path, name))
    else:
        yield " ".join(path), command


def command_page() -> str:
    """Return the page of all commands with their options."""
    lines = ["Commands", "========", "", "What ``--help`` of each command says.", ""]
    for words, command in commands():
        arguments = [one for one in command.params if one.param_type_name == "argument"]
        options = [one for one in command.params if one.param_type_name == "option" and not getattr(one, "hidden", 0)]
        needed = [f"{one.opts[0]} {(one.metavar or one.name).upper()}" for one in options if one.required]
        usage = " ".join([words, *map(_shown, arguments), *needed])
        lines += ["", words, "-" * len(words), "", ".. code-block:: sh", "", f"   {usage}", ""]
        lines += [_options(_rest(" ".join(part.split()))) + "\n" for part in (command.help or "").split("\n\n")]
        lines += [".. list-table::", "   :class: options", "   :widths: 30 70", ""]
        for one in [*arguments, *options]:
            text = getattr(one, "help", None) or "Show what the command does and stop."
            lines += [f"   * - ``{_shown(one)}``", f"     - {_escaped(text)}{_default(one)}"]
        lines += [""]
    return "\n".join(lines)


def _shown(parameter: Any) -> str:
    is_argument = parameter.param_type_name == "argument"
    return (parameter.metavar or parameter.name).upper() if is_argument else ", ".join(parameter.opts)


def _escaped(text: str) -> str:
    return _options(re.sub(r"([*_|\\])", r"\\\1", _rest(" ".join(text.split()))))


def _options(text: str) -> str:
    # Sphinx would make a dash of the two hyphens of an option.
    return re.sub(r"(?<![\w`-])(--[a-z][\w-]*)", r"``\1``", text)


def _default(option: Any) -> str:
    shown = getattr(option, "show_default", False)
    if option.required:
        return " *Required.*"
    if shown in (False, None) or option.default in (None, False, (), "") or "default" in str(option.help):
        return ""
    return f" *Default:* ``{shown if isinstance(shown, str) else option.default}``."


# What happens while Sphinx reads ----------------------------------------------------------------------------------


def before_reading(app: Sphinx) -> None:
    """Write the pages of the reference into the source folder, where Sphinx looks for them."""
    write(Path(app.srcdir) / FOLDER)


def fill_api_page(app: Sphinx, docname: str, source: list[str]) -> None:
    """Read api.md as it would be written now, with links, and with the pages of all names below it."""
    del app
    if docname != "api":
        return
    own = homes()

    def linked(row: re.Match[str]) -> str:
        return f"| {{py:obj}}`{row[1]} <{own[row[1]]}.{row[1]}>` |"

    text = re.sub(r"^\| `(\w+)` \|", linked, api_page.page(), flags=re.M)
    for room in api_page.rooms():
        names = [name for name, home in own.items() if home == room]
        if names:
            entries = "\n".join(f"{FOLDER}/{name}" for name in names)
            text += f"\n```{{toctree}}\n:hidden:\n:caption: {room.removeprefix('prrt_estimators.')}\n\n{entries}\n```\n"
    text += f"\n```{{toctree}}\n:hidden:\n:caption: in a shell\n\n{FOLDER}/{COMMANDS}\n```\n"
    source[0] = text


def mend_links(app: Sphinx, docname: str, source: list[str]) -> None:
    """Lead links to files above docs/, which are right for a reader of the repository, to the pages that include them."""
    del app
    up = "../" * docname.count("/")
    for file, page in ABOVE.items():
        source[0] = source[0].replace(f"](../{up}{file}", f"]({up}{page}")


def link_code(app: Sphinx, doctree: nodes.document) -> None:
    """Make a public name in ``code`` a link to its page."""
    here = app.env.current_document.docname.removeprefix(f"{FOLDER}/")
    own = homes()
    for node in list(doctree.findall(nodes.literal)):
        name = node.astext().removesuffix("()").rpartition(".")[2]
        full = node.astext().removesuffix("()")
        inside = isinstance(node.parent, (nodes.reference, addnodes.pending_xref, nodes.title, addnodes.desc_signature))
        if inside or name not in own or name == here or full not in (name, f"{own[name]}.{name}"):
            continue
        reference = addnodes.pending_xref(
            "", refdomain="py", reftype="obj", reftarget=f"{own[name]}.{name}", refexplicit=True, refwarn=True
        )
        node.replace_self(reference)
        reference += node


def anchor_every_room(app: Sphinx, doctree: nodes.document) -> None:
    """Give the page of a name an anchor for each room of the names beside it: the page of their source links to any of them."""
    del app
    own = homes()
    for signature in doctree.findall(addnodes.desc_signature):
        for anchor in list(signature["ids"]):
            room, _, name = anchor.rpartition(".")
            if own.get(name) == room:
                others = [f"{other}.{name}" for other in sorted(_rooms_of_module().get(_module(room, name), ()))]
                signature["ids"] += [one for one in others if one not in signature["ids"]]


def _module(room: str, name: str) -> str:
    return getattr(getattr(importlib.import_module(room), name), "__module__", "")


@cache
def _rooms_of_module() -> dict[str, set[str]]:
    """Return the rooms that offer names of each module."""
    found: dict[str, set[str]] = {}
    for room, name in api_page.public_names():
        found.setdefault(_module(room, name), set()).add(room)
    return found


def resolve(app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, content: Any) -> Any:
    """Resolve a name as docstrings write it; what belongs to another project stays plain text."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py":
        return None
    own, parts = homes(), target.split(".")
    for start in range(len(parts)):  # whatever room a docstring names, the page is where the name is public
        full = ".".join([own.get(parts[start], ""), *parts[start:]])
        python = env.domains.python_domain
        if full in python.objects:
            return python.resolve_xref(env, node["refdoc"], app.builder, node["reftype"], full, node, content)
    # The default role marks parameters, too: what is not a public name is set as code.
    return content if parts[0] in FOREIGN or node["reftype"] == "obj" else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Hook the above into the build."""
    app.connect("builder-inited", before_reading, priority=100)
    app.connect("source-read", fill_api_page)
    app.connect("source-read", mend_links)
    app.connect("doctree-read", link_code)
    app.connect("doctree-read", anchor_every_room)
    app.connect("missing-reference", resolve)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
