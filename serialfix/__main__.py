"""``python -m serialfix`` is the command line."""

from serialfix.cli import main

if __name__ == "__main__":
    main()
