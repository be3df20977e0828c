"""Gets a broken Windows VM in Azure back over its serial console."""

__version__ = "0.1.0"
