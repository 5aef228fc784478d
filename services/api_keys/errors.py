"""Errors about API keys and what they may use."""

from services.errors import ServiceError


class MonthlyQuotaUsedUp(ServiceError):
    code, status = "monthly_quota_used_up", 402
    message = "The monthly quota of this API key is used up"
    solution = "Wait until the next month (UTC), or ask the operator for a larger quota"


class KeyNotFound(ServiceError):
    code, status = "key_not_found", 404
    message = "There is no such API key"
    solution = "List the keys and use the id of one that is not revoked"


class KeyNameTaken(ServiceError):
    code, status = "key_name_taken", 409
    message = "An API key with this name already exists"
    solution = "Revoke it first, or choose another name"
