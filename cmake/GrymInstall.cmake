# Installation: filled in by the ground.
