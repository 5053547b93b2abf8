"""Sockets: listening, TLS, WebSocket connections, proxies, and the event loop."""
