"""ElevenLabs: a voice, and hosted agents reached by their conversation's websocket."""
