"""Rules of the code as a whole, read from its syntax."""

from __future__ import annotations

import ast
import io
import re
import sys
import textwrap
import tokenize
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest

import skelmo

PACKAGE = Path(skelmo.__file__).parent
LONGEST_FILE = 400  # lines of code: nothing is cut for its documentation
LONGEST_FUNCTION = 80

# What only the packages from `estimators` on may name.
ESTIMATORS = {
    "BaseEstimator",
    "ElmoClassifier",
    "ElmoLanguageModel",
    "ElmoRegressor",
    "ElmoVectorizer",
}

# Modules are named by nouns. These are all the nouns in -ing.
NOUNS_IN_ING = {
    "finetuning",
    "head_training",
    "language_modeling",
    "misspelling",
    "packing",
    "pooling",
    "pretraining",
    "running",
    "spelling",
    "tuning",
}

# A package imports from lower tiers only. Its own modules may import each other, in no
# circle. A new package, or a module beside the packages, has to be given its place.
TIERS = (
    {"skelmo.files", "skelmo.forks", "skelmo.validation", "skelmo.version"},
    {"skelmo.text", "skelmo.nn"},
    {"skelmo.pretrained"},
    {"skelmo.models"},
    {"skelmo.scoring"},
    {"skelmo.training", "skelmo.encoding"},
    {"skelmo.estimators"},
    {"skelmo.baselines"},
    {
        "skelmo.display",
        "skelmo.engines",
        "skelmo.explanation",
        "skelmo.inspection",
        "skelmo.neighbors",
        "skelmo.testing",
        "skelmo.datasets",
    },  # fmt: skip
    {"skelmo.comparison", "skelmo.dask", "skelmo.ray", "skelmo.spark"},
    {"skelmo.cli", "skelmo.former"},
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
# A child process that was forked off has none of the threads of its parent.
CHANGES_ALLOWED = {"skelmo.forks": {"set_num_threads"}}
# What may do so inside a context that puts everything back.
SCOPE_OF = {
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


def imports(tree, known):
    """Names of the modules imported; of `known` packages, the submodules."""
    for node in ast.walk(tree):
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
        if entry_of(name) != here
        and TIER_OF.get(entry_of(name), len(TIERS)) >= TIER_OF[here]
    ]


@for_each_module
def test_imports_point_to_lower_tiers(module):
    assert entry_of(module) in TIER_OF, f"give {module} its place in TIERS"
    assert wrong_imports(module) == []


def circle(trees):
    """Modules that import each other in a circle, types included; or None."""
    graph = {module: own_imports(module, trees) - {module} for module in trees}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return None


def test_imports_have_no_circles():
    assert circle(TREES) is None


@pytest.mark.parametrize(
    ("module", "source", "wrong"),
    [
        (
            "nn.bilm",
            "def f():\n    from skelmo import estimators",
            "skelmo.estimators",
        ),
        (
            "encoding.encoder",
            "from skelmo.training.loop import Loop",
            "skelmo.training.loop",
        ),
        (
            "display.senses",
            "if TYPE_CHECKING:\n    from skelmo.comparison.result import Comparison",
            "skelmo.comparison.result",
        ),
        (
            "training.loop",
            "if TYPE_CHECKING:\n    import skelmo.encoding.encoder",
            "skelmo.encoding.encoder",
        ),
        ("files", "from skelmo.validation import is_missing", "skelmo.validation"),
    ],
)
def test_rule_for_tiers_sees_what_it_forbids(module, source, wrong):
    trees = {**TREES, f"skelmo.{module}": ast.parse(source)}
    assert wrong_imports(f"skelmo.{module}", trees) == [wrong]


def test_rule_for_tiers_sees_what_there_is():
    assert own_imports("skelmo.encoding.encoder") >= {
        "skelmo.nn.running",
        "skelmo.nn.packing",
        "skelmo.nn.bilm",
    }
    assert own_imports("skelmo") >= {"skelmo.version"}


def test_rule_for_circles_sees_what_it_forbids():
    sources = {
        "skelmo.text.a": "from skelmo.text import b",
        "skelmo.text.b": "import skelmo.text.c",
        "skelmo.text.c": "if TYPE_CHECKING:\n    from skelmo.text.a import A",
    }
    trees = {name: ast.parse(source) for name, source in sources.items()}
    assert set(circle(trees)) == set(trees)
    trees["skelmo.text.c"] = ast.parse("")
    assert circle(trees) is None


def imports_types_apart(tree):
    return any(
        "TYPE_CHECKING" in (getattr(node, "id", None), getattr(node, "attr", None))
        for node in ast.walk(tree)
    )


@for_each_module
def test_types_are_imported_as_everything_else_is(module):
    # All but the public door, which imports nothing before it is asked for.
    assert module == "skelmo" or not imports_types_apart(TREES[module])


@pytest.mark.parametrize("test", ["TYPE_CHECKING", "typing.TYPE_CHECKING"])
def test_rule_for_types_sees_what_it_forbids(test):
    assert imports_types_apart(ast.parse(f"def f():\n    if {test}:\n        import a"))
    assert not imports_types_apart(ast.parse("import a"))


def estimators_named(tree):
    """Lines that name an estimator's class, or import from where they are made."""
    lines = set()
    for node in ast.walk(tree):
        name = getattr(node, "id", getattr(node, "attr", None))
        modules = set()
        if isinstance(node, ast.alias):  # of both kinds of import
            name, modules = node.name, {node.name}
        elif isinstance(node, ast.ImportFrom):
            modules = {node.module, *(f"{node.module}.{a.name}" for a in node.names)}
        is_base = any(f"{module}.".startswith("sklearn.base.") for module in modules)
        if name in ESTIMATORS or is_base:
            lines.add(node.lineno)
    return sorted(lines)


@for_each_module
def test_what_stands_below_estimators_names_none(module):
    if TIER_OF.get(entry_of(module), -1) < TIER_OF["skelmo.estimators"]:
        assert estimators_named(TREES[module]) == []


@pytest.mark.parametrize(
    "source",
    [
        "from skelmo import ElmoVectorizer",
        "from skelmo.estimators.language_model import ElmoLanguageModel as Model",
        "def f(model: ElmoLanguageModel): pass",
        "isinstance(model, estimators.ElmoVectorizer)",
        "from sklearn.base import clone",
        "from sklearn import base",
        "import sklearn.base",
        "class Model(BaseEstimator): pass",
    ],
)
def test_rule_for_estimators_sees_what_it_forbids(source):
    assert estimators_named(ast.parse(source)) == [1]


def test_rule_for_estimators_lets_messages_name_them():
    source = "'''Of an ElmoVectorizer.'''\nraise ValueError(f'ElmoVectorizer: {x}')"
    assert estimators_named(ast.parse(source)) == []
    assert estimators_named(ast.parse("from sklearn.utils import check_array")) == []


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


NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


def code_lines(source):
    """Numbers of the lines that hold code: no docstring, no comment, not blank."""
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        documented = ast.Module, ast.ClassDef, ast.FunctionDef
        if isinstance(node, documented) and ast.get_docstring(node, clean=False):
            lines -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return lines


def long_functions(source):
    """Functions of too many lines of code."""
    lines = code_lines(source)
    return {
        node.name: n_lines
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef)
        and (n_lines := len(lines & set(range(node.lineno, node.end_lineno + 1))))
        > LONGEST_FUNCTION
    }


@for_each_module
def test_files_and_functions_are_short(module):
    source = FILES[module].read_text("utf-8")
    assert len(code_lines(source)) <= LONGEST_FILE
    assert long_functions(source) == {}


def test_rule_for_lengths_counts_code_alone():
    source = textwrap.dedent("""
        '''A module.

        Of two functions.
        '''
        # A comment.
        X = 1  # another

        TEXT = '''
        not a docstring
        '''

        def f(
            a,
        ):
            '''Do.

            Or not.
            '''

            return a
    """)
    assert len(code_lines(source)) == 1 + 3 + 3 + 1
    body = "    x = 1\n" * (LONGEST_FUNCTION - 1)
    docstring = "    '''Do.\n\n    Much.\n    '''\n\n    # Why.\n"
    assert long_functions(f"def f():\n{docstring}{body}") == {}
    nested = f"class A:\n    def g(self):\n{textwrap.indent(body, '    ')}"
    assert long_functions(f"{nested}        x = 2\n") == {"g": LONGEST_FUNCTION + 1}


def stems(files):
    """Yield modules, but packages' own, with their file's name.

    Those of `skelmo.former` have the names that they had.
    """
    for name, path in files.items():
        if path.name != "__init__.py" and not name.startswith("skelmo.former"):
            yield name, path.stem.strip("_")


def names_that_clash(files):
    """Modules that are named as another one, or as a package."""
    packages = {path.parent.name for path in files.values()}
    counts = Counter(stem for _, stem in stems(files))
    return [name for name, stem in stems(files) if stem in packages or counts[stem] > 1]


def names_of_no_subject(files):
    """Modules that are named by no noun, or by one that says nothing."""
    nothing = {"utils", "util", "helpers", "misc", "common"}
    return [
        name
        for name, stem in stems(files)
        if stem in nothing or (stem.endswith("ing") and stem not in NOUNS_IN_ING)
    ]


def test_names_of_modules_differ():
    assert names_that_clash(FILES) == []


def test_names_of_modules_are_nouns():
    assert names_of_no_subject(FILES) == []


def test_rules_for_names_see_what_they_forbid():
    names = ["text.utils", "text.tables", "cli.tables", "cli.text", "cli.fitting"]
    names += ["cli._pooling", "nn.pooling", "nn.spelling"]
    files = {name: Path(*name.split(".")).with_suffix(".py") for name in names}
    files |= {name: Path(name, "__init__.py") for name in ("text", "cli", "nn")}
    clashing = ["text.tables", "cli.tables", "cli.text", "cli._pooling", "nn.pooling"]
    assert names_that_clash(files) == clashing
    assert names_of_no_subject(files) == ["text.utils", "cli.fitting"]


SEVERAL_NAMES = r"\*{0,2}\w+(, \*{0,2}\w+)+"


def combined_parameters(tree):
    """Entries of docstrings that describe several names at once."""
    documented = ast.Module, ast.ClassDef, ast.FunctionDef
    for node in ast.walk(tree):
        text = ast.get_docstring(node) if isinstance(node, documented) else None
        section = None
        for line, below in pairwise([*(text or "").split("\n"), ""]):
            if below and set(below) == {"-"}:
                section = line
            is_entry = section is not None and re.match(r"[^\s-]", line)
            names, colon, _ = line.partition(" :")
            has_names = colon or section in {"Parameters", "Attributes"}
            if is_entry and has_names and re.fullmatch(SEVERAL_NAMES, names):
                yield line


@for_each_module
def test_each_parameter_has_its_line(module):
    assert list(combined_parameters(TREES[module])) == []


def test_rule_for_parameters_sees_what_it_forbids():
    source = '''
        def f(a, b, c):
            """Do this, that : all.

            Parameters
            ----------
            a, b : int
                Two, both : of them.
            c : {"x", "y"}, default="x"
            d, e

            Returns
            -------
            first, second : int, float
            (data, target) : tuple
            ndarray of shape (n,), float32

            Notes
            -----
            Like this, not that.
            """
    '''
    tree = ast.parse(textwrap.dedent(source))
    found = ["a, b : int", "d, e", "first, second : int, float"]
    assert list(combined_parameters(tree)) == found


def tables_of_objects(tree):
    """Lines of a module that make a table whose keys are objects, not values."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and called_name(node) == "WeakKeyDictionary"
    ]


@for_each_module
def test_no_table_is_keyed_by_what_may_change(module):
    # A network that is trained on would still be found under what it was.
    assert tables_of_objects(TREES[module]) == []


def test_rule_for_tables_sees_what_it_forbids():
    source = "kept: WeakKeyDictionary[A, B] = weakref.WeakKeyDictionary()"
    assert tables_of_objects(ast.parse(source)) == [1]


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
            name = called_name(node)
            allowed = name in CHANGES_ALLOWED.get(module, ())
            assert allowed or name not in GLOBAL_STATE, f"line {node.lineno}"


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
        with warnings.catch_warnings():
            warnings.simplefilter("error")
        warnings.simplefilter("error")
    """
    assert unscoped(ast.parse(textwrap.dedent(source))) == [4]


# Putting a generator's state back would not help another thread that draws meanwhile.
OF_GLOBAL_GENERATORS = {"manual_seed", "seed", "fork_rng", "set_rng_state", "set_state"}
FROM_GLOBAL_GENERATORS = {"rand", "randn", "randint", "randperm", "Dropout", "dropout"}


def global_draws(tree):
    """Lines that seed torch's, numpy's or Python's global generator, or draw from it.

    A generator of one's own may be seeded where it is made.
    """
    lines = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        owner = getattr(node.func, "value", None)
        module = getattr(owner, "id", getattr(owner, "attr", None))
        is_module = module in ("torch", "random", "np", "nn", "functional", "F")
        of_module = OF_GLOBAL_GENERATORS | FROM_GLOBAL_GENERATORS
        if is_module and called_name(node) in of_module:
            lines.append(node.lineno)
    return lines


@for_each_module
def test_no_global_generator_is_used(module):
    assert global_draws(TREES[module]) == []


def test_rule_for_generators_sees_what_it_forbids():
    source = """
        torch.manual_seed(0)
        np.random.seed(0)
        with torch.random.fork_rng(): nn.Dropout(0.1)
        torch.Generator().manual_seed(0)
        np.random.default_rng(0).integers(3)
        self.dropout(x, generator)
    """
    assert global_draws(ast.parse(textwrap.dedent(source))) == [2, 3, 4, 4]


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
        instead = [part for part in handler.body if not isinstance(part, ast.Raise)]
        parts = [*statement.body, *instead, *statement.orelse]
        parts += statement.finalbody
        return only and all(isinstance(part, definitions) for part in parts)
    return isinstance(statement, definitions)


@for_each_module
def test_importing_a_module_does_nothing(module):
    for k, statement in enumerate(TREES[module].body):
        is_door = module == "skelmo" and is_type_checking(statement)
        assert is_door or has_no_effect(statement, k == 0), f"line {statement.lineno}"


@pytest.mark.parametrize(
    "source",
    [
        "f()",
        "os.environ['A'] = ''",
        "torch.x = 1",
        "for i in x: f(i)",
        "try:\n    import a\nexcept ImportError:\n    f()",
        "try:\n    raise E\nexcept ImportError:\n    import b",
        "try:\n    import a\nexcept Exception:\n    import b",
        "try:\n    f()\nexcept ImportError:\n    import b",
        "if TYPE_CHECKING:\n    import a",
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
