"""`python -m perfplan`."""

import sys

from perfplan.cli import main

sys.exit(main())
