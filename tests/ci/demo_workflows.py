"""The workflows of the demo in `examples/gitops`: those that `reconcile init` writes, for the keystores of the demo.

`python -m tests.ci.demo_workflows` writes them anew.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.ci.runner import ROOT

DEMO = ROOT / "examples" / "gitops" / ".github" / "workflows"
STARTER = ROOT / "reconciler" / "starter" / "github"


def for_the_demo(workflow: str) -> str:
    """A workflow of the starter, over three state files, whose passwords lie in a file and not in a secret."""
    without_secrets = re.sub(r"^ +env:.*\n +KEYSTORE_PASSWORD: .*\n", "", workflow, flags=re.MULTILINE)
    return without_secrets.replace("states: keystore.yaml", "states: keystores")


def demo_workflows() -> dict[Path, str]:
    """Each workflow of the demo, and what has to stand in it."""
    return {
        DEMO / f"reconcile-{path.name}": for_the_demo(path.read_text(encoding="utf-8"))
        for path in sorted(STARTER.glob("*.yml"))
    }


if __name__ == "__main__":
    DEMO.mkdir(parents=True, exist_ok=True)
    for target, text in demo_workflows().items():
        target.write_text(text, encoding="utf-8")
