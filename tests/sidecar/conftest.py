import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))  # for `evaluators`, here and in the processes that these tests start
