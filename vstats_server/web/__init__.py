"""Plain HTTP: the live page, the JSON API, and the health check."""
