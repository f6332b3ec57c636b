"""The one hierarchy of errors that users may see.

Every message is one line: what, got, expected, what to do.  The command line prints it and exits
with code 2; ``--debug`` shows the traceback.
"""


class M3vitError(Exception):
    """Root of all errors that are the user's to resolve."""


class ConfigurationError(M3vitError):
    """A configuration, preset, task or argument is unknown or contradicts itself."""


class CheckpointError(M3vitError):
    """A checkpoint has missing, misshapen or non-finite tensors."""


class DatasetError(M3vitError):
    """A data set or image is missing, incomplete or unreadable."""


class QuantisationError(M3vitError):
    """A float network cannot be turned into integers within the contract's bounds."""


class PackageError(M3vitError):
    """A package directory is incomplete, edited, or made for something else."""


class DigestMismatchError(PackageError):
    """Two things that must carry the same digest do not."""


class CommandError(M3vitError):
    """A command word is malformed or lies outside the machine's limits."""


class DeviceError(M3vitError):
    """A device refused, failed or vanished."""


class DeviceTimeoutError(DeviceError):
    """A device did not answer in time."""


class ToolError(M3vitError):
    """An outside program is absent or failed."""
