"""Voice activity detection: implementations of ``VoiceActivityDetector``."""
