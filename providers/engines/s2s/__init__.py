"""Speech to speech: implementations of ``SpeechToSpeech``."""
