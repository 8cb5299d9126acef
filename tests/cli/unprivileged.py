"""Starting a child for which permissions count, also when the tests run as root."""

from __future__ import annotations

import ctypes
import os

# <sys/prctl.h> and <linux/capability.h>: what lets root write where nobody may.
_PR_CAPBSET_DROP = 24
_CAPABILITIES = (1, 2, 3)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER


def give_up_root() -> None:
    """For `preexec_fn`: the program that is started afterwards has no capability that overrides permissions."""
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in _CAPABILITIES:
        if libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "the capability cannot be given up")
