"""Show what came of it all as a table."""

from tests.chaos.accounts import Verdict
from tests.chaos.recovery import Recoveries

_MOST_SHOWN = 20


def table(found: Verdict, recoveries: Recoveries, *, seed: int, seconds: float) -> str:
    """Return the table, and below it what was lost, if anything."""
    rows = [f"{'fault':36} {'times':>5} {'in flight':>9} {'median s':>8} {'max s':>6} {'never':>5}"]
    for name, tally in sorted(recoveries.tallies.items()):
        rows.append(
            f"{name:36} {tally.injected:5} {tally.in_flight // max(1, tally.injected):9} "
            f"{tally.median:8.1f} {tally.longest:6.1f} {tally.given_up:5}"
        )
    faults = sum(tally.injected for tally in recoveries.tallies.values())
    statuses = ", ".join(f"{count} {status}" for status, count in sorted(found.statuses.items()))
    rows += [
        "",
        f"{faults} faults, {found.jobs} jobs, {seconds:.0f} s, seed {seed}: {statuses}",
        f"lost {len(found.lost)}, doubled {len(found.doubled)}, stuck {len(found.stuck)}, "
        f"otherwise wrong {len(found.wrong)}",
    ]
    for kind in ("lost", "doubled", "stuck", "wrong"):
        rows += [f"  {kind}: {each}" for each in getattr(found, kind)[:_MOST_SHOWN]]
    return "\n".join(rows)
