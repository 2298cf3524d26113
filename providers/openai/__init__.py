"""OpenAI, and servers that speak its protocol: speech recognition, speech, and conversations over its Realtime API."""
