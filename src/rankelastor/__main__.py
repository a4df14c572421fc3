"""Run the command `rankelastor` as `python -m rankelastor`."""

from rankelastor.cli.main import program

program()
