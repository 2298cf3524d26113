"""End-of-turn detection: implementations of ``TurnDetector``."""
