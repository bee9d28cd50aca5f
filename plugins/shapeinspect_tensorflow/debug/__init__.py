"""Why a TFLite interpreter refused a call."""
