"""Make the helpers beside the pins importable, for pytest imports each test file by itself."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
