"""What a stranger may install beside the agent."""
