"""Other services' APIs in our terms: their parameters become `Options`, our errors become their bodies.

A dialect is one module with `parse_options(given, …)`, which returns a frozen dataclass or model with our `options`,
and, where the service has its own error body, `error_body(error)`. No request, no response and no pixels enter.
"""
