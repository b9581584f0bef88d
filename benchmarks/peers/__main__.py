"""``python -m benchmarks.peers [NAME ...]``: make the environments of some peers, or of all."""

import sys

from .environments import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
