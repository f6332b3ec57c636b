"""Clusters that a sweep can run on, as joblib's backends."""

from typing import Any

from m3vit.hw.errors import ConfigurationError


def connect_dask(address: str) -> str:
    """Connect to a Dask scheduler; returns the backend's name.

    Raises:
        ConfigurationError: Dask is not installed, or nothing answers at the address.
    """
    try:
        import distributed
    except ImportError as error:
        raise ConfigurationError("--dask needs the extra: pip install 'm3vit[dask]'") from error
    client: Any = distributed.Client
    try:
        client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"no Dask scheduler answers at {address}: {error}") from error
    return "dask"


def connect_ray(address: str) -> str:
    """Connect to a Ray cluster (``local`` starts one here); returns the backend's name.

    Raises:
        ConfigurationError: Ray is not installed, or nothing answers at the address.
    """
    try:
        import ray
        from ray.util.joblib import register_ray
    except ImportError as error:
        raise ConfigurationError("--ray needs Ray: pip install ray") from error
    try:
        ray.init(
            None if address == "local" else address, ignore_reinit_error=True, log_to_driver=False
        )
    except (ConnectionError, OSError, ValueError, RuntimeError) as error:
        raise ConfigurationError(f"no Ray cluster answers at {address}: {error}") from error
    register_ray()
    return "ray"
