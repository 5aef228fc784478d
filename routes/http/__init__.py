"""Reading requests and writing answers: fields, bodies, keys, quotas, the log line, errors.

Views use these modules. No view, no rule of jobs and no image processing belongs here.
"""
