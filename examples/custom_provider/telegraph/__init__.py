"""Calls in Morse code: a provider and three engines that any Voicebackend can name once this is installed."""
