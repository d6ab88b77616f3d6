"""What peers/hearing.py is made of: listeners, pieces of known truth, scores, times, memory, the table."""
