"""`python -m bailiwick`."""

from bailiwick.cli.main import main

if __name__ == "__main__":
    main()
