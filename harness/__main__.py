"""`epoch-harness`, and `python -m harness`: the command line, and words for an interrupt while it is imported."""

import sys
from typing import NoReturn


def main() -> NoReturn:
    """The console script: `harness.cli.main`."""
    try:
        from harness.cli import main
    except KeyboardInterrupt:
        exec("")  # as `harness.cli.main` does
        print("epoch-harness: interrupted", file=sys.stderr)
        sys.exit(3)
    main()


if __name__ == "__main__":
    main()
