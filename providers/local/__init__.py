"""The provider whose pipeline is made of engines on this machine."""
