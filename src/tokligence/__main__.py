"""`python -m tokligence` is `tgw`."""

import sys

from tokligence.cli.main import main

sys.exit(main())
