"""`python -m harness` is `epoch-harness`."""

from harness.cli import main

if __name__ == "__main__":
    main()
