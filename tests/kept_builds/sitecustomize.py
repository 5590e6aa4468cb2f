"""The start of a Python process of the tests: one that runs componentize-py keeps what it makes.

Python imports this module where its folder is on PYTHONPATH, which tests/conftest.py sees to. It
acts in the processes alone that ``edgezero componentize`` runs componentize-py in.
"""

import os
import sys

_FOLDER = __file__.removesuffix("/sitecustomize.py")

if "componentize-py" in sys.orig_argv and "KEPT_BUILDS" in os.environ:
    from kept_builds import keep  # type: ignore[import-not-found]

    # An app would find the folder there, and its component would carry it.
    sys.path.remove(_FOLDER)
    keep(sys.orig_argv[sys.orig_argv.index("componentize-py") :], os.environ["KEPT_BUILDS"])
else:
    sys.path.remove(_FOLDER)
