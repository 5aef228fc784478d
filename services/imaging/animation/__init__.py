"""Animations: their frames one at a time, masks that hold still, and files of several frames."""
