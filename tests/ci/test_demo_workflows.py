"""The demo has the workflows that a repository of this kind would have."""

from __future__ import annotations

from tests.ci.demo_workflows import DEMO, demo_workflows
from tests.ci.runner import ROOT
from tests.ci.test_judges import judge


def test_the_workflows_of_the_demo_are_those_that_init_writes() -> None:
    written = {path: path.read_text(encoding="utf-8") for path in DEMO.iterdir()}

    assert len(written) == 3
    assert written == demo_workflows(), "python -m tests.ci.demo_workflows"
    for text in written.values():
        assert "states: keystores" in text or "command: " not in text
        assert "KEYSTORE_PASSWORD" not in text
    assert sum(text.count("states: keystores") for text in written.values()) == 6


def test_actionlint_has_nothing_to_say_about_the_workflows_of_the_demo() -> None:
    assert judge("actionlint", "-no-color", *sorted(DEMO.iterdir()), cwd=ROOT) == (0, "")
