"""``python -m shapeinspect`` is the command line."""

from shapeinspect.cli import main

if __name__ == "__main__":
    main()
