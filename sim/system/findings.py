"""Tables and pictures behind the findings: the units, where they win, what caches gain."""

from pathlib import Path

from m3vit.hw import files
from m3vit.sim.nearmem import report
from m3vit.sim.system import caching, caching_plot, crossover, crossover_plot


def main() -> int:
    """Write results/sim_nearmem.md, and results/sim_crossover and sim_caching as .md and .png."""
    out = Path("results")
    where = crossover.table() + crossover.recorded_table(crossover.RECORDED)
    gains = caching.table() + caching.recorded_table()
    for path in (
        files.write_text(out / "sim_nearmem.md", report.table()),
        files.write_text(out / "sim_crossover.md", where),
        crossover_plot.plot(out / "sim_crossover.png", crossover.Block()),
        files.write_text(out / "sim_caching.md", gains),
        caching_plot.plot(out / "sim_caching.png"),
    ):
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
