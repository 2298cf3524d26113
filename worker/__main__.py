"""``python -m worker``: a streaming worker, configured by the environment; SIGTERM ends it cleanly."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # sessions share the cores: before numpy is imported

from voicebackend.process import run
from voicebackend.settings import Deployment
from worker.service import serve

if __name__ == "__main__":
    run("worker", lambda config: serve(config, Deployment.from_env()))
