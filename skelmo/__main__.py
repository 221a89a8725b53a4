"""`python -m skelmo` is the command `skelmo`."""

import sys

from skelmo.cli import main

_code = sys.exit(main()) if __name__ == "__main__" else None
