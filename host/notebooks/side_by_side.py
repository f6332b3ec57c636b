"""# Side by side: this device, a board, the GPU and the papers

Every machine writes the same result records. This notebook adds what this device does now to the
records that ship and to those that lie in `results/` (`make bench-gpu`, `m3vit power`, ...), and
shows them beside the published figures. Only equal work shares a row, and every figure has its
evidence: measured, counted in RTL, simulated, modelled or published. What nobody measured is not
there.
"""

# %%
from m3vit.host.notebooks.start import photo, root, start
from m3vit.host.report import record_of
from m3vit.host.runtime import Runtime

package, device = start()
runtime = Runtime(package, device)
task = package.config.task_names[0]
one = runtime.run(runtime.prepare(photo(package)), task)
mine = record_of(package, device.name, "photo", one, one.phases)
device.close()
print(f"{mine.model}, {mine.task}, device {mine.device}: {mine.value('cycles')} cycles, ", end="")
print(mine.figures["cycles"].evidence.value)

# %%
from dataclasses import replace

from m3vit.host.compare.entry import entry_of_record
from m3vit.host.compare.markdown import render
from m3vit.host.compare.reading import committed, read_entries, read_published
from m3vit.host.compare.rows import rows_of

files = sorted((root() / "results").glob("*.jsonl"))
here = replace(entry_of_record(mine), machine=f"here and now: {mine.device}")
own = [entry for file in files for entry in read_entries(file)]
rows = rows_of([here, *committed(), *own, *read_published()])
print(f"{len(rows)} rows; files of yours: {[file.name for file in files]}")

# %%
from IPython.display import Image, Markdown, display

display(Markdown(render(rows)))

# %% [markdown]
# ## Latency, energy, and where each machine stands under the board's roof
# The colour is the evidence.

# %%
from m3vit.host.compare.plots import draw_all
from m3vit.host.compare.reading import committed_routing

charts = draw_all(rows, committed_routing(), package.machine)
for name in ("latency.png", "energy.png", "roofline.png"):
    if name in charts:
        display(Image(charts[name]))
