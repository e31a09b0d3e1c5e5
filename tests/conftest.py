"""What tests share: the storefront, its statement, and one study of it in few worlds."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: two files of tests at a time are as many threads as there are cores

import pytest

from perfplan.plan import plan
from perfplan.reading import read
from perfplan.scenario.statement import Statement
from perfplan.study import SHOWN, Study, run_outs, study
from perfplan.study.fleet import Fleet

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data"
STOREFRONT = ROOT / "data" / "storefront" / "scenario.yaml"
os.environ.setdefault("PERFPLAN_WORLDS", "60")  # notebooks that tests run need no precision
os.environ.setdefault("PERFPLAN_QUICK", "1")  # what a Chromium makes of a plan is tested by itself


@pytest.fixture(scope="session")
def statement() -> Statement:
    return read(STOREFRONT)


@pytest.fixture(scope="session")
def storefront(statement: Statement) -> Study:
    return study(statement, worlds=100)


def unsearched(statement: Statement, worlds: int | None = None) -> Study:
    """A study that buys nothing, as nothing was searched: for tests that ask of today's fleet alone."""
    middle, made = (plan(statement.at(size), both=True, at_months=SHOWN) for size in (None, worlds))
    fleet = Fleet(orders=(), p_all=made.all_hold.mean(axis=0), cost_usd=made.cost_month_usd, fails_from=None)
    return Study(statement=statement, seed=7, middle=middle, worlds=made, run_outs=run_outs(made), fleet=fleet, options=(), moved=())


SMALL = """\
name: small
as_of: 2026-11-24
traffic: {peak_users: 900 to 1100, requests_per_user: 6/min, growth: 1%/month to 3%/month}
regions:
  near: {share: 100%, round_trip: 20ms}
journeys:
  read:
    share: 100%
    calls: {app: 1, store: 2}
tiers:
  app: {kind: service, instances: 4, threads: 8, service_time: 10ms, price: $0.1/h}
  store: {kind: database, cores: 4, connections: 20, service_time: 2ms, hold_time: 1ms, price: $0.05/h}
objectives:
  read p95: {kind: latency, journey: read, percentile: p95, below: 200ms}
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A small scenario that tests may change."""
    path = tmp_path / "small" / "scenario.yaml"
    path.parent.mkdir()
    path.write_text(SMALL, encoding="utf-8")
    return path


PACKAGES = ("axe-core@4", "typescript@5", "@types/k6@1", "yaml-language-server@1", "@grafana/schema@13")


@pytest.fixture(scope="session")
def npm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The node_modules of the packages that judge: TypeScript with k6's types, axe-core, a YAML language server."""
    room = tmp_path_factory.mktemp("npm")
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(room), *PACKAGES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        pytest.skip(f"npm could not install {', '.join(PACKAGES)}: {done.stderr.strip()[-200:]}")
    return room / "node_modules"


def reference() -> Path:
    """The folder of published tables that others made; a test that reads there is skipped where there is none."""
    found = Path(os.environ.get("PERFPLAN_REFERENCE", ROOT.parent / "shared" / "reference"))
    if not found.is_dir():
        pytest.skip("needs the reference tables (PERFPLAN_REFERENCE), which others made")
    return found
