"""Whose turn it is: pure decisions of frames, words and seconds. No clock is read here."""
