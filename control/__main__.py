"""``python -m control``: the HTTP API and gateway, configured by the environment; SIGTERM ends it cleanly."""

from __future__ import annotations

from control.service import serve
from voicebackend.process import run
from voicebackend.settings import Deployment

if __name__ == "__main__":
    run("control", lambda config: serve(config, Deployment.from_env()))
