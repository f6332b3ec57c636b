"""# Task switching: A, B, A, B

All tasks share one resident package. The task is one register: it chooses the gates, and with them
the experts. So a switch costs nothing, and a task gives the same integers in the same time whatever
ran before it.
"""

# %%
from m3vit.host.notebooks.start import photo, start
from m3vit.host.runtime import Runtime

package, device = start()
first, second = (package.config.task_names * 2)[:2]
runtime = Runtime(package, device)
prepared = runtime.prepare(photo(package))
order = [*[first, second] * 3, second, second, first, first]
runs = [runtime.run(prepared, task) for task in order]
print(f"{package.config.name} on device {device.name}: {', '.join(order)}")

# %% [markdown]
# ## Same integers, same cycles
# A device with a clock counts its cycles. The reference has none: then they are the cost model's,
# for the routing that this image really had. DRAM refreshes itself whatever runs: a run that meets
# one refresh more than another takes some hundred cycles longer. In the simulation that can be
# turned off, `M3VIT_DEVICE=rtl:refresh_every=0`: repetitions are then equal to a few cycles, which
# the memory's ports make that take turns.

# %%
from m3vit.host.report import digest_of_outputs, modelled


def cycles_of(number: int) -> tuple[int, str]:
    """Cycles of a run, and where they come from."""
    run = runs[number].run
    if run.cycles is not None:
        return run.cycles, f"counted by {device.name}"
    return round(modelled(package, run.plans).total), "modelled"


digests = [digest_of_outputs(one) for one in runs]
for number, task in enumerate(order):
    cycles, evidence = cycles_of(number)
    print(f"{task:14} {cycles:9} cycles ({evidence}), result {digests[number][:16]}")

# %%
from statistics import mean

for task in (first, second):
    mine = [number for number, name in enumerate(order) if name == task]
    assert len({digests[number] for number in mine}) == 1, "a run depends on what ran before it"
    found = [cycles_of(number)[0] for number in mine]
    switched = mean(cycles_of(n)[0] for n in mine if n and order[n - 1] != task)
    stayed = mean(cycles_of(n)[0] for n in mine if n and order[n - 1] == task)
    print(
        f"{task}: every repetition gave the same integers, in {min(found)} to {max(found)} cycles; "
        f"after the other task {switched:.0f}, after itself {stayed:.0f}"
    )

# %%
import matplotlib.pyplot as plt

colours = {first: "#2f6fb7", second: "#d98b1f"}
figure, axes = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
milliseconds = [cycles_of(n)[0] / package.machine.clock_mhz / 1e3 for n in range(len(order))]
spent = [1e3 * runs[n].phases["run"] for n in range(len(order))]
for place, values, label in (
    (axes[0], milliseconds, f"ms at {package.machine.clock_mhz:g} MHz ({cycles_of(0)[1]})"),
    (axes[1], spent, f"ms of this computer, device {device.name}"),
):
    place.bar(range(len(order)), values, color=[colours[task] for task in order])
    place.set_xticks(range(len(order)), ["A" if task == first else "B" for task in order])
    place.set_ylabel(label, fontsize=8)
figure.suptitle(f"A = {first}, B = {second}", fontsize=9)
plt.show()

# %% [markdown]
# ## Why the tasks differ at all
# Tokens that each expert received, block by block: the tasks' gates send the same image to other
# experts. An expert without tokens is never read from memory.

# %%
import numpy as np

loads = {}
for task in (first, second):
    # Hardware shows its routing only in a traced run.
    traced = device.run(package, prepared.tiles, package.config.task_index(task), trace=True)
    loads[task] = np.array([plan.counts for _, plan in sorted(traced.plans.items())])
most = max(int(load.max()) for load in loads.values())
figure, axes = plt.subplots(1, 2, figsize=(9, 2.6), layout="constrained", squeeze=False)
for place, (task, load) in zip(axes[0], loads.items(), strict=False):
    shown = place.imshow(load, vmin=0, vmax=most, cmap="magma", aspect="auto")
    place.set_title(f"{task}: {int((load > 0).sum())} of {load.size} experts read", fontsize=9)
    place.set_xlabel("expert")
    place.set_yticks(range(len(load)), [str(block) for block in package.config.moe_blocks])
    place.set_ylabel("block")
figure.colorbar(shown, ax=axes, label="tokens")
plt.show()

# %%
device.close()
