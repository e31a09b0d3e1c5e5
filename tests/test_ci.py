"""docs/ci: the script that pipelines run, in a repository of its own; the files that call it name what is there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, SMALL

CI = ROOT / "docs" / "ci"
pytestmark = pytest.mark.skipif(sys.platform == "win32" or shutil.which("git") is None, reason="needs a shell and git")


@pytest.fixture
def repository(tmp_path):
    """A scenario that is committed, in a repository of its own."""
    top = tmp_path / "repository"
    (top / "shop").mkdir(parents=True)
    (top / "shop" / "scenario.yaml").write_text(SMALL, encoding="utf-8")
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"]):
        subprocess.run(["git", *command], cwd=top, check=True)
    return top


def run(top, out):
    """The script's exit code and the comment that it made."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [str(CI / "plan.sh"), "shop/scenario.yaml", "main", str(out)], cwd=top, env={**os.environ, "PATH": path}, check=False
    )
    return done.returncode, (out / "comment.md").read_text(encoding="utf-8")


def test_a_change_is_planned_and_told(repository, tmp_path):
    file = repository / "shop" / "scenario.yaml"
    file.write_text(SMALL.replace("threads: 8", "threads: 6").replace("below: 200ms", "below: 22ms"), encoding="utf-8")
    code, comment = run(repository, tmp_path / "out")
    assert code == 1
    assert comment.startswith("# small: capacity plan")
    assert "    input   Input: tiers.app.threads: 8 | 6" in comment
    assert (tmp_path / "out" / "plan" / "plan.html").is_file()
    file.write_text(SMALL.replace("threads: 8", "threads: 8 apples"), encoding="utf-8")
    code, comment = run(repository, tmp_path / "other")
    assert code == 2
    assert "must be a whole number" in comment


@pytest.mark.parametrize("name", ["github.yml", "gitlab.yml"])
def test_the_pipelines_are_yaml_that_runs_the_script(name):
    text = (CI / name).read_text(encoding="utf-8")
    assert yaml.safe_load(text)
    assert 'ci/plan.sh "$SCENARIO"' in text
    assert "comment.md" in text
