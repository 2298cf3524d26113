"""The web pages that control serves: files and the headers they go out with. No template, no build step, no session."""
