"""# Quick look: a photograph in, every task out

The device's name is the only thing that changes between the integer reference, the RTL in
simulation and a board: set `M3VIT_DEVICE` to `reference`, `rtl` or `pynq`. `make demo` makes the
package.
"""

# %%
from m3vit.host.notebooks.start import photo, start

package, device = start()
print(f"{package.config.name}: {package.config.tokens} tokens, {len(package.commands)} commands")
print(f"machine {package.machine.name}, device {device.name}")

# %% [markdown]
# ## Predictions
# The image is resized and cut into patches on this computer, the device runs the encoder, and the
# tasks' heads run here again, in the same integers everywhere.

# %%
from m3vit.host.pictures.sheet import Shown, sheet
from m3vit.host.runtime import Runtime

image = photo(package)
runtime = Runtime(package, device)
prepared = runtime.prepare(image)
predictions = [runtime.run(prepared, task) for task in package.config.task_names]
sheet(image, [Shown(task=one.task, values=one.values) for one in predictions], "photograph")

# %% [markdown]
# ## What it cost
# Every figure has its evidence: what the device counted, what the cost model says, and what this
# computer's clock says of itself, which is not the accelerator's time.

# %%
from m3vit.host.report import record_of, table

records = [record_of(package, device.name, "photo", one, one.phases) for one in predictions]
print(table(records))

# %%
import matplotlib.pyplot as plt

from m3vit.host.runtime import PHASES

figure, axes = plt.subplots(figsize=(8, 2.6), layout="constrained")
left = [0.0] * len(predictions)
for phase in PHASES:
    spent = [1e3 * one.phases.get(phase, 0.0) for one in predictions]
    axes.barh([one.task.name for one in predictions], spent, left=left, label=phase)
    left = [a + b for a, b in zip(left, spent, strict=True)]
axes.invert_yaxis()
axes.set_xlabel(f"ms of this computer, device {device.name}")
axes.legend(ncols=len(PHASES), fontsize=7, loc="upper center", bbox_to_anchor=(0.5, 1.2))
plt.show()

# %%
device.close()
