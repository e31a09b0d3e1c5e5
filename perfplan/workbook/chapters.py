"""The chapters of a plan: the notebook of each, what it is called, for whom it is, and the answer that stands at its top."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from perfplan import tables
from perfplan.document.story import story
from perfplan.study import Study


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """One chapter."""

    notebook: str
    name: str  # in the navigation
    reader: str
    readers: tuple[str, ...]  # of READERS: who sees it when the page is read as one of them
    head: Callable[[Study], tuple[str, str]]  # its answer, and what stands under it


def _plan(study: Study) -> tuple[str, str]:
    told = story(study)
    return told.decision, f"{told.verdict} {told.remedy}"


def _requirements(study: Study) -> tuple[str, str]:
    return tables.objectives(study).title, f"{tables.demand(study).title}."


def _architecture(study: Study) -> tuple[str, str]:
    return tables.breakpoints(study).title, f"{tables.latencies(study).title}."


def _implementation(study: Study) -> tuple[str, str]:
    return tables.stations(study).title, f"{tables.pools(study).title}."


def _testing(study: Study) -> tuple[str, str]:
    lead = "The rates below are for an open load generator; the predictions stand beside them, written down before the test."
    return tables.stages(study).title, lead


def _monitoring(study: Study) -> tuple[str, str]:
    return tables.watch(study).title, f"{tables.budgets(study).title}."


def _optimization(study: Study) -> tuple[str, str]:
    return tables.options(study).title, f"{tables.sensitivities(study).title}."


def _trust(study: Study) -> tuple[str, str]:
    beside = tables.measured(study)
    rests = "What the numbers rest on, what they leave out, and how far the models are from theory, simulation and real servers."
    return "How far to trust these numbers", f"{beside.title}." if beside else rests


def _operate(study: Study) -> tuple[str, str]:
    return tables.pages(study).title, f"{tables.scaling(study).title}."


READERS = {"director": "Director", "architect": "Architect", "sre": "SRE"}
DIRECTOR, ARCHITECT, SRE = READERS
CHAPTERS = (
    Chapter(notebook="0_capacity_plan", name="Plan", reader="For all three readers", readers=(DIRECTOR, ARCHITECT, SRE), head=_plan),
    Chapter(notebook="1_requirements", name="Requirements", reader="For architect and SRE", readers=(ARCHITECT, SRE), head=_requirements),
    Chapter(notebook="2_architecture", name="Architecture", reader="For the architect", readers=(ARCHITECT,), head=_architecture),
    Chapter(
        notebook="3_implementation",
        name="Implementation",
        reader="For the architect and the SRE",
        readers=(ARCHITECT, SRE),
        head=_implementation,
    ),
    Chapter(notebook="4_testing", name="Testing", reader="For the SRE", readers=(SRE,), head=_testing),
    Chapter(notebook="5_monitoring", name="Monitoring", reader="For the SRE", readers=(SRE,), head=_monitoring),
    Chapter(notebook="6_optimization", name="Optimization", reader="For the architect", readers=(ARCHITECT,), head=_optimization),
    Chapter(notebook="7_trust", name="Trust", reader="For whoever doubts", readers=(ARCHITECT, SRE), head=_trust),
    Chapter(notebook="8_operate", name="Operate", reader="For whoever is called", readers=(SRE,), head=_operate),
)
