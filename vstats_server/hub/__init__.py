"""What the server knows of every host, and the messages it learns it from."""
