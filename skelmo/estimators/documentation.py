"""Where the pages of the documentation are."""

from __future__ import annotations

import sys

from skelmo.version import __version__

_EDITION = "latest" if "dev" in __version__ else "stable"
PAGE = f"https://skelmo.readthedocs.io/en/{_EDITION}/api/generated/{{name}}.html"


class LinkMixin:
    """Link the HTML representation of an estimator to its page.

    scikit-learn reads these attributes. A class outside of skelmo gets no link: one
    that a user derives has no page.
    """

    _doc_link_module = "skelmo"
    _doc_link_template = PAGE

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        """Name the class as it is imported, from the outermost package that has it."""
        own = type(self)
        parts = own.__module__.split(".")
        for k in range(1, len(parts) + 1):
            module = ".".join(parts[:k])
            if getattr(sys.modules.get(module), own.__name__, None) is own:
                break
        return {"name": f"{module}.{own.__name__}"}
