"""What callers may choose: the presets, the texts about options, and checks of several options together."""
