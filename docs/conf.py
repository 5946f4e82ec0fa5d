"""Sphinx settings: ``sphinx-build -W --keep-going -b html docs OUT``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pygments.lexers.special import TextLexer

from clearance import __version__

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "Clearance"
author = "the Clearance contributors"
copyright = "the Clearance contributors"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"Clearance {__version__}"
html_show_copyright = False

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

# The docstrings name things in single backticks.
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = [
    ("Raises (at decoration)", "params_style"),
    ("Raises (at each call)", "params_style"),
    ("Raises (on entering)", "params_style"),
]


def setup(app: Sphinx) -> None:
    """Mermaid fences are drawn by the sites that know them; here they are shown as the text that they are."""
    app.add_lexer("mermaid", TextLexer)
