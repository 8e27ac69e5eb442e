"""`python -m inbond` is `inbond`."""

from inbond.cli.main import main

main()
