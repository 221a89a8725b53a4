"""Validate the docstring of every public object with numpydoc.

Usage: python tests/check_docstrings.py [--strict] [module ...]

The checks are those of [tool.numpydoc_validation] in pyproject.toml. What `skelmo`
itself exports has to pass all of them. Inside the package a docstring may do without
sections, where names and types say the rest, but one that has sections is complete;
--strict takes that liberty away. Prints what fails and exits with 1 if anything does.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
SECTION_CHECKS = {"PR01", "RT01"}  # a section that is not there


def modules() -> Iterator[ModuleType]:
    """Yield the package and every module of it."""
    package = importlib.import_module("skelmo")
    yield package
    for info in pkgutil.walk_packages(package.__path__, "skelmo."):
        if not info.name.endswith("__main__"):
            yield importlib.import_module(info.name)


def public_objects(module: ModuleType) -> Iterator[str]:
    """Yield the names of what a module defines, its classes' methods included."""
    for name, value in vars(module).items():
        own = getattr(value, "__module__", None) == module.__name__
        if name.startswith("_") or not own:
            continue
        if inspect.isfunction(value) or inspect.isclass(value):
            yield f"{module.__name__}.{name}"
        if inspect.isclass(value):
            for attribute, member in vars(value).items():
                kinds = staticmethod, classmethod, property
                is_method = inspect.isfunction(member) or isinstance(member, kinds)
                if is_method and not attribute.startswith("_"):
                    yield f"{module.__name__}.{name}.{attribute}"


def failures(name: str, checks: set[str]) -> list[tuple[str, str]]:
    """Return code and message of the checks that an object fails."""
    from numpydoc.validate import validate

    return [error for error in validate(name)["errors"] if error[0] in checks]


def exported() -> set[str]:
    """Name the classes and functions of the public door, where they are defined."""
    package = importlib.import_module("skelmo")
    values = [getattr(package, name) for name in package.__all__]
    return {f"{v.__module__}.{v.__name__}" for v in values if hasattr(v, "__name__")}


def has_sections(name: str) -> bool:
    """Tell whether a docstring has any underlined heading."""
    from numpydoc.validate import Validator

    return "\n---" in (Validator._load_obj(name).__doc__ or "").replace(" ", "")


def main(arguments: list[str]) -> int:
    """Validate the modules named, or all; return the number of failures."""
    strict, chosen = "--strict" in arguments, set(arguments) - {"--strict"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    checks = set(project["tool"]["numpydoc_validation"]["checks"])
    door = exported()
    n_objects = n_failures = 0
    for module in modules():
        if chosen and module.__name__ not in chosen:
            continue
        for name in public_objects(module):
            n_objects += 1
            outside = name in door or name.rpartition(".")[0] in door
            lenient = not strict and not outside and not has_sections(name)
            needed = checks - SECTION_CHECKS if lenient else checks
            for code, message in failures(name, needed):
                n_failures += 1
                sys.stdout.write(f"{name}: {code} {message}\n")
    sys.stdout.write(f"{n_objects} public objects, {n_failures} failures\n")
    return n_failures


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
