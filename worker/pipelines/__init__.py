"""Conversations: caller audio in, agent audio and events out. What decides is pure; what waits is small."""
