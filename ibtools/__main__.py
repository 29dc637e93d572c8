"""Run the command line with ``python -m ibtools``."""

from ibtools.cli.main import main

if __name__ == "__main__":
    main()
