"""Make and damage image files, and read them back."""
