"""Who may come in: API keys, the development key, single-use tokens."""
