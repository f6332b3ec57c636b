"""Power rails of a board while it runs, and the energy of one image: ``m3vit power``."""
