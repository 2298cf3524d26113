"""Vocode: a conversation server of one's own, with its own ears, agent and voice, reached by one websocket."""
