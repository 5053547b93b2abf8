"""Who may connect: tokens, origins, passwords, and rate limits."""
