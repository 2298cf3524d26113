"""What should be, compared with what is, every few seconds; and each difference repaired, told and counted."""
