"""From the model's small mask to a matte of the photo's size, with edges that follow the photo. `refine.py` begins."""
