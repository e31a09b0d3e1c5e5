"""The workbench: turn what a scenario states, see what follows. The same in JupyterLab, VS Code and a browser without Jupyter."""
