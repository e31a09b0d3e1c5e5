"""What draws the workbench, whoever carries it: a script, and its style."""

from pathlib import Path

from perfplan.shown.vector import sheet

HERE = Path(__file__).parent


def front() -> str:
    """The script that draws the controls and asks."""
    return (HERE / "front.js").read_text(encoding="utf-8")


def style() -> str:
    """The style of the workbench, and of its figures."""
    return (HERE / "front.css").read_text(encoding="utf-8") + sheet()
