"""Why a torch call failed."""
