"""ONNX models on the CPU, one thread each: many calls share the cores, so no call may take them all."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def load_session(path: Path) -> Any:
    """Return an ``onnxruntime.InferenceSession``, which threads may share; takes up to 200 ms."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
