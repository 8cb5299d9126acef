"""`reconcile drift`: how the live keystores differ from git, and what expires when."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from reconciler.commands import options


@click.command(name="drift", short_help="Show how the live keystores differ from git.")
@options.states
@options.jobs
@options.report_format("text", "json", "markdown")
def command(states: tuple[str, ...], jobs: int, format_name: str) -> int:
    """Show how the live keystore differs from git, and what is about to expire.

    Exits with 2 when there are differences. Reads only.

    \b
    Examples:
      reconcile drift keystore.yaml
      reconcile drift keystore.yaml --format json
    """
    from reconciler.commands.output import write_report
    from reconciler.commands.targets import exit_codes, plan_states, worst
    from reconciler.compare import is_difference
    from reconciler.desired import load_states
    from reconciler.model import Unmanaged

    report = plan_states(load_states(states), datetime.now(UTC), "drift", jobs=jobs)
    write_report(report, format_name)
    codes = exit_codes(report)
    for target in report.targets:
        if target.plan is not None:
            listed = target.plan.desired.unmanaged is not Unmanaged.IGNORE
            if any(is_difference(finding, report_unmanaged=listed) for finding in target.plan.findings):
                codes.append(2)
    return worst(codes)
