"""How the demo model is made: pictures, captions, networks, training stages, the probe and the measurement."""
