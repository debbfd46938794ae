"""How Sphinx builds the documentation; ``python docs/scripts/build.py`` runs it and checks what comes out."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "scripts"))

# Examples keep to one thread and to a cache of their own, so that a build neither reads nor fills the user's.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("PRRT_CACHE_DIR", tempfile.mkdtemp(prefix="prrt-docs-"))

import inventories  # noqa: E402
import numpydoc.xref  # noqa: E402

import prrt_estimators  # noqa: E402

project = "prrt-estimators"
author = "the authors of prrt-estimators"
copyright = author
version = release = prrt_estimators.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "mathml",
    "notebooks",
    "reference",
]
exclude_patterns = ["_build", "scripts", "README.md", "gallery/**/*.ipynb", "gallery/*.py", "sg_execution_times.rst"]
templates_path = ["_templates"]
default_role = "py:obj"
nitpicky = True
html_math_renderer = "mathml"

# Docstrings are numpydoc, which states types in words; signatures stay short.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
add_module_names = False
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
numpydoc_show_inherited_class_members = False

# Empty without the environment variable: see scripts/inventories.py.
intersphinx_mapping = inventories.inventories(os.environ.get(inventories.VARIABLE), HERE / "_build" / "inventories")
intersphinx_disabled_reftypes = ["std:doc"]
# Of the words that numpydoc would make links, only those whose inventory is there.
numpydoc.xref.DEFAULT_LINKS.clear()
numpydoc_xref_param_type = bool(intersphinx_mapping)
numpydoc_xref_aliases = inventories.types(intersphinx_mapping)
numpydoc_xref_ignore = "all"

myst_enable_extensions = ["alert", "deflist"]
myst_heading_anchors = 3
myst_links_external_new_tab = False
# Blocks of other languages than these two are shown as they are.
highlight_language = "python3"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": os.environ.get("PRRT_DOCS_EXAMPLES", r"/plot_"),
    "ignore_pattern": r"(^|/)(?!plot_)[^/]*\.py$",
    "within_subsection_order": "FileNameSortKey",
    "reset_modules": ("matplotlib",),
    "backreferences_dir": "gallery/backreferences",
    "doc_module": ("prrt_estimators",),
    "reference_url": {"prrt_estimators": None},
    "ignore_repr_types": r"matplotlib\.(figure|axes)|Display|Classifier|Search",
    "thumbnail_size": (560, 392),
    "abort_on_example_error": False,
    "only_warn_on_example_error": False,
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,
    "min_reported_time": 1,
    "remove_config_comments": True,
    "plot_gallery": "True",
}
# A library that an example brings in and that warns of its own ways is not what the page is about.
warnings.filterwarnings("ignore", category=DeprecationWarning)

html_theme = "pydata_sphinx_theme"
html_title = "prrt-estimators"
html_logo = "_static/logo.svg"
html_favicon = "_static/logo.svg"
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "prrt-estimators"},
    "header_links_before_dropdown": 5,
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "navbar_persistent": ["search-button"],
    "footer_start": ["caution"],
    "footer_end": ["version"],
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "pygments_light_style": "default",
    "pygments_dark_style": "github-dark",
    "back_to_top_button": True,
    "secondary_sidebar_items": {"**": ["page-toc"], "index": [], "gallery/index": []},
}
# Pages that stand alone have nothing to list beside them; examples need the width for their code.
ALONE = ("index", "gallery/*", "reproduction", "design", "faq", "glossary", "contributing", "release", "changelog")
html_sidebars = {page: [] for page in ALONE}
