"""The report: one HTML file that works offline, the data behind it as JSON, its main figures for papers."""
