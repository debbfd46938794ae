"""A copy of the package in which the words of every error, warning and problem are shuffled."""

from __future__ import annotations

import ast
import random
import shutil
from pathlib import Path

#: Names of variables that hold the text of an error, warning or problem until it is raised.
_TEXTS = {"what", "remedy", "text", "told", "said", "reason", "notice", "message", "note", "hint"}
_MAKERS = ("Error", "Warning", "Problem", "Fault", "warn", "_LeftOut", "tell", "_unread", "Skipped", "note", "caution")
#: Modules whose texts of these names are the user's or a format's, not messages.
_SPARED = ("_text", "_values", "_excel", "_sheets", "_tables", "_card")


def shuffled(text: str, seed: str) -> str:
    """Return a text with its letters in another order; words, blanks and digits stay where they are."""
    letters = [one for one in text if one.isalpha()]
    random.Random(seed + text).shuffle(letters)
    drawn = iter(letters)
    return "".join(next(drawn) if one.isalpha() else one for one in text)


class _Shuffler(ast.NodeTransformer):
    def __init__(self, seed: str):
        self.seed = seed
        self.inside = 0

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if not name.endswith(_MAKERS):
            return self.generic_visit(node)
        self.inside += 1
        node.args = [self.visit(one) for one in node.args]
        self.inside -= 1
        for one in node.keywords:
            if one.arg in _TEXTS:
                self.inside += 1
                one.value = self.visit(one.value)
                self.inside -= 1
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        text = any(isinstance(one, ast.Name) and one.id in _TEXTS for one in node.targets)
        self.inside += text
        node.value = self.visit(node.value)
        self.inside -= text
        return node

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.AST:
        return node  # what a message quotes is a fact

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        if self.inside:
            node.values = [self.visit(one) for one in node.values]
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        # One word may be a name, a key or a code; sentences have blanks.
        if self.inside and isinstance(node.value, str) and " " in node.value:
            return ast.copy_location(ast.Constant(shuffled(node.value, self.seed)), node)
        return node


def write_shuffled(package: Path, target: Path, seed: str = "a") -> int:
    """Copy `package` to `target` with shuffled messages; return how many files differ."""
    shutil.copytree(package, target, ignore=shutil.ignore_patterns("__pycache__"))
    changed = 0
    for file in target.rglob("*.py"):
        if file.stem in _SPARED:
            continue
        before = file.read_text("utf-8")
        tree = ast.parse(before)
        plain = ast.unparse(tree)
        after = ast.unparse(ast.fix_missing_locations(_Shuffler(seed).visit(tree)))
        if after != plain:
            file.write_text(after, "utf-8")
            changed += 1
    return changed
