"""How long a report takes, and how large it gets: `python tests/browser/table.py`."""

import tempfile
import time
from pathlib import Path

from conftest import figure, write_run

from harness.report import write_reports

COUNTS = (50, 500, 5000)


def main() -> None:
    print("| findings | seconds | MB |\n| ---: | ---: | ---: |")
    for count in COUNTS:
        with tempfile.TemporaryDirectory() as folder:
            findings = [
                figure(
                    scenario=f"document/pattern_{place // 50}/migrated",
                    workload=f"digits/workload_{place // 10 % 5}",
                    aggregate=f"figure_{place % 10}",
                    verdict="wrong",
                    message="equals neither the truth nor what the pattern's arithmetic gives",
                )
                for place in range(count)
            ]
            run = write_run(Path(folder, "run"), findings)
            began = time.perf_counter()
            write_reports([run], Path(folder, "out"))
            took = time.perf_counter() - began
            print(f"| {count} | {took:.2f} | {Path(folder, 'out', 'report.html').stat().st_size / 1e6:.2f} |")


if __name__ == "__main__":
    main()
