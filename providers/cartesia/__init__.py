"""Cartesia: its ears and voices as engines, its managed agents as speech to speech, and the provider of them all."""
