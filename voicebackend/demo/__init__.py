"""The demonstration: an agent that takes an appointment, and the recorded voices that call it."""
