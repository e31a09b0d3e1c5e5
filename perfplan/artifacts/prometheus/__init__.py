"""Prometheus rules: burn rates of every promise counted in requests, and the usual resource alerts; with their unit tests.

Which alerts there are, and when they fire, is said in `perfplan.subjects.alerts`.
"""

from __future__ import annotations

from pathlib import Path

from perfplan.artifacts.prometheus.recorded import recorded
from perfplan.artifacts.prometheus.rules import rules
from perfplan.artifacts.prometheus.scraping import answers, scraping
from perfplan.artifacts.prometheus.unit_tests import unit_tests
from perfplan.judging import Answers, File, Judge, Judgement
from perfplan.judging.servers import run
from perfplan.models.slo import burn_rate
from perfplan.operate.source import Source
from perfplan.subjects.alerts import ALERTS, CPU, DISK, MEMORY
from perfplan.words import share

# ---- their judges ----

CHECKED, TESTED, CONFIGURED, PLACE = "promtool check rules", "promtool test rules", "promtool check config", "5_monitoring"


def _check(path: Path, _: Path) -> Judgement:
    return run([*CHECKED.split(), path.name], path.parent, CHECKED)


def _test(path: Path, _: Path) -> Judgement:
    """Every alert fires just above its limit, and is silent just below and without traffic."""
    return run([*TESTED.split(), path.name], path.parent, TESTED)


CHECK = Judge(tool="promtool", ask=_check, names=(CHECKED,), twin=("    for: 5m", "    for: 5 minutes"))
TEST = Judge(tool="promtool", ask=_test, names=(TESTED,), twin=("exp_alerts: []", "exp_alerts: [{exp_labels: {severity: page}}]"))


def _configured(path: Path, _: Path) -> Judgement:
    """With the files of rules that it names."""
    return run([*CONFIGURED.split(), path.name], path.parent, CONFIGURED)


SCRAPED = Judge(tool="promtool", ask=_configured, names=(CONFIGURED,), twin=('"15s"', '"15 seconds"'))
RECORDED = Judge(tool="promtool", ask=_check, names=(CHECKED,), twin=("sum(rate(", "sum(rat("))


def files(source: Source) -> tuple[File, ...]:
    """alerts.yml and its unit tests."""
    return (
        File(name="alerts.yml", text=rules(source), judge=CHECK, answers=ANSWERS),
        File(name="alerts_test.yml", text=unit_tests(source), judge=TEST),
        File(name="recorded.yml", text=recorded(source), judge=RECORDED),
        File(name="prometheus.yml", text=scraping(source), judge=SCRAPED, answers=answers(source)),
    )


ANSWERS = (
    Answers(item="5.2.1", text="burn-rate alerts of every promise counted in requests", place=PLACE, formula=rules),
    *(
        Answers(
            item=f"5.2.1.{letter}",
            text=f"{share(one.spent)} of the budget within {one.hours} h: {one.priority}, a {one.urgency}",
            place=PLACE,
            formula=burn_rate,
        )
        for letter, one in zip("abc", (ALERTS[0], ALERTS[1], ALERTS[-1]), strict=True)
    ),
    Answers(item="5.2.2", text="CPU, memory and disk", place=PLACE, formula=rules),
    Answers(item="5.2.2.a", text=f"CPU above {share(CPU)} for 5 minutes", place=PLACE, formula=rules),
    Answers(item="5.2.2.b", text=f"memory above {share(MEMORY)} for 5 minutes", place=PLACE, formula=rules),
    Answers(item="5.2.2.c", text=f"disk above {share(DISK)} for 5 minutes", place=PLACE, formula=rules),
)
