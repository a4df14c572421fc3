"""The consoles and the logging of the command line."""

from __future__ import annotations

import logging

from rich.console import Console
from rich.logging import RichHandler

console = Console()
error_console = Console(stderr=True)


def set_up_logging(*, verbose: bool) -> None:
    """Log warnings to stderr; with ``verbose`` also informational messages."""
    level = logging.INFO if verbose else logging.WARNING
    handler = RichHandler(console=error_console, show_path=False, show_time=False, markup=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler], force=True)
    logging.getLogger("rankelastor").setLevel(level)
