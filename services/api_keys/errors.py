"""Errors about API keys and what they may use."""

from services.errors import ServiceError


class MonthlyQuotaUsedUp(ServiceError):
    code, status = "monthly_quota_used_up", 402
    message = "The monthly quota of this API key is used up"
    solution = "Wait until the next month (UTC), or ask the operator for a larger quota"
