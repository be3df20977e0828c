"""``python -m serialfix.simulator``: what ``serialfix simulate`` runs."""

from serialfix.simulator.cli import main

if __name__ == "__main__":
    main()
