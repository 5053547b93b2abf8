"""``vstats-top``: the live view in a terminal. Only ``app`` and ``table`` need Textual."""
