"""`python -m perfplan`, and the command `perfplan`: Ctrl-C is answered from the first line on, before anything else is imported."""

import os
import signal
import sys


def main() -> int:
    """Run the command line."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    from perfplan.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
