"""How workers share lanes: who claims, keeps, hands over and restores which. No voice, no providers."""
