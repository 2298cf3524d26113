"""``python -m few_files_control``: control, in a process that may have few files open at once."""

from __future__ import annotations

import resource
import sys
from runpy import run_module

MOST = 160
"""Files: more than control needs for a few calls, fewer than a flood of sockets takes."""

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (MOST, MOST))
    sys.argv[0] = "control"
    run_module("control", run_name="__main__", alter_sys=True)
