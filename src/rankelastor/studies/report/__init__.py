"""Tables, pages and figures of what a study shows."""
