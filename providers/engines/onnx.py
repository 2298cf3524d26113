"""ONNX models on the CPU, one thread each: many calls share the cores, so no call may take them all."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def load_session(path: Path) -> Any:
    """Return an ``onnxruntime.InferenceSession``, which threads may share; takes up to 200 ms.

    Weights of a model in ORT format stay in the file's pages: the processes of a machine hold them once together.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if path.suffix == ".ort":
        options.add_session_config_entry("session.use_memory_mapped_ort_model", "1")
        options.add_session_config_entry("session.use_ort_model_bytes_for_initializers", "1")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
