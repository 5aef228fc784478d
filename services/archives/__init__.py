"""ZIP archives in and out, safe file names, and the batch that turns many images into many results.

No HTTP and no storage: an archive is read from a file object and written as a stream of bytes.
"""
