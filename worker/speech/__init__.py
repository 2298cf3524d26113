"""From the agent's text to what is spoken, and back from what was heard to the text."""
