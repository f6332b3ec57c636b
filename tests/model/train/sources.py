"""Small random training data."""

import numpy as np

from m3vit.hw.config import ModelConfig
from m3vit.model.train.batches import SceneSource


def random_source(config: ModelConfig, count: int = 12, seed: int = 0) -> SceneSource:
    """Random images and targets in the layout of the scene cache."""
    rng = np.random.default_rng(seed)
    shape = (count, config.image_height, config.image_width)
    normals = rng.normal(size=(*shape, 3))
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    return SceneSource(
        {
            "image": rng.integers(0, 256, (*shape, 3), dtype=np.uint8),
            "segmentation": rng.integers(0, 8, shape, dtype=np.uint8),
            "depth": rng.uniform(0.5, 3, shape).astype(np.float16),
            "normals": np.rint(normals * 127).astype(np.int8),
            "edges": rng.integers(0, 2, shape, dtype=np.uint8),
            "saliency": rng.integers(0, 2, shape, dtype=np.uint8),
        }
    )
