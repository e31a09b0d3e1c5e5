"""The workbook: runs the notebooks of a plan through papermill, writes the plan folder, renders plan.html."""

from perfplan.workbook.folder import make

__all__ = ["make"]
