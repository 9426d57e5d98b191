"""How long a report takes, and how large it gets: `python tests/browser/table.py`."""

import runpy
import sys
import tempfile
import time
from pathlib import Path

from harness.report import write_reports

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "unit"))
BY_HAND = runpy.run_path(str(HERE / "conftest.py"))
COUNTS = (50, 500, 5000)


def main() -> None:
    print("| findings | seconds | MB |\n| ---: | ---: | ---: |")
    for count in COUNTS:
        with tempfile.TemporaryDirectory() as folder:
            findings = [
                BY_HAND["figure"](
                    scenario=f"document/pattern_{place // 50}/migrated",
                    workload=f"digits/workload_{place // 10 % 5}",
                    aggregate=f"figure_{place % 10}",
                    verdict="wrong",
                    message="equals neither the truth nor what the pattern's arithmetic gives",
                )
                for place in range(count)
            ]
            run = BY_HAND["write_run"](Path(folder, "run"), findings)
            began = time.perf_counter()
            write_reports([run], Path(folder, "out"))
            took = time.perf_counter() - began
            print(f"| {count} | {took:.2f} | {Path(folder, 'out', 'report.html').stat().st_size / 1e6:.2f} |")


if __name__ == "__main__":
    main()
