"""Memory that is gathered in huge pages holds what it held."""

import subprocess
import sys

SCRIPT = """
import hashlib
from harness.engine import huge_pages

kept = [bytes([number % 251]) * 100_000 for number in range(200)]
digest = lambda: hashlib.sha256(b"".join(kept)).hexdigest()
before = digest()
huge_pages.gather()
assert digest() == before
"""


def test_what_is_gathered_is_as_before():
    subprocess.run([sys.executable, "-c", SCRIPT], check=True)
