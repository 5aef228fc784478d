"""Models: what is known of them, how their files come, how they are loaded, run and prepared for bf16.

No HTTP and no settings; images only as the model's input and its mask.
"""
