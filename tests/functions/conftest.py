"""The environment that Lambda gives a function. Set before any handler is imported: Powertools reads it then."""

import os

os.environ |= {"POWERTOOLS_SERVICE_NAME": "tallygate-prod-function", "POWERTOOLS_METRICS_NAMESPACE": "Tallygate"}
