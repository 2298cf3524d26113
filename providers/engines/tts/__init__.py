"""Text to speech: implementations of ``TextToSpeech``, and what they share about text."""
