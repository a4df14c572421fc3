"""`python -m rankelastor` is the command `rankelastor`."""

from rankelastor.cli.main import main

main()
