"""Reads the headers of image files before a decoder opens them: formats, true sizes, lists that would keep it busy.

Pure functions of bytes: no Pillow enters, and nothing is decoded.
"""
