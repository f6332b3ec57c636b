"""Many images on a device against golden integers and ground truth: ``m3vit validate``."""
