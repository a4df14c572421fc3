"""Training by several processes: shares of gradients and scores, agreement, and what all but the first process do."""
