"""The description of the API: one `Operation` for each endpoint, schemas from the models of the answers.

Nothing here answers a caller except `/docs` and `/openapi.json`.
"""
