"""What hears, speaks and listens: one file for each engine, in the folder of its role; what roles share is here."""
