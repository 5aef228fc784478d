"""Makes eight-bit sRGB pixels of what Pillow reads: profiles, grey of more bits, and TIFFs that it reads wrongly."""
