"""Worker processes as others see them."""
