"""Rules of the code as a whole, read from its syntax."""

from __future__ import annotations

import ast
import sys
import textwrap
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import skelmo

PACKAGE = Path(skelmo.__file__).parent
LONGEST_FILE = 400

# A module imports from lower tiers only. Those of one package are one entry: they may
# import each other, without a cycle. A new module has to be given its place here.
TIERS = (
    {"skelmo.version", "skelmo.validation", "skelmo.datasets"},
    {
        "skelmo.text",
        "skelmo.nn",
        "skelmo.nn.packing",
        "skelmo.estimators.documentation",
    },
    {"skelmo.nn.running"},
    {"skelmo.encoding", "skelmo.training", "skelmo.pretrained"},
    {
        "skelmo.encoding.layer_mix",
        "skelmo.estimators.parameters",
        "skelmo.persistence",
        "skelmo.estimators.callbacks",
    },
    {"skelmo.fitting"},
    {"skelmo.scoring.predicted_words"},
    {"skelmo.estimators.language_model"},
    {"skelmo.models.shared"},
    {"skelmo.encoding.caches", "skelmo.display"},
    {"skelmo.resolving"},
    {"skelmo.pickling", "skelmo.transforming"},
    {
        "skelmo.estimators.vectorizer",
        "skelmo.baselines",
        "skelmo.inspection",
        "skelmo.testing",
    },
    {"skelmo.comparison"},
    {"skelmo.cli"},
    {"skelmo", "skelmo.__main__"},
)
TIER_OF = {name: number for number, names in enumerate(TIERS) for name in names}

# Only what a user sets on a loaded model, by the names of the constructor.
KEYWORDS_ALLOWED = {"skelmo.estimators.language_model": {"ElmoLanguageModel.load"}}

# What would change a program that merely uses the library.
GLOBAL_STATE = {
    "set_num_threads",
    "set_num_interop_threads",
    "set_default_dtype",
    "set_default_device",
    "set_default_tensor_type",
    "set_grad_enabled",
    "use_deterministic_algorithms",
    "set_float32_matmul_precision",
    "basicConfig",
    "setrecursionlimit",
    "putenv",
}
# What may do so inside a context that puts everything back.
SCOPE_OF = {
    "manual_seed": "fork_rng",
    "seed": "fork_rng",
    "simplefilter": "catch_warnings",
    "filterwarnings": "catch_warnings",
}


def module_name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def source_files():
    return {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


FILES = source_files()
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in FILES.items()}


def for_each_module(function):
    return pytest.mark.parametrize("module", sorted(TREES))(function)


def is_type_checking(node):
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


def executed(node):
    """Walk all nodes but those that only a type checker sees."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not is_type_checking(child):
            yield from executed(child)


def imports(tree, known):
    """Names of the modules imported; of `known` packages, the submodules."""
    for node in executed(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in known else node.module


def entry_of(module):
    """The name in TIERS that a module counts under."""
    parts = module.split(".")
    return ".".join(parts[:2])


def own_imports(module, trees=None):
    trees = TREES if trees is None else trees
    return {name for name in imports(trees[module], trees) if name.startswith("skelmo")}


def wrong_imports(module, trees=None):
    here = entry_of(module)
    return [
        name
        for name in sorted(own_imports(module, trees))
        if entry_of(name) != here and TIER_OF[entry_of(name)] >= TIER_OF[here]
    ]


@for_each_module
def test_imports_point_to_lower_tiers(module):
    assert entry_of(module) in TIER_OF, f"give {module} its place in TIERS"
    assert wrong_imports(module) == []


def test_imports_have_no_cycles():
    graph = {module: own_imports(module) - {module} for module in TREES}
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_import_rules_see_what_they_forbid():
    # The rules above could pass by seeing nothing.
    source = "def f():\n    from skelmo import fitting\n"
    trees = {**TREES, "skelmo.nn.bilm": ast.parse(source)}
    assert wrong_imports("skelmo.nn.bilm", trees) == ["skelmo.fitting"]
    source = "from skelmo.training.loop import Trainer"
    trees = {**TREES, "skelmo.encoding.encoder": ast.parse(source)}
    assert wrong_imports("skelmo.encoding.encoder", trees) == ["skelmo.training.loop"]
    assert own_imports("skelmo.encoding.encoder") >= {
        "skelmo.nn.running",
        "skelmo.nn.packing",
        "skelmo.nn.bilm",
    }


@pytest.mark.parametrize("entry", ["skelmo.text", "skelmo.validation"])
def test_text_and_validation_know_no_torch(entry):
    for module, tree in TREES.items():
        if entry_of(module) == entry:
            roots = {name.split(".")[0] for name in imports(tree, TREES)}
            assert not roots & {"torch", "sklearn"}, module


def test_nn_knows_torch_and_numpy_alone():
    allowed = {"torch", "numpy", *sys.stdlib_module_names}
    for module, tree in TREES.items():
        if entry_of(module) == "skelmo.nn":
            for name in imports(tree, TREES):
                own = name == "skelmo.nn" or name.startswith("skelmo.nn.")
                assert own or name.split(".")[0] in allowed, (module, name)


@for_each_module
def test_files_are_short_and_have_a_subject(module):
    lines = FILES[module].read_text("utf-8").count("\n")
    assert lines <= LONGEST_FILE, f"{module} has {lines} lines"
    assert FILES[module].stem not in {"utils", "util", "helpers", "misc", "common"}


def called_name(node):
    function = node.func
    return getattr(function, "attr", getattr(function, "id", None))


@for_each_module
def test_nothing_prints_or_asserts(module):
    for node in ast.walk(TREES[module]):
        assert not isinstance(node, ast.Assert), f"assert in line {node.lineno}"
        if isinstance(node, ast.Call):
            assert called_name(node) != "print", f"print in line {node.lineno}"


@for_each_module
def test_nothing_changes_global_settings(module):
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Call):
            assert called_name(node) not in GLOBAL_STATE, f"line {node.lineno}"


def unscoped(node, scopes=()):
    """Lines that change global state outside of the context that restores it."""
    if isinstance(node, ast.With):
        calls = [item.context_expr for item in node.items]
        found = [called_name(call) for call in calls if isinstance(call, ast.Call)]
        scopes = (*scopes, *found)
    lines = []
    if isinstance(node, ast.Call):
        needed = SCOPE_OF.get(called_name(node))
        lines = [node.lineno] if needed and needed not in scopes else []
    for child in ast.iter_child_nodes(node):
        lines += unscoped(child, scopes)
    return lines


@for_each_module
def test_global_settings_are_changed_in_a_scope_alone(module):
    assert unscoped(TREES[module]) == []


def test_rule_for_scopes_sees_what_it_forbids():
    source = """
        with torch.random.fork_rng():
            torch.manual_seed(0)
            warnings.simplefilter("error")
        torch.manual_seed(0)
    """
    assert unscoped(ast.parse(textwrap.dedent(source))) == [4, 5]


def has_no_effect(statement, is_first):
    """Definitions, imports and names; nothing that does something to others."""
    if isinstance(statement, ast.Expr):  # a docstring
        return is_first and isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.Assign):
        names = [n for t in statement.targets for n in getattr(t, "elts", [t])]
        return all(isinstance(name, ast.Name) for name in names)
    if isinstance(statement, ast.AnnAssign):
        return isinstance(statement.target, ast.Name)
    definitions = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
    if isinstance(statement, ast.Try):  # an import of what may be missing
        (handler,) = statement.handlers
        only = getattr(handler.type, "id", None) == "ImportError"
        parts = [*statement.body, *handler.body, *statement.orelse]
        parts += statement.finalbody
        return only and all(isinstance(part, definitions) for part in parts)
    return isinstance(statement, definitions) or is_type_checking(statement)


@for_each_module
def test_importing_a_module_does_nothing(module):
    for k, statement in enumerate(TREES[module].body):
        assert has_no_effect(statement, k == 0), f"line {statement.lineno}"


@pytest.mark.parametrize(
    "source",
    [
        "f()",
        "os.environ['A'] = ''",
        "torch.x = 1",
        "for i in x: f(i)",
        "try:\n    import a\nexcept ImportError:\n    f()",
        "try:\n    import a\nexcept Exception:\n    import b",
        "try:\n    f()\nexcept ImportError:\n    import b",
    ],
)
def test_rule_for_imports_sees_what_it_forbids(source):
    (statement,) = ast.parse(source).body
    assert not has_no_effect(statement, is_first=True)


def definitions(tree):
    """Functions and classes of a module and of its classes, with their full names."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield node.name, node
            for inner in definitions(node):
                yield f"{node.name}.{inner[0]}", inner[1]


def is_public(name):
    return not any(part.startswith("_") for part in name.split("."))


@for_each_module
def test_public_names_have_docstrings(module):
    tree = TREES[module]
    assert ast.get_docstring(tree), "the module itself has none"
    missing = [
        name
        for name, node in definitions(tree)
        if is_public(name) and not ast.get_docstring(node)
    ]
    assert missing == []


@for_each_module
def test_signatures_say_what_they_take(module):
    allowed = KEYWORDS_ALLOWED.get(module, set())
    found = {
        name: node
        for name, node in definitions(TREES[module])
        if isinstance(node, ast.FunctionDef) and node.args.kwarg
    }
    assert set(found) == allowed
    for node in found.values():
        assert f"**{node.args.kwarg.arg}\n" in ast.get_docstring(node)
