"""What an operator sees of the running program: metrics, and the ids that log and traces share."""
