"""Measures the page's editor: its core in Node (core.mjs), and the whole in Chromium (stage.py)."""
