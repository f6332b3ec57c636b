"""# Layer by layer: a traced run, and the first integer that differs

A traced run copies every layer's integers out of the device. A package holds a recorded image with
the integers that the definition gives, evaluated layer by layer when it was compiled: no device
took part in it. So the comparison below means something on every device, the reference included.
"""

# %%
from m3vit.host.notebooks.start import start

package, device = start()
golden = package.golden()
print(f"{package.config.name} on device {device.name}: {len(package.trace)} layers are traced")

# %%
from m3vit.host.layers import difference, layers_of, recorded
from m3vit.hw.golden.embedding import patches

task = package.config.task_names[0]
run = device.run(package, patches(golden["image"], package.config.patch), 0, trace=True)
layers = list(layers_of(package, run))

for layer in layers:
    title, values = f"block {layer.block} {layer.name}", layer.values
    found = difference(recorded(golden, layer, task), layer)
    print(f"{title:20} {values.dtype!s:6} {values.shape!s:12} {found or 'OK'}")
print(f"{sum(layer.values.size for layer in layers)} integers compared")

# %% [markdown]
# ## What flows through the network
# The residual stream after every block, a pixel a patch: the mean magnitude over all channels, with
# the class token left out. Two more fraction bits are stored than a layer norm reads.

# %%
import matplotlib.pyplot as plt
import numpy as np

grid, fraction = package.config.grid, package.residual_fraction + 2
stream = [layer for layer in layers if layer.name in ("embed", "out")]
columns = min(4, len(stream) + 1)
rows = -(-(len(stream) + 1) // columns)
figure, axes = plt.subplots(rows, columns, figsize=(10, 1.6 * rows), layout="constrained")
tiles_of_axes = np.atleast_1d(axes).ravel()
tiles_of_axes[0].imshow(golden["image"])
tiles_of_axes[0].set_title("image", fontsize=8)
for place, layer in zip(tiles_of_axes[1:], stream, strict=False):
    strength = np.abs(layer.values[1:] / 2.0**fraction).mean(axis=1).reshape(grid)
    shown = place.imshow(strength, cmap="viridis")
    place.set_title(
        f"block {layer.block} {layer.name}: {strength.min():.2f} to {strength.max():.2f}",
        fontsize=8,
    )
for place in tiles_of_axes:
    place.axis("off")
plt.show()

# %% [markdown]
# ## Ranges
# How far each layer reaches into its format. Activations have 8 bits, the residual 18; what reaches
# the end is saturated, and counted.

# %%
reached = [layer for layer in layers if layer.kind in ("INT8", "INT32")]
limits = [1 << (17 if layer.kind == "INT32" else 7) for layer in reached]
share = [
    [np.percentile(np.abs(layer.values.astype(np.int64)), q) / limit for q in (50, 99, 100)]
    for layer, limit in zip(reached, limits, strict=True)
]
figure, axes = plt.subplots(figsize=(8, 0.19 * len(reached) + 1), layout="constrained")
for column, (label, colour) in enumerate(
    [("median", "#1b7f3b"), ("99 %", "#d98b1f"), ("largest", "#b03a2e")]
):
    levels = [line[column] for line in share]
    axes.plot(levels, range(len(reached)), "o", ms=4, label=label, color=colour)
axes.set_yticks(
    range(len(reached)), [f"block {layer.block} {layer.name}" for layer in reached], fontsize=7
)
axes.invert_yaxis()
axes.set_xlim(0, 1.02)
axes.set_xlabel("magnitude as a share of the format")
axes.grid(alpha=0.3)
axes.legend()
plt.show()
print(f"saturated residual additions: {run.saturations}")

# %% [markdown]
# ## What an error looks like
# One bit of one layer is changed on purpose.

# %%
from dataclasses import replace

damaged = layers[-2].values.copy()
damaged[2, 7] ^= 1
print(difference(recorded(golden, layers[-2], task), replace(layers[-2], values=damaged)))

# %%
device.close()
