"""How the code must be: light to import, no logic in notebooks, names that end in their unit, colours said once."""

import ast
import importlib
import json
import pkgutil
import re
import subprocess
import sys

import numpy as np
import pytest

from perfplan import models
from perfplan.models import availability, caching, capacity, cost, growth, slo
from perfplan.models.stations import queueing
from perfplan.quantity import Quantity
from perfplan.record import declared, declares
from perfplan.scenario import Scenario
from perfplan.shown import look
from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SOURCES = sorted((ROOT / "perfplan").rglob("*.py"))


def test_importing_is_light_and_quiet():
    code = (
        "import sys, perfplan, perfplan.plan, perfplan.study; print([m for m in ('pandas', 'plotly', 'scipy.stats', 'papermill', "
        "'numba', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def record_classes(cls, seen):
    if cls in seen:
        return seen
    seen.add(cls)
    for one in declared(cls).values():
        kinds = [one.kind]
        while kinds:
            kind = kinds.pop()
            if isinstance(kind, tuple):
                kinds += list(kind[1]) if kind[0] == "one of" else [kind[1]]
            elif isinstance(kind, type):
                record_classes(kind, seen)
    return seen


def test_a_fields_name_ends_in_its_unit():
    for cls in record_classes(Scenario, set()):
        for one in declared(cls).values():
            if isinstance(one.kind, Quantity) and one.kind.suffix:
                assert one.name.endswith(f"_{one.kind.suffix}"), f"{cls.__name__}.{one.name} is a {one.kind.name}"


def test_a_functions_name_and_arguments_end_in_their_unit():
    import typing

    checked = 0
    for found in pkgutil.walk_packages(models.__path__, "perfplan.models."):
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            if (
                callable(value)
                and getattr(value, "__module__", "") == module.__name__
                and not isinstance(value, type)
                and not name.startswith("_")
            ):
                for argument, hint in typing.get_type_hints(value, include_extras=True).items():
                    kind = declares(hint)
                    if isinstance(kind, Quantity) and kind.suffix and argument != "return":
                        assert argument.endswith(f"_{kind.suffix}") or argument == kind.suffix, f"{module.__name__}.{name}({argument})"
                        checked += 1
    assert checked > 15


def test_models_say_the_shapes_of_their_arrays():
    for found in pkgutil.walk_packages(models.__path__, "perfplan.models."):
        module = importlib.import_module(found.name)
        if "beyond." not in found.name and not found.ispkg:
            assert "\nShapes: " in module.__doc__, found.name
    assert "\nShapes: numbers" in models.beyond.__doc__


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (queueing.erlang_b, (3.0, 5.0)),
        (queueing.erlang_c, (3.0, 5.0)),
        (queueing.drain_time_s, (100.0, 8.0, 1.0, 10.0)),
        (availability.k_of_n, (3.0, 5.0, 0.99)),
        (cost.machines_month_usd, (3.0, 0.1)),
        (growth.grown, (100.0, 0.02, 12.0)),
        (growth.concurrent_users, (100.0, 0.2, 10.0)),
        (slo.error_budget_s, (0.999, 2.6e6)),
        (slo.budget_left, (0.999, 0.0004)),
        (capacity.nodes_needed, (10.0, 4.0, 0.7)),
        (caching.lru_hit_ratio, (1e4, 0.9, 1e3)),
    ],
)
def test_arguments_broadcast_where_a_model_says_so(function, arguments):
    """Each cell is what the numbers of that cell give."""
    alone = function(*arguments)
    first, second, *rest = arguments
    made = np.asarray(function(np.full((2, 1), first), np.full((1, 3), second), *rest))
    assert made.shape == (2, 3)
    assert made == pytest.approx(np.full((2, 3), float(alone)), rel=1e-12)


APART = ("explore", "calculator")  # notebooks that are no chapter of a plan


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_presents_and_does_not_compute(path):
    notebook = json.loads(path.read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code), "commit without outputs"
    for cell in code:
        source = "".join(cell["source"])
        assert source.count("\n") < 15
        for node in ast.walk(ast.parse(source)):
            assert not isinstance(
                node, ast.FunctionDef | ast.ClassDef | ast.For | ast.While | ast.If | ast.Try | ast.With | ast.Lambda | ast.IfExp
            ), source
    figures = sum("figures." in "".join(cell["source"]) for cell in code)
    assert figures >= (1 if path.stem == "8_operate" else 2) or path.stem in APART  # its tables are read at night


@pytest.mark.parametrize("path", [p for p in NOTEBOOKS if p.stem != "calculator"], ids=lambda p: p.stem)
def test_papermill_explains_every_parameter(path):
    from papermill.inspection import _infer_parameters
    from papermill.iorw import load_notebook_node

    found = {p.name: p for p in _infer_parameters(load_notebook_node(str(path)))}
    fields = [] if path.stem == "explore" else ["peak_users", "requests_per_user", "growth"]
    assert [n for n in found if n != "worlds"] == ["scenario", *fields, "overrides"]
    for name, parameter in found.items():
        assert parameter.help, name
        assert parameter.inferred_type_name == "str"
        assert parameter.default == ('"data/storefront/scenario.yaml"' if name == "scenario" else '""')


def test_every_parameter_of_the_calculator_says_what_it_is():
    notebook = json.loads((ROOT / "notebooks" / "calculator.ipynb").read_text())
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    stated = [line for cell in cells for line in cell.splitlines() if re.match(r"\w+: ", line)]
    assert len(stated) > 20
    for line in stated:
        assert re.fullmatch(r"\w+: (str|list) = .+  # \[.+\] .+|\w+: str = .+  # .+", line), line


def test_one_palette_in_two_languages():
    sheet = (ROOT / "perfplan" / "workbook" / "look.css").read_text()
    found = {m[1]: (m[2], m[3]) for m in re.finditer(r"--(\w+): light-dark\((#\w+), (#\w+)\)", sheet)}
    assert found
    assert all(look.PALETTE[role] == pair for role, pair in found.items())


def contrast(one, other):
    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1])
def test_text_has_the_contrast_of_wcag_aa(theme):
    colours = {role: pair[theme] for role, pair in look.PALETTE.items()}
    for text in ("ink", "muted", "blue", "broken"):
        for ground in ("paper", "wash"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for line in look.SERIES:
        assert contrast(colours[line], colours["paper"]) >= 3.0, line


def test_no_address_or_path_of_a_machine_is_committed():
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    files = done.stdout.split("\n") if done.returncode == 0 else [p.relative_to(ROOT).as_posix() for p in ROOT.rglob("*")]  # an sdist
    files = [name for name in files if not name.startswith((".", "plans/"))]
    assert "perfplan/cli/__init__.py" in files
    assert "://" not in (ROOT / "constraints.txt").read_text()
    for name in files:
        if name.endswith((".py", ".md", ".yaml", ".toml", ".ipynb", ".json", "Makefile")) and name != "tests/test_conventions.py":
            text = (ROOT / name).read_text(encoding="utf-8") if (ROOT / name).is_file() else ""
            assert not re.search(r"/(root|home/\w+|work)/", text), name


def test_public_names_have_docstrings():
    for path in SOURCES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{path.name}: {node.name}"
