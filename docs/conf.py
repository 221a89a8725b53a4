"""How Sphinx builds these pages: ``sphinx-build -W -b html docs docs/_build/html``.

Nothing is downloaded. With SKELMO_INTERSPHINX=1 in the environment, names of numpy,
scikit-learn and torch become links, for which their inventories are fetched.
"""

import os
import re
import sys
from pathlib import Path

from docutils import nodes
from docutils.utils.math import latex2mathml

from skelmo import __version__

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
STAGED_EXAMPLES = HERE / "_build" / "examples"

from gallery_sections import SECTIONS  # noqa: E402


def stage_examples() -> None:
    """Copy the examples with what sphinx-gallery asks for: sections, and titles.

    The first line of a script's docstring is made a title where it is none.
    """
    header = "GALLERY_HEADER.rst"
    wanted = {header: (HERE / "gallery_header.rst").read_text("utf-8")}
    for folder, (title, sentence, scripts) in SECTIONS.items():
        underlined = f"{title}\n{'-' * len(title)}"
        wanted[f"{folder}/{header}"] = f"{underlined}\n\n{sentence}\n"
        for script in scripts:
            wanted[f"{folder}/{script}.py"] = re.sub(
                r'\A"""(.+)\n(?!===)',
                lambda found: f'"""\n{found[1]}\n{"=" * len(found[1])}\n',
                (HERE.parent / "examples" / f"{script}.py").read_text("utf-8"),
            )
    for old in STAGED_EXAMPLES.rglob("*.*"):
        if old.relative_to(STAGED_EXAMPLES).as_posix() not in wanted:
            old.unlink()
    for name, text in wanted.items():
        path = STAGED_EXAMPLES / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # An unchanged file keeps its time, so that it is not built again.
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


stage_examples()

project = "skelmo"
author = "The skelmo developers"
copyright = author
version = release = __version__

extensions = [
    "matplotlib.sphinxext.plot_directive",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "gallery_header.rst"]
templates_path = ["_templates"]
default_role = "literal"

# A link to a page, heading or object of skelmo that is not there is a warning, and
# warnings are errors; names of other projects are known to intersphinx alone.
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r"(?!skelmo\.).*")]
if os.environ.get("SKELMO_INTERSPHINX"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "numpy": ("https://numpy.org/doc/stable", None),
        "python": ("https://docs.python.org/3", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
        "torch": ("https://docs.pytorch.org/docs/stable", None),
    }

myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # the docstrings say types
autosummary_generate = True
# Engines are large; their pages need only our own words.
autodoc_mock_imports = ["dask", "distributed", "pyspark", "ray"]
numpydoc_show_class_members = False  # the template lists them

os.environ.setdefault("OMP_NUM_THREADS", "1")  # each example is a process
sphinx_gallery_conf = {
    "examples_dirs": str(STAGED_EXAMPLES),
    "gallery_dirs": "gallery",
    "subsection_order": [f"_build/examples/{folder}" for folder in SECTIONS],
    "within_subsection_order": "gallery_sections.place_of",
    "reset_modules": ("matplotlib", "gallery_sections.clear_caches"),
    "filename_pattern": r"/(plot_|quickstart)",  # others are shown, not run
    "copyfile_regex": r".*\.rst",
    "show_memory": False,
    "write_computation_times": False,
    "show_signature": False,
    "abort_on_example_error": True,
    # As many as there are cores; each of them is a process of some 1 GB.
    "parallel": min(4, os.cpu_count() or 1),
}

# Code of a page's ``.. plot::`` imports what lies beside the figures.
plot_working_directory = str(HERE / "figures")
plot_formats = [("png", 130)]
plot_include_source = plot_html_show_formats = plot_html_show_source_link = False

html_theme = "pydata_sphinx_theme"
html_title = f"skelmo {version}"
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_favicon = html_logo = "_static/mark.svg"
html_sidebars = {"index": [], "evaluation": [], "gallery/index": []}
html_math_renderer = "mathml"
html_theme_options = {
    "logo": {"text": "skelmo"},
    "header_links_before_dropdown": 5,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": True,
}


def visit_math(translator, node):
    """Write a formula as MathML, which browsers draw without a script or a font."""
    is_block = isinstance(node, nodes.math_block)
    tex = node.astext().replace(r"\dots", r"\ldots")
    formula = latex2mathml.tex2mathml(tex, as_block=is_block)
    if is_block:
        attributes = {"CLASS": "formula", "ids": node["ids"]}
        formula = translator.starttag({}, "div", **attributes) + formula + "</div>"
    translator.body.append(formula)
    raise nodes.SkipNode


def setup(app):
    """Teach Sphinx to write formulas so that a page asks the network for nothing."""
    renderers = (visit_math, None)
    app.add_html_math_renderer("mathml", renderers, renderers)
