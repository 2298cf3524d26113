"""Run seeds by hand: ``python tests/simulation --seed 17``, ``--seeds 1000``, ``--seed 3 --workers 2000``."""

from __future__ import annotations

import argparse
import sys
import time

from oracle import InvariantBroken
from seeds import simulate


def tell(text: str) -> None:
    """Write a line."""
    sys.stdout.write(text + "\n")


def main() -> None:
    """Run what the command line asks for, and tell what happened."""
    parser = argparse.ArgumentParser(prog="python tests/simulation", description="Simulate leases and takeovers.")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many, one after another")
    parser.add_argument("--workers", type=int, default=None, help="workers; 3 to 30 by the seed unless given")
    args = parser.parse_args()
    started, failed = time.perf_counter(), []
    for seed in range(args.seed, args.seed + args.seeds):
        try:
            world = simulate(seed, workers=args.workers)
        except InvariantBroken as broken:
            failed.append(seed)
            tell(str(broken) if args.seeds == 1 else str(broken).splitlines()[0])
        else:
            if args.seeds == 1:
                tell(world.summary())
    tell(f"{args.seeds} seeds, {len(failed)} failed, {time.perf_counter() - started:.1f} s")
    raise SystemExit(bool(failed))


if __name__ == "__main__":
    main()
