"""The processes of `make run`: a supervisor, an embedded broker and the text that it prints.

Standard library only, and only `run.py` imports it: the web server should be up as soon as it would be alone.
"""
