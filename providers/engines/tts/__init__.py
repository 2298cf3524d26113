"""Text to speech: implementations of ``TextToSpeech``."""
