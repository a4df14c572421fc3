"""Report the contents of a prepared folder, with notices about likely problems."""
