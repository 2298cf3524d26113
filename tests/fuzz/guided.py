"""Fuzzing that is guided by coverage, until time is up: ``python tests/fuzz/guided.py SECONDS TARGET…``.

Of several targets an input's first byte says which it is for. It ends with 1 at the first find, which is then in the
folder that ``VOICEBACKEND_FUZZ_FINDS`` names, and with 0 if there is none. Needs the extra ``[fuzz]``, on Linux x86-64.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

TESTS = Path(__file__).parents[1]
sys.path += [str(TESTS / folder) for folder in ("fuzz", "helpers")]
PACKAGES = ["voicebackend", "control", "providers", "worker"]
MAX_MB = 1536
"""Memory of the process, libFuzzer's own included; one input gets a quarter of it at once."""


def main(seconds: int, names: list[str]) -> None:
    """Fuzz these targets; never returns."""
    import atheris

    with atheris.instrument_imports(include=PACKAGES, enable_loader_override=False):  # pyright: ignore[reportAttributeAccessIssue] - set at run time
        from targets import TARGETS
    chosen = [TARGETS[name] for name in names]

    def read(data: bytes) -> None:
        if data:
            chosen[data[0] % len(chosen)].attempt(data[1:])

    with TemporaryDirectory(prefix="voicebackend-fuzz-") as folder:
        words = Path(folder, "words")
        pieces = dict.fromkeys(word for one in chosen for word in one.words if len(word) < 64) or [b"\0"]  # never empty
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in pieces))
        corpus = Path(folder, "corpus")
        corpus.mkdir()
        for number, target in enumerate(chosen):
            for place, seed in enumerate(target.seeds):
                (corpus / f"{number}-{place}").write_bytes(bytes([number]) + seed)
        finds = os.environ.get("VOICEBACKEND_FUZZ_FINDS", folder)
        options = {
            "max_total_time": seconds,
            "dict": words,
            "artifact_prefix": f"{finds}/",
            "rss_limit_mb": MAX_MB,
            "malloc_limit_mb": MAX_MB // 4,
            "timeout": 20,
            "max_len": 16_384,
            "print_final_stats": 1,
            "close_fd_mask": 0,
        }
        arguments = [f"-{name}={value}" for name, value in options.items()]
        atheris.Setup([sys.argv[0], *arguments, str(corpus)], read)
        atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
