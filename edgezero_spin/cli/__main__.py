"""``python -m edgezero_spin.cli``: the same command without the console script."""

import sys

from edgezero_spin.cli import main

sys.exit(main())
