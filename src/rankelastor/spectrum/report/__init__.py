"""The spectrum report: an HTML file that works offline, its data as JSON, and its main figures for papers."""
