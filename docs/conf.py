"""Sphinx: the documentation site. ``just docs`` builds it into ``site/``."""

from pathlib import Path

import yaml

from taskcore import __version__

project = "taskcore"
author = "The taskcore developers"
copyright = author  # noqa: A001  (Sphinx names it)
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinxcontrib.openapi"]
html_theme = "furo"
html_title = f"taskcore {version}"
html_show_sphinx = False

# Docstrings name objects in single backticks.
default_role = "py:obj"
# `TaskStore` is a class of taskcore and one of taskcore.sync; the first is meant.
suppress_warnings = ["ref.python"]
autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "exclude-members": "model_config, model_post_init"}

napoleon_numpy_docstring = False
# Fields are described where they are defined, with their docstrings.
napoleon_use_ivar = True
# Headings can be linked to, as on a forge.
myst_heading_anchors = 3
# The tutorial's and the README's examples are for shells and Python; some blocks are output.
highlight_language = "none"

# sphinxcontrib-openapi knows no ranges of statuses, such as 4XX.
_ROOT = Path(__file__).parents[1]
_document = yaml.safe_load(
    (_ROOT / "specs/001-backend-core/contracts/openapi.yaml").read_text("utf-8")
)
for _path in _document["paths"].values():
    for _operation in _path.values():
        _operation.get("responses", {}).pop("4XX", None)
(_ROOT / "docs/reference/openapi.generated.yaml").write_text(yaml.safe_dump(_document), "utf-8")
