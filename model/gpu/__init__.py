"""The whole network on a GPU: float with library parts, integers equal to the golden operators."""
